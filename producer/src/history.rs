//! What is known of a run beside its ledger: how many records it will be about, and what it spent: calls, bytes of images and failures by reason, of the process that enumerated
//! it, while it did. A run that was gone on with has the sum.

use serde::{Deserialize, Serialize};
use shared::failure::Failure;
use shared::record::{PipelineName, RunId};
use shared::state::{Run, RunSummary, State};
use shared::telemetry::Spent;

/// Every so many runs, what is about runs that the history has forgotten is forgotten too.
const TIDY: u64 = 50;

/// Adds to what the run spent.
///
/// # Errors
/// The state's.
pub async fn add(state: &State, run: RunId, spent: &Spent) -> Result<(), Failure> {
    let name = name_of(run);
    loop {
        let before = state.memo(&name).await?;
        let sum = read(before.as_deref()).unwrap_or_default().plus(spent);
        let after = serde_json::to_string(&sum)
            .map_err(|error| Failure::configuration("what a run spent cannot be written").because(error))?;
        if state.swap_memo(&name, before.as_deref(), Some(&after)).await? {
            break;
        }
    }
    if run.0.is_multiple_of(TIDY) { tidy(state).await } else { Ok(()) }
}

/// What the run spent; `None` where nobody noted it.
///
/// # Errors
/// The state's.
pub async fn of(state: &State, run: RunId) -> Result<Option<Spent>, Failure> {
    Ok(read(state.memo(&name_of(run)).await?.as_deref()))
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
    let text = serde_json::to_string(&Expected { run: run.id, records })
        .map_err(|error| Failure::configuration("what a run expects cannot be written").because(error))?;
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
    for (name, _) in state.memos("spent/").await? {
        let run = name.strip_prefix("spent/").and_then(|number| number.parse().ok()).map(RunId);
        if let Some(run) = run
            && state.run(run).await?.is_none()
        {
            state.set_memo(&name, None).await?;
        }
    }
    Ok(())
}

fn name_of(run: RunId) -> String {
    format!("spent/{run}")
}

fn read(text: Option<&str>) -> Option<Spent> {
    text.and_then(|text| serde_json::from_str(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_spent_is_summed_up_and_goes_with_the_history() {
        let state = State::open_memory().await.unwrap();
        let mut spent = Spent::default();
        spent.calls.insert("odoo".to_owned(), 3);
        assert_eq!(of(&state, RunId(7)).await.unwrap(), None);
        add(&state, RunId(7), &spent).await.unwrap();
        add(&state, RunId(7), &spent).await.unwrap();
        assert_eq!(of(&state, RunId(7)).await.unwrap().unwrap().calls["odoo"], 6);
        add(&state, RunId(TIDY), &spent).await.unwrap();
        assert_eq!(of(&state, RunId(7)).await.unwrap(), None, "there is no such run in the history");
    }
}
