//! How many calls verify may make.

use shared::config::{Pipeline, SourceConfig};
use shared::failure::{Class, Failure, Reason};
use shared::record::PipelineName;
use shared::systems::Systems;

/// Calls to source and sink of one pipeline, counted from its begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget<'a> {
    systems: &'a Systems,
    pipeline: &'a PipelineName,
    before: u64,
    most: Option<u64>,
}

impl<'a> Budget<'a> {
    pub(crate) fn begin(systems: &'a Systems, pipeline: &'a PipelineName, most: Option<u64>) -> Self {
        let mut budget = Self { systems, pipeline, before: 0, most };
        budget.before = budget.used();
        budget
    }

    /// Calls since the begin.
    pub(crate) fn used(&self) -> u64 {
        let calls: u64 = self.systems.telemetry().spent(self.pipeline).calls.values().sum();
        calls.saturating_sub(self.before)
    }

    /// Ends a look that takes more calls than it was given.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let (used, name) = (self.used(), self.pipeline);
        match self.most {
            Some(most) if used > most => Err(Failure::new(
                Class::Systemic,
                Reason::Throttled,
                format!("verifying {name} took {used} calls so far, more than --max-calls {most}"),
            )
            .advise("allow more calls; nothing was changed")),
            _ => Ok(()),
        }
    }

    /// Refuses to begin what will surely take more.
    pub(crate) fn refuse(&self, estimate: u64) -> Result<(), Failure> {
        let name = self.pipeline;
        match self.most {
            Some(most) if estimate > most => Err(Failure::configuration(format!(
                "verifying {name} takes about {estimate} calls, more than --max-calls {most}"
            ))
            .advise("allow more calls; nothing was read yet")),
            _ => Ok(()),
        }
    }
}

/// About how many calls a look at so many records takes: pages of the source, and of an Odoo sink two reads a page and
/// one more for each thousand external ids, and three for each 500 images.
pub(crate) fn estimate(pipeline: &Pipeline, records: u64, images: u64) -> u64 {
    let page_size = match &pipeline.source {
        SourceConfig::Odoo(entity) => entity.page_size as u64,
        SourceConfig::Zoho(entity) => entity.page_size as u64,
    };
    let pages = records.div_ceil(page_size.max(1)).max(1);
    if pipeline.has_one_writer() {
        return pages;
    }
    pages * 3 + records.div_ceil(1_000) + images.div_ceil(500) * 3
}
