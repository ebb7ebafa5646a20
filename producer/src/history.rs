//! What is known of a run beside its ledger: how many records it will be about, and what it spent: calls, bytes of images and failures by
//! reason, of the process that enumerated it while it did, and of the workers until the next run began. A run that was gone on
//! with has the sum.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use shared::failure::{DEFECT, Failure};
use shared::fleet::{SPENT, add_spent};
use shared::record::{PipelineName, RunId};
use shared::state::{Run, RunSummary, State};
use shared::telemetry::Spent;

/// Every so many runs, what is about runs that the history has forgotten is forgotten too.
const TIDY: u64 = 50;

/// Adds to what the run spent, and forgets runs that began longer ago than `keep`.
///
/// # Errors
/// The state's.
pub async fn add(state: &State, run: &Run, spent: &Spent, keep: Duration) -> Result<(), Failure> {
    add_spent(state, run.id, spent).await?;
    let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
    if let Ok(before) = state.now().await?.checked_sub(keep) {
        state.forget_runs(&run.pipeline, before).await?;
    }
    if run.id.0.is_multiple_of(TIDY) { tidy(state).await } else { Ok(()) }
}

/// How many records a run will be about, as the source said when it began; of each pipeline the newest run's.
#[derive(Serialize, Deserialize)]
struct Expected {
    run: RunId,
    records: u64,
}

/// Notes it. 0 is not noted: the source does not know.
///
/// # Errors
/// The state's.
pub async fn expect(state: &State, run: &Run, records: u64) -> Result<(), Failure> {
    if records == 0 {
        return Ok(());
    }
    let text = serde_json::to_string(&Expected { run: run.id, records }).map_err(|error| {
        Failure::configuration("what a run expects cannot be written").advise(DEFECT).because(error)
    })?;
    state.set_memo(&expected_name(&run.pipeline), Some(&text)).await
}

/// How many records the run will be about; `None` where nobody said so.
///
/// # Errors
/// The state's.
pub async fn expected(state: &State, run: &RunSummary) -> Result<Option<u64>, Failure> {
    let memo = state.memo(&expected_name(&run.pipeline)).await?;
    let known: Option<Expected> = memo.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Ok(known.filter(|known| known.run == run.id).map(|known| known.records))
}

fn expected_name(pipeline: &PipelineName) -> String {
    format!("expected/{pipeline}")
}

async fn tidy(state: &State) -> Result<(), Failure> {
    for (name, _) in state.memos(SPENT).await? {
        let run = name.strip_prefix(SPENT).and_then(|number| number.parse().ok()).map(RunId);
        if let Some(run) = run
            && state.run(run).await?.is_none()
        {
            state.set_memo(&name, None).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::checksum::Checksum;
    use shared::fleet::spent_of;
    use shared::state::{Binding, NewRun, RunEnd, RunKind, Window};

    const KEEP: Duration = Duration::from_hours(24);

    async fn run(state: &State) -> Run {
        let binding = Binding {
            source: "a".to_owned(),
            sink: "b".to_owned(),
            mapping: Checksum::of_value(&serde_json::Value::Null),
        };
        let window = Window { start: None, end: jiff::Timestamp::now() };
        let pipeline = "items".parse().unwrap();
        let new = NewRun { pipeline, kind: RunKind::Full, window, binding, force: false, reset: false };
        let run = state.begin_run(&new).await.unwrap();
        state.finish_run(&run, &RunEnd::Complete).await.unwrap();
        run
    }

    #[tokio::test]
    async fn what_is_spent_is_summed_up_and_goes_with_the_history() {
        let state = State::open_memory().await.unwrap();
        let mut spent = Spent::default();
        spent.calls.insert("odoo".to_owned(), 3);
        let first = run(&state).await;
        assert_eq!(spent_of(&state, first.id).await.unwrap(), None);
        add(&state, &first, &spent, KEEP).await.unwrap();
        add(&state, &first, &spent, KEEP).await.unwrap();
        assert_eq!(spent_of(&state, first.id).await.unwrap().unwrap().calls["odoo"], 6);
        let last = loop {
            let run = run(&state).await;
            if run.id.0.is_multiple_of(TIDY) {
                break run;
            }
        };
        add(&state, &last, &spent, KEEP).await.unwrap();
        assert!(spent_of(&state, first.id).await.unwrap().is_some(), "it is younger than a day");
        tokio::time::sleep(Duration::from_millis(5)).await;
        add(&state, &last, &spent, Duration::ZERO).await.unwrap();
        assert_eq!(state.runs(None, 100).await.unwrap(), []);
        assert_eq!(spent_of(&state, first.id).await.unwrap(), None);
    }
}
