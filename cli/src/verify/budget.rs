//! How many calls verify may make.

use producer::source::Source;
use shared::config::{Pipeline, SourceConfig};
use shared::failure::{Class, Failure, Reason};
use shared::record::PipelineName;
use shared::state::Counts;
use shared::systems::Systems;
use shared::zoho::Api;
use worker::sink::SinkView;

use super::survey::TOGETHER;

/// External ids of Odoo that one call looks up or lists.
const NAMES: u64 = 1_000;

/// Items of Zoho whose details one call reads.
const DETAILS: u64 = 100;

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
            .advise("allow more calls; no record was read yet")),
            _ => Ok(()),
        }
    }
}

/// About how many calls are still to be made once source and sink are open, where everything is in step; what differs costs
/// more, as it is read again from both sides. That is: pages of the source, and its details; of an Odoo as sink two reads for
/// each page, four for each column that refers to other records, and a page for each thousand external ids; three for each
/// page of the state's records with images.
pub(crate) fn estimate(
    (pipeline, source): (&Pipeline, &Source),
    view: &SinkView,
    records: u64,
    known: Counts,
) -> u64 {
    let page_size = match &pipeline.source {
        SourceConfig::Odoo(entity) => entity.page_size as u64,
        SourceConfig::Zoho(entity) => entity.page_size as u64,
    };
    let pages = match &pipeline.source {
        // Each page begins with the last second of the one before, that is with one row or more of it.
        SourceConfig::Zoho(entity) if entity.api == Api::Inventory => {
            1 + records.saturating_sub(page_size).div_ceil(page_size.saturating_sub(1).max(1))
        }
        SourceConfig::Odoo(_) | SourceConfig::Zoho(_) => records.div_ceil(page_size.max(1)),
    };
    let pages = pages.max(1);
    let details = if source.has_details() { records.div_ceil(DETAILS) } else { 0 };
    let SinkView::Odoo(sink) = view else { return pages + details };
    let look_ups = page_size.div_ceil(NAMES).max(1);
    let images = if known.images.applied > 0 { known.wanted.div_ceil(TOGETHER as u64) * 3 } else { 0 };
    let references = sink.reference_columns() as u64 * 4;
    pages * (2 + look_ups) + details + references + records / NAMES + 1 + images
}
