//! What runs spent, kept in the state beside their ledgers: any process adds what it spent meanwhile.

use crate::failure::{DEFECT, Failure};
use crate::record::RunId;
use crate::state::State;
use crate::telemetry::Spent;

/// Names of what runs spent begin so.
pub const SPENT: &str = "spent/";

/// Adds to what a run spent.
///
/// # Errors
/// The state's.
pub async fn add_spent(state: &State, run: RunId, spent: &Spent) -> Result<(), Failure> {
    let name = name_of(run);
    loop {
        let before = state.memo(&name).await?;
        let sum = read(before.as_deref()).unwrap_or_default().plus(spent);
        let after = serde_json::to_string(&sum).map_err(|error| {
            Failure::configuration("what a run spent cannot be written").advise(DEFECT).because(error)
        })?;
        if state.swap_memo(&name, before.as_deref(), Some(&after)).await? {
            return Ok(());
        }
    }
}

/// What a run spent; `None` where nobody noted it.
///
/// # Errors
/// The state's.
pub async fn spent_of(state: &State, run: RunId) -> Result<Option<Spent>, Failure> {
    Ok(read(state.memo(&name_of(run)).await?.as_deref()))
}

fn name_of(run: RunId) -> String {
    format!("{SPENT}{run}")
}

fn read(text: Option<&str>) -> Option<Spent> {
    text.and_then(|text| serde_json::from_str(text).ok())
}
