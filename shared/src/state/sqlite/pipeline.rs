//! The row of a pipeline inside a transaction: its epoch and its totals, written back once at the end.

use rusqlite::{Connection, OptionalExtension, params};

use super::failure::StoreError;
use super::image::Image;
use super::record::{Record, Stage};
use crate::failure::{Class, Failure, Reason};
use crate::record::{PipelineName, RecordKey, RunId, Version};
use crate::state::{Binding, Counts, ImageCounts, OpenRun, PipelineState, Run};

/// What a transaction needs of a pipeline.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) id: i64,
    pub(super) epoch: u64,
    pub(super) sequence: u64,
    /// Versions of older epochs are about another source or sink.
    pub(super) floor: u64,
    pub(super) open: Option<RunId>,
    pub(super) counts: Counts,
}

impl Pipeline {
    /// `None` where nothing was ever heard of it.
    pub(super) fn find(connection: &Connection, name: &PipelineName) -> Result<Option<Self>, StoreError> {
        let found = connection
            .prepare_cached(
                "SELECT id, epoch, sequence, floor, open_run, wanted, applied, outstanding, dead, \
                 images_wanted, images_applied, images_outstanding, images_dead \
                 FROM pipeline WHERE name = ?1",
            )?
            .query_row([name], |row| {
                Ok(Self {
                    id: row.get(0)?,
                    epoch: row.get(1)?,
                    sequence: row.get(2)?,
                    floor: row.get(3)?,
                    open: row.get(4)?,
                    counts: Counts {
                        wanted: row.get(5)?,
                        applied: row.get(6)?,
                        outstanding: row.get(7)?,
                        dead: row.get(8)?,
                        images: ImageCounts {
                            wanted: row.get(9)?,
                            applied: row.get(10)?,
                            outstanding: row.get(11)?,
                            dead: row.get(12)?,
                        },
                    },
                })
            })
            .optional()?;
        Ok(found)
    }

    /// The pipeline, made where it is new: jobs may come before the first run where the state was wiped under them.
    pub(super) fn get(connection: &Connection, name: &PipelineName) -> Result<Self, StoreError> {
        if let Some(known) = Self::find(connection, name)? {
            return Ok(known);
        }
        connection.execute("INSERT INTO pipeline (name) VALUES (?1)", [name])?;
        Ok(Self {
            id: connection.last_insert_rowid(),
            epoch: 0,
            sequence: 0,
            floor: 0,
            open: None,
            counts: Counts::default(),
        })
    }

    /// The pipeline of a run whose producer is still the newest: one that slept while another took over must not give
    /// versions any more.
    pub(super) fn of_run(connection: &Connection, run: &Run) -> Result<Self, StoreError> {
        match Self::find(connection, &run.pipeline)? {
            Some(pipeline) if pipeline.epoch == run.epoch => Ok(pipeline),
            _ => Err(taken_over(run).into()),
        }
    }

    /// The next version of this epoch.
    pub(super) fn next_version(&mut self) -> Version {
        self.sequence += 1;
        Version { epoch: self.epoch, sequence: self.sequence }
    }

    /// Whether a job is about another source or sink than the pipeline is now.
    pub(super) fn is_foreign(&self, version: Version) -> bool {
        version.epoch < self.floor
    }

    /// Writes a record that was changed, and keeps the totals.
    pub(super) fn replace(
        &mut self,
        connection: &Connection,
        key: &RecordKey,
        before: &Record,
        after: &Record,
    ) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        let counts = &mut self.counts;
        shift(&mut counts.wanted, before.wanted.is_some(), after.wanted.is_some());
        shift(&mut counts.applied, before.applied.is_some(), after.applied.is_some());
        let outstanding = |record: &Record| record.stage() == Stage::Outstanding;
        shift(&mut counts.outstanding, outstanding(before), outstanding(after));
        after.save(connection, self.id, key)
    }

    /// Writes the image of a record where it was changed, and keeps the totals.
    pub(super) fn replace_image(
        &mut self,
        connection: &Connection,
        key: &RecordKey,
        before: &Image,
        after: &Image,
    ) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        let counts = &mut self.counts.images;
        let wanted = |image: &Image| image.wanted.as_ref().is_some_and(|wanted| wanted.reference.is_some());
        shift(&mut counts.wanted, wanted(before), wanted(after));
        shift(&mut counts.applied, before.applied.is_some(), after.applied.is_some());
        let outstanding = |image: &Image| image.stage() == Stage::Outstanding;
        shift(&mut counts.outstanding, outstanding(before), outstanding(after));
        after.save(connection, self.id, key)
    }

    /// Whether any image is wanted or in the sink: most pipelines have none, and theirs are not looked for.
    pub(super) fn has_images(&self) -> bool {
        self.counts.images != ImageCounts::default()
    }

    /// Writes epoch, sequence, floor, open run and totals back.
    pub(super) fn save(&self, connection: &Connection) -> Result<(), StoreError> {
        connection
            .prepare_cached(
                "UPDATE pipeline SET epoch = ?2, sequence = ?3, floor = ?4, open_run = ?5, wanted = ?6, applied = ?7, \
                 outstanding = ?8, dead = ?9, images_wanted = ?10, images_applied = ?11, \
                 images_outstanding = ?12, images_dead = ?13 WHERE id = ?1",
            )?
            .execute(params![
                self.id,
                self.epoch,
                self.sequence,
                self.floor,
                self.open,
                self.counts.wanted,
                self.counts.applied,
                self.counts.outstanding,
                self.counts.dead,
                self.counts.images.wanted,
                self.counts.images.applied,
                self.counts.images.outstanding,
                self.counts.images.dead,
            ])?;
        Ok(())
    }
}

/// What is known of a pipeline; `None` where it never ran.
pub(super) fn state(
    connection: &Connection,
    name: &PipelineName,
) -> Result<Option<PipelineState>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT p.source, p.sink, p.mapping, p.cursor, p.last_full, \
             r.id, r.kind, r.window_start, r.window_end, r.position \
             FROM pipeline p LEFT JOIN run r ON r.id = p.open_run WHERE p.name = ?1 AND p.source IS NOT NULL",
        )?
        .query_row([name], |row| {
            let open = match row.get(5)? {
                Some(id) => Some(OpenRun {
                    id,
                    kind: row.get(6)?,
                    window: super::run::window(row, 7)?,
                    position: row.get(9)?,
                }),
                None => None,
            };
            Ok(PipelineState {
                binding: Binding { source: row.get(0)?, sink: row.get(1)?, mapping: row.get(2)? },
                cursor: row.get(3)?,
                last_full: row.get(4)?,
                open,
            })
        })
        .optional()?;
    Ok(found)
}

fn shift(total: &mut u64, before: bool, after: bool) {
    match (before, after) {
        (false, true) => *total += 1,
        (true, false) => *total = total.saturating_sub(1),
        _ => {}
    }
}

pub(super) fn taken_over(run: &Run) -> Failure {
    Failure::new(
        Class::Systemic,
        Reason::Locked,
        format!("run {} of {} was taken over by another process", run.id, run.pipeline),
    )
    .advise("let only one process enumerate a pipeline at a time")
}
