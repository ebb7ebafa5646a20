//! Runs: begin, go on, pass pages, end.

use jiff::Timestamp;
use serde::Serialize;

use super::RedisState;
use super::answers::{damaged, number};
use super::commit::{Commit, Committed};
use super::head::{HeadRow, TOTALS};
use super::keys;
use super::run_fields::Fields;
use super::work::contended;
use crate::failure::Failure;
use crate::record::{PipelineName, RunId};
use crate::state::rules::taken_over;
use crate::state::{Binding, Counts, NewRun, OpenRun, Page, PipelineState, Run, RunEnd, RunKind, RunSummary};

/// Most runs that are kept per pipeline: more than a hundred days of one every quarter of an hour.
#[cfg(not(test))]
const HISTORY: i64 = 10_000;
#[cfg(test)]
const HISTORY: i64 = 1_000;

/// How often a call begins anew because others changed what it had read.
const CONFLICTS: u32 = 20;

impl RedisState {
    pub(in crate::state) async fn pipeline(
        &self,
        name: &PipelineName,
    ) -> Result<Option<PipelineState>, Failure> {
        let mut commands = redis::pipe();
        commands.cmd("HGETALL").arg(self.keys.head(name));
        let fields = Fields(self.link.ask(&commands).await?.next()?);
        let (Some(source), Some(sink)) = (fields.text("source"), fields.text("sink")) else {
            return Ok(None);
        };
        let open = match fields.text("open") {
            Some(id) => self.open_run(RunId(number(Some(id))?)).await?,
            None => None,
        };
        let mapping = fields.text("mapping").and_then(|mapping| mapping.parse().ok());
        Ok(Some(PipelineState {
            binding: Binding {
                source: source.to_owned(),
                sink: sink.to_owned(),
                mapping: mapping.ok_or_else(|| damaged("a mapping's checksum"))?,
            },
            cursor: fields.time("cursor")?,
            last_full: fields.time("last_full")?,
            open,
        }))
    }

    async fn open_run(&self, id: RunId) -> Result<Option<OpenRun>, Failure> {
        let Some(fields) = self.run_fields(id).await? else {
            return Ok(None);
        };
        let position = fields.text("position").map(str::to_owned);
        let (kind, force) = (fields.json("kind")?, fields.json("force")?);
        Ok(Some(OpenRun { id, kind, window: fields.window()?, position, force }))
    }

    pub(in crate::state) async fn begin_run(&self, new: &NewRun) -> Result<Run, Failure> {
        for conflicts in 0..CONFLICTS {
            let (now, row) = self.head(&new.pipeline).await?;
            // After the pipeline was read: whoever begins later has a higher number.
            let id = self.next_run(now).await?;
            let is_reset = new.reset || (!row.is_bound && row.head.counts != Counts::default());
            let mut commit = Commit::at(now);
            let epoch = self.beginning(&mut commit, new, id, now, &row, is_reset);
            self.keep_history(&mut commit, &new.pipeline, is_reset).await?;
            match self.commit(&commit).await? {
                Committed::Done => {}
                Committed::Conflict => {
                    self.step_aside(conflicts).await;
                    continue;
                }
            }
            // The run has begun; what is left over is removed by the next one that begins.
            if let Err(failure) = self.sweep().await {
                tracing::warn!(%failure, "what was forgotten is not removed from Redis yet");
            }
            let NewRun { pipeline, kind, window, force, .. } = new.clone();
            return Ok(Run { id, pipeline, kind, window, force, epoch, position: None, pages: 0 });
        }
        Err(contended())
    }

    /// Numbers count up for ever, also over a wiped state: jobs of runs that are not known any more must not be counted in
    /// the ledger of another one. So the first is the clock's, in milliseconds.
    async fn next_run(&self, now: Timestamp) -> Result<RunId, Failure> {
        let counters = self.keys.counters();
        let mut commands = redis::pipe();
        commands.cmd("HSETNX").arg(&counters).arg("run").arg(now.as_millisecond()).ignore();
        commands.cmd("HINCRBY").arg(&counters).arg("run").arg(1);
        Ok(RunId(self.link.ask(&commands).await?.next()?))
    }

    /// The pipeline and its new run; the answer is the epoch.
    fn beginning(
        &self,
        commit: &mut Commit,
        new: &NewRun,
        id: RunId,
        now: Timestamp,
        row: &HeadRow,
        is_reset: bool,
    ) -> u64 {
        let place = self.keys.head(&new.pipeline);
        row.expect(commit, &place, &["generation", "epoch", "floor", "open", "source"]);
        if !row.is_bound {
            row.expect(commit, &place, &TOTALS);
        }
        if let Some(open) = row.head.open {
            let run = self.keys.run(open);
            // One that failed before keeps its own words.
            commit.set_once(&run, "ended", &now.to_string());
            commit.set_once(&run, "outcome", &json(&RunEnd::Interrupted));
            commit.set_once(&run, "over", "left");
            commit.close(&self.keys, open);
        }
        let mut head = row.head.clone();
        head.begin_epoch(now);
        if is_reset {
            head.reset();
            commit.set(&place, "floor", head.floor.to_string());
            commit.set(&place, "generation", (row.generation + 1).to_string());
            commit.note(&self.keys.garbage(), keys::forgotten(&new.pipeline, row.generation));
            for field in TOTALS.into_iter().chain(["cursor", "last_full"]) {
                commit.unset(&place, field);
            }
        }
        let Binding { source, sink, mapping } = &new.binding;
        for (field, text) in [
            ("epoch", head.epoch.to_string()),
            ("sequence", head.sequence.to_string()),
            ("open", id.to_string()),
            ("source", source.clone()),
            ("sink", sink.clone()),
            ("mapping", mapping.to_string()),
        ] {
            commit.set(&place, field, text);
        }
        let run = self.keys.run(id);
        for (field, text) in [
            ("pipeline", new.pipeline.to_string()),
            ("kind", json(&new.kind)),
            ("window", json(&new.window)),
            ("force", json(&new.force)),
            ("started", now.to_string()),
            ("enqueued", "0".to_owned()),
        ] {
            commit.set(&run, field, text);
        }
        let score = i64::try_from(id.0).unwrap_or(i64::MAX);
        commit.index(&self.keys.runs(), score, id.to_string());
        commit.index(&self.keys.runs_of(&new.pipeline), score, id.to_string());
        head.epoch
    }

    /// The history is kept from growing for ever. A run that begins meanwhile is a conflict.
    async fn keep_history(
        &self,
        commit: &mut Commit,
        name: &PipelineName,
        is_reset: bool,
    ) -> Result<(), Failure> {
        let order = self.keys.runs_of(name);
        let mut commands = redis::pipe();
        // All but the newest that are kept beside the new one; and all, where nothing more will be heard of their jobs.
        commands.cmd("ZRANGE").arg(&order).arg(0).arg(-HISTORY);
        commands.cmd("ZRANGE").arg(&order).arg(0).arg(if is_reset { -1 } else { -HISTORY });
        let mut answers = self.link.ask(&commands).await?;
        let surplus: Vec<u64> = answers.next()?;
        let superseded: Vec<u64> = answers.next()?;
        for run in superseded.into_iter().skip(surplus.len()).map(RunId) {
            commit.supersede(&self.keys, run);
        }
        for run in surplus.into_iter().map(RunId) {
            self.forget(commit, name, run);
        }
        Ok(())
    }

    pub(in crate::state) async fn resume_run(&self, name: &PipelineName) -> Result<Option<Run>, Failure> {
        for conflicts in 0..CONFLICTS {
            let (now, row) = self.head(name).await?;
            let Some(id) = row.head.open else {
                return Ok(None);
            };
            let Some(fields) = self.run_fields(id).await? else {
                return Ok(None);
            };
            let mut head = row.head.clone();
            head.begin_epoch(now);
            let (mut commit, place) = (Commit::at(now), self.keys.head(name));
            row.expect(&mut commit, &place, &["generation", "epoch", "open"]);
            commit.expect(&self.keys.run(id), "pages", fields.text("pages").map(str::as_bytes));
            commit.set(&place, "epoch", head.epoch.to_string());
            commit.set(&place, "sequence", head.sequence.to_string());
            commit.unset(&self.keys.run(id), "ended");
            commit.unset(&self.keys.run(id), "outcome");
            if self.commit(&commit).await? == Committed::Conflict {
                self.step_aside(conflicts).await;
                continue;
            }
            return Ok(Some(Run {
                id,
                pipeline: name.clone(),
                kind: fields.json("kind")?,
                window: fields.window()?,
                force: fields.json("force")?,
                epoch: head.epoch,
                position: fields.text("position").map(str::to_owned),
                pages: fields.number("pages")?,
            }));
        }
        Err(contended())
    }

    pub(in crate::state) async fn advance(&self, run: &Run, page: &Page) -> Result<(), Failure> {
        for conflicts in 0..CONFLICTS {
            let (now, row) = self.head(&run.pipeline).await?;
            row.head.check(run)?;
            let Some(fields) = self.run_fields(run.id).await? else {
                return Err(taken_over(run));
            };
            if fields.number("pages")? >= page.number {
                return Ok(());
            }
            let (mut commit, place) = (Commit::at(now), self.keys.run(run.id));
            row.expect(&mut commit, &self.keys.head(&run.pipeline), &["generation", "epoch"]);
            commit.expect(&place, "pages", fields.text("pages").map(str::as_bytes));
            commit.set(&place, "pages", page.number.to_string());
            commit.set(&place, "position", &page.position);
            commit.add(&place, "unchanged_at_source", i64::try_from(page.unchanged).unwrap_or(i64::MAX));
            commit.add(&place, "dead_at_source", i64::try_from(page.dead).unwrap_or(i64::MAX));
            match self.commit(&commit).await? {
                Committed::Done => return Ok(()),
                Committed::Conflict => self.step_aside(conflicts).await,
            }
        }
        Err(contended())
    }

    pub(in crate::state) async fn finish_run(&self, run: &Run, end: &RunEnd) -> Result<RunSummary, Failure> {
        let gone = || taken_over(run);
        for conflicts in 0..CONFLICTS {
            let (now, row) = self.head(&run.pipeline).await?;
            if row.head.open != Some(run.id) {
                // Ended before: this call is a repetition, and a later run may have moved the cursor since.
                return self.run(run.id).await?.ok_or_else(gone);
            }
            row.head.check(run)?;
            let mut commit = Commit::at(now);
            self.ending(&mut commit, run, end, now, &row);
            match self.commit(&commit).await? {
                Committed::Done => return self.run(run.id).await?.ok_or_else(gone),
                Committed::Conflict => self.step_aside(conflicts).await,
            }
        }
        Err(contended())
    }

    fn ending(&self, commit: &mut Commit, run: &Run, end: &RunEnd, now: Timestamp, row: &HeadRow) {
        let (head, place) = (self.keys.head(&run.pipeline), self.keys.run(run.id));
        row.expect(commit, &head, &["generation", "epoch", "open"]);
        commit.set(&place, "ended", now.to_string());
        commit.set(&place, "outcome", json(end));
        if *end == RunEnd::Complete {
            commit.unset(&head, "open");
            if run.kind != RunKind::Chosen {
                commit.set(&head, "cursor", run.window.end.to_string());
            }
            if run.kind.is_whole() {
                commit.set(&head, "last_full", run.window.end.to_string());
            }
            commit.set(&place, "over", "complete");
            commit.close(&self.keys, run.id);
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("kinds, windows and ends have only text keys")
}
