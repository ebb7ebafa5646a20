//! The history of runs: read, and forgotten by its age.

use jiff::Timestamp;

use super::RedisState;
use super::commit::Commit;
use super::run_fields::Fields;
use crate::failure::Failure;
use crate::record::{PipelineName, RunId};
use crate::state::RunSummary;

/// Runs that are forgotten at once.
const FORGOTTEN: usize = 100;

impl RedisState {
    pub(in crate::state) async fn run(&self, id: RunId) -> Result<Option<RunSummary>, Failure> {
        self.run_fields(id).await?.map(|fields| fields.summary(id)).transpose()
    }

    /// One that is pruned while they are read is left out.
    pub(in crate::state) async fn runs(
        &self,
        name: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<RunSummary>, Failure> {
        let last = i64::try_from(limit).unwrap_or(i64::MAX) - 1;
        if last < 0 {
            return Ok(Vec::new());
        }
        let order = name.map_or_else(|| self.keys.runs(), |name| self.keys.runs_of(name));
        let mut commands = redis::pipe();
        commands.cmd("ZREVRANGE").arg(order).arg(0).arg(last);
        let ids: Vec<u64> = self.link.ask(&commands).await?.next()?;
        let mut commands = redis::pipe();
        for id in &ids {
            commands.cmd("HGETALL").arg(self.keys.run(RunId(*id)));
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = self.link.ask(&commands).await?;
        let mut runs = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(fields) = Fields::of(&mut answers)? {
                runs.push(fields.summary(RunId(id))?);
            }
        }
        Ok(runs)
    }

    /// Oldest first. What is gone already is gone: no conflict matters.
    pub(in crate::state) async fn forget_runs(
        &self,
        name: &PipelineName,
        before: Timestamp,
    ) -> Result<(), Failure> {
        let order = self.keys.runs_of(name);
        let (_, row) = self.head(name).await?;
        loop {
            let mut commands = redis::pipe();
            commands.cmd("ZRANGE").arg(&order).arg(0).arg(FORGOTTEN - 1);
            let oldest: Vec<u64> = self.link.ask(&commands).await?.next()?;
            let mut commit = Commit::default();
            let mut forgotten = 0;
            for run in oldest.into_iter().map(RunId).filter(|run| row.head.open != Some(*run)) {
                let started = match self.run_fields(run).await? {
                    Some(fields) => fields.time("started")?,
                    None => None,
                };
                if started.is_some_and(|started| started >= before) {
                    break;
                }
                self.forget(&mut commit, name, run);
                forgotten += 1;
            }
            if forgotten > 0 {
                self.commit(&commit).await?;
            }
            if forgotten < FORGOTTEN {
                return Ok(());
            }
        }
    }

    pub(super) fn forget(&self, commit: &mut Commit, name: &PipelineName, run: RunId) {
        commit.remove(&self.keys.run(run));
        commit.remove(&self.keys.places(run));
        commit.unindex(&self.keys.runs(), run.to_string());
        commit.unindex(&self.keys.runs_of(name), run.to_string());
    }

    pub(super) async fn run_fields(&self, id: RunId) -> Result<Option<Fields>, Failure> {
        let mut commands = redis::pipe();
        commands.cmd("HGETALL").arg(self.keys.run(id));
        Fields::of(&mut self.link.ask(&commands).await?)
    }
}
