//! The row of a pipeline: its head, its binding and its cursor.

use rusqlite::{Connection, OptionalExtension, params};

use super::failure::StoreError;
use crate::record::PipelineName;
use crate::state::rules::{Head, taken_over};
use crate::state::{Binding, Counts, ImageCounts, OpenRun, PipelineState, Run};

/// A pipeline inside a transaction; its head is written back once at the end.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) id: i64,
    pub(super) head: Head,
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
                let images = ImageCounts {
                    wanted: row.get(9)?,
                    applied: row.get(10)?,
                    outstanding: row.get(11)?,
                    dead: row.get(12)?,
                };
                let counts = Counts {
                    wanted: row.get(5)?,
                    applied: row.get(6)?,
                    outstanding: row.get(7)?,
                    dead: row.get(8)?,
                    images,
                };
                let head = Head {
                    epoch: row.get(1)?,
                    sequence: row.get(2)?,
                    floor: row.get(3)?,
                    open: row.get(4)?,
                    counts,
                };
                Ok(Self { id: row.get(0)?, head })
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
        Ok(Self { id: connection.last_insert_rowid(), head: Head::default() })
    }

    /// The pipeline of a run whose producer is still the newest.
    pub(super) fn of_run(connection: &Connection, run: &Run) -> Result<Self, StoreError> {
        let pipeline = Self::find(connection, &run.pipeline)?.ok_or_else(|| taken_over(run))?;
        pipeline.head.check(run)?;
        Ok(pipeline)
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
                self.head.epoch,
                self.head.sequence,
                self.head.floor,
                self.head.open,
                self.head.counts.wanted,
                self.head.counts.applied,
                self.head.counts.outstanding,
                self.head.counts.dead,
                self.head.counts.images.wanted,
                self.head.counts.images.applied,
                self.head.counts.images.outstanding,
                self.head.counts.images.dead,
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
             r.id, r.kind, r.window_start, r.window_end, r.position, r.force \
             FROM pipeline p LEFT JOIN run r ON r.id = p.open_run WHERE p.name = ?1 AND p.source IS NOT NULL",
        )?
        .query_row([name], |row| {
            let open = match row.get(5)? {
                Some(id) => Some(OpenRun {
                    id,
                    kind: row.get(6)?,
                    window: super::run::window(row, 7)?,
                    position: row.get(9)?,
                    force: row.get(10)?,
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
