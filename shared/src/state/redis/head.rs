//! What a pipeline is at, as it stands in its hash.

use jiff::Timestamp;

use super::answers::{Answers, damaged, number};
use super::commit::Commit;
use super::keys::{Generation, Keys};
use crate::failure::Failure;
use crate::record::{PipelineName, RunId};
use crate::state::rules::Head;
use crate::state::{Counts, ImageCounts};

/// What every call reads of a pipeline, in this order.
const FIELDS: [&str; 14] = [
    "generation",
    "epoch",
    "floor",
    "sequence",
    "open",
    "source",
    "wanted",
    "applied",
    "outstanding",
    "dead",
    "images_wanted",
    "images_applied",
    "images_outstanding",
    "images_dead",
];

/// Fields of the totals, in the order of [`totals`].
pub(super) const TOTALS: [&str; 8] = [
    "wanted",
    "applied",
    "outstanding",
    "dead",
    "images_wanted",
    "images_applied",
    "images_outstanding",
    "images_dead",
];

/// A pipeline as it was read; all empty where nothing was ever heard of it.
#[derive(Debug, Clone, Default)]
pub(super) struct HeadRow {
    pub(super) head: Head,
    pub(super) generation: u64,
    /// A run has begun: it is known what the records are about.
    pub(super) is_bound: bool,
    fields: Vec<Option<String>>,
}

/// Asks for the server's clock and for a pipeline.
pub(super) fn ask(commands: &mut redis::Pipeline, keys: &Keys, name: &PipelineName) {
    commands.cmd("TIME");
    commands.cmd("HMGET").arg(keys.head(name)).arg(&FIELDS);
}

/// The answers to [`ask`].
pub(super) fn read(answers: &mut Answers) -> Result<(Timestamp, HeadRow), Failure> {
    let now = time(answers.next()?)?;
    Ok((now, HeadRow::of_fields(answers.next()?)?))
}

/// The answer to `TIME`: seconds and microseconds.
pub(super) fn time((seconds, micros): (i64, i64)) -> Result<Timestamp, Failure> {
    Timestamp::from_microsecond(seconds.saturating_mul(1_000_000).saturating_add(micros))
        .map_err(|_| damaged("its clock"))
}

impl HeadRow {
    fn of_fields(fields: Vec<Option<String>>) -> Result<Self, Failure> {
        let text = |name: &str| {
            let at = FIELDS.iter().position(|field| *field == name);
            at.and_then(|at| fields.get(at)).and_then(Option::as_deref)
        };
        let read = |name: &str| number(text(name));
        let head = Head {
            epoch: read("epoch")?,
            sequence: read("sequence")?,
            floor: read("floor")?,
            open: text("open").map(|open| number(Some(open))).transpose()?.map(RunId),
            counts: Counts {
                wanted: read("wanted")?,
                applied: read("applied")?,
                outstanding: read("outstanding")?,
                dead: read("dead")?,
                images: ImageCounts {
                    wanted: read("images_wanted")?,
                    applied: read("images_applied")?,
                    outstanding: read("images_outstanding")?,
                    dead: read("images_dead")?,
                },
            },
        };
        let (generation, is_bound) = (read("generation")?, text("source").is_some());
        Ok(Self { head, generation, is_bound, fields })
    }

    /// Where the records and images are.
    pub(super) fn keys(&self, keys: &Keys, name: &PipelineName) -> Generation {
        keys.generation(name, self.generation)
    }

    /// These fields must not have changed since they were read.
    pub(super) fn expect(&self, commit: &mut Commit, head: &str, names: &[&str]) {
        for (field, value) in FIELDS.iter().zip(&self.fields).filter(|(field, _)| names.contains(field)) {
            commit.expect(head, field, value.as_deref().map(str::as_bytes));
        }
        // Of a pipeline that was never read, nothing is there.
        debug_assert!(self.fields.len() == FIELDS.len(), "a row is expected as it was read");
    }
}

/// The totals in the order of [`TOTALS`].
pub(super) fn totals(counts: &Counts) -> [u64; 8] {
    let ImageCounts { wanted, applied, outstanding, dead } = counts.images;
    [counts.wanted, counts.applied, counts.outstanding, counts.dead, wanted, applied, outstanding, dead]
}
