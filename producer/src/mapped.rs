//! A row of the source as the mapping sees it, and the job that carries what it becomes.

use std::collections::HashMap;

use jiff::Timestamp;
use shared::checksum::Checksum;
use shared::failure::Failure;
use shared::job::{FORMAT, Job, JobKind};
use shared::mapping::Mapping;
use shared::record::{ImageReference, PipelineName, RecordKey, RunId, Version};
use shared::state::{Run, RunKind, Want, Window};
use shared::trace::Trace;

use crate::source::{Source, SourceRow};

/// A row, and what tells whether it has changed. Its values are mapped when somebody needs them: of most rows nobody does.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// As the source gave it.
    pub row: SourceRow,
    /// Of what it becomes, under the mapping.
    pub checksum: Checksum,
    /// The image that it has, where the sink takes images.
    pub image: Option<ImageReference>,
}

impl Mapped {
    /// Of a row; `images`: the sink takes them; `clears`: and one that the source no longer has is taken from it.
    pub fn of(source: &Source, row: SourceRow, images: bool, clears: bool) -> Self {
        let checksum = source.checksum(&row);
        // What cannot be a reference names no image that could be asked for.
        let told = row.image.as_deref().filter(|_| images);
        let removed = images && clears && row.image.is_none();
        let image = removed.then(ImageReference::removed).or_else(|| told.and_then(|text| text.parse().ok()));
        Self { row, checksum, image }
    }

    /// Of rows with what only their details say, whether they have changed or not.
    pub async fn whole(source: &Source, rows: Vec<SourceRow>, images: bool) -> Result<Vec<Self>, Failure> {
        let of = |row: SourceRow| Self::of(source, row, images, false);
        if !source.has_details() {
            return Ok(rows.into_iter().map(of).collect());
        }
        let listed: HashMap<RecordKey, SourceRow> =
            rows.iter().map(|row| (row.key.clone(), row.clone())).collect();
        let whole = source.complete(rows).await?.into_iter();
        Ok(whole.filter_map(|row| Some(of(listed.get(&row.key)?.clone()).with_details(row))).collect())
    }

    /// The same record with what [`Source::complete`] says of it.
    #[must_use]
    pub fn with_details(self, row: SourceRow) -> Self {
        Self { row, ..self }
    }

    /// What is wanted of the record.
    pub fn want(&self) -> Want {
        Want { key: self.row.key.clone(), checksum: self.checksum, image: self.image.clone() }
    }

    /// A job that nobody enqueues, to look by it at what a sink has; or why the row cannot be mapped.
    pub fn for_looking(self, mapping: &Mapping, pipeline: &PipelineName) -> Result<Job, Failure> {
        let window = Window { start: None, end: Timestamp::UNIX_EPOCH };
        let run = Run {
            id: RunId(0),
            pipeline: pipeline.clone(),
            kind: RunKind::Full,
            window,
            force: false,
            epoch: 0,
            position: None,
            pages: 0,
        };
        match self.job(mapping, &run, Version { epoch: 0, sequence: 0 }, 0) {
            (job, None) => Ok(job),
            (_, Some(failure)) => Err(failure),
        }
    }

    /// The job of it; where it cannot be mapped, with the row's own values and the reason.
    pub(crate) fn job(
        self,
        mapping: &Mapping,
        run: &Run,
        version: Version,
        place: u64,
    ) -> (Job, Option<Failure>) {
        let (values, failure) = match mapping.apply(&self.row.values) {
            Ok(values) => (values, None),
            Err(failure) => (self.row.values, Some(failure)),
        };
        let trace = Some(Trace::of(&run.pipeline, &self.row.key, version));
        let job = Job {
            format: FORMAT,
            kind: JobKind::Record,
            pipeline: run.pipeline.clone(),
            key: self.row.key,
            version,
            checksum: self.checksum,
            run: run.id,
            place,
            attempt: 1,
            values,
            image: self.image,
            sink_id: None,
            source_time: self.row.time,
            trace,
            failures: Vec::new(),
        };
        (job, failure)
    }
}
