//! Sending one change for many rows: what is refused is taken apart, what conflicts is sent again, what may or may not have
//! been done says so.

use std::collections::BTreeSet;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use serde_json::Value;
use shared::failure::{Class, Failure, Reason};
use shared::odoo::{LoadAnswer, OdooClient, Row};

use super::split::Split;

/// Times that a part is sent again after Odoo could not keep it apart from someone else's change.
const CONFLICTS: usize = 4;

/// The same change for several rows of a batch.
#[derive(Debug)]
pub(super) struct Change {
    /// Which rows of the batch, in the order of what follows.
    pub(super) rows: Vec<usize>,
    pub(super) what: What,
}

/// What is sent.
#[derive(Debug)]
pub(super) enum What {
    /// Other values for each row, one list of cells per row.
    Load { headings: Vec<String>, cells: Vec<Vec<Value>> },
    /// The same values for all records.
    Write { ids: Vec<i64>, values: Row },
    /// A method of the records without arguments.
    Action { method: &'static str, ids: Vec<i64> },
}

/// How a change ended.
#[derive(Debug)]
pub(super) struct Applied {
    /// By row of the batch: the record's id, or why it was not written.
    pub(super) answers: Vec<(usize, Result<i64, Failure>)>,
    /// The failure of the system that ended it early. Nothing more should be sent.
    pub(super) stopped: Option<Failure>,
}

/// Why a part was not taken.
enum Refusal {
    /// Values are at fault: of these positions, or nobody knows of which.
    Values(BTreeSet<usize>, Failure),
    /// Someone else changed the same records at the same time; nothing was done.
    Conflict(Failure),
    /// The system is at fault, and what has become of the part may be unknown.
    System(Failure),
}

impl Change {
    /// Sends it in parts of at most `size` rows. Whatever happens, every row has an answer.
    pub(super) async fn apply(&self, client: &OdooClient, model: &str, size: usize) -> Applied {
        let mut split = Split::new(self.rows.len(), size);
        let mut answers = Vec::with_capacity(self.rows.len());
        while let Some(part) = split.next() {
            match self.send(client, model, &part).await {
                Ok(ids) => answers.extend(self.numbered(&part).zip(ids.into_iter().map(Ok))),
                Err(Refusal::Values(reported, failure)) => {
                    if let Some(row) = split.refused(&part, &reported) {
                        answers.extend(self.numbered(&[row]).map(|row| (row, Err(gone(&failure)))));
                    }
                }
                Err(Refusal::Conflict(failure)) => {
                    answers.extend(self.numbered(&part).map(|row| (row, Err(failure.clone()))));
                }
                Err(Refusal::System(failure)) => {
                    let unknown = outcome_unknown(&failure);
                    answers.extend(self.numbered(&part).map(|row| (row, Err(unknown.clone()))));
                    while let Some(part) = split.next() {
                        answers.extend(self.numbered(&part).map(|row| (row, Err(not_sent(&failure)))));
                    }
                    return Applied { answers, stopped: Some(failure) };
                }
            }
        }
        Applied { answers, stopped: None }
    }

    fn numbered(&self, part: &[usize]) -> impl Iterator<Item = usize> {
        part.iter().filter_map(|position| self.rows.get(*position).copied())
    }

    /// Sends a part, and again while it conflicts.
    async fn send(&self, client: &OdooClient, model: &str, part: &[usize]) -> Result<Vec<i64>, Refusal> {
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_times(CONFLICTS)
            .with_jitter()
            .build();
        loop {
            let refusal = match self.send_once(client, model, part).await {
                Err(Refusal::Conflict(failure)) => failure,
                answer => return answer,
            };
            let Some(wait) = waits.next() else {
                return Err(Refusal::Conflict(refusal));
            };
            tracing::debug!(failure = %refusal, ?wait, rows = part.len(), "a change is sent again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn send_once(&self, client: &OdooClient, model: &str, part: &[usize]) -> Result<Vec<i64>, Refusal> {
        match &self.what {
            What::Load { headings, cells } => {
                let rows: Vec<Vec<Value>> = picked(cells, part);
                let answer = client.load(model, headings, &rows).await.map_err(Refusal::of)?;
                loaded(answer, part.len())
            }
            What::Write { ids, values } => {
                let ids = picked(ids, part);
                client.write(model, &ids, values).await.map_err(Refusal::of)?;
                Ok(ids)
            }
            What::Action { method, ids } => {
                let ids = picked(ids, part);
                client.action(model, method, &ids).await.map_err(Refusal::of)?;
                Ok(ids)
            }
        }
    }
}

fn picked<T: Clone>(all: &[T], part: &[usize]) -> Vec<T> {
    part.iter().filter_map(|position| all.get(*position).cloned()).collect()
}

impl Refusal {
    /// Of a call that failed as a whole.
    fn of(failure: Failure) -> Self {
        match (failure.class, failure.reason) {
            (Class::Permanent, _) => Self::Values(BTreeSet::new(), failure),
            (Class::Transient, Reason::Conflict) => Self::Conflict(failure),
            _ => Self::System(failure),
        }
    }
}

/// The ids of an answer of `load`, or whom it blames.
fn loaded(answer: LoadAnswer, rows: usize) -> Result<Vec<i64>, Refusal> {
    if let Some(ids) = answer.ids.filter(|ids| ids.len() == rows && ids.iter().all(|id| *id > 0)) {
        return Ok(ids);
    }
    let mut reported = BTreeSet::new();
    let mut first: Option<Failure> = None;
    for message in answer.messages {
        let Some(failure) = message.failure else { continue };
        match Refusal::of(failure) {
            Refusal::Values(_, failure) => {
                reported.extend(message.record.filter(|record| *record < rows));
                first.get_or_insert(failure);
            }
            other => return Err(other),
        }
    }
    Err(match first {
        Some(failure) => Refusal::Values(reported, failure),
        None => Refusal::System(
            Failure::transient(Reason::Protocol, "Odoo took a batch in without telling what became of it")
                .advise("check that no customised module changes `load`"),
        ),
    })
}

/// A record that is not there any more was deleted since its id was looked up: the next attempt makes it anew.
fn gone(failure: &Failure) -> Failure {
    let is_gone = failure.reason == Reason::Missing || failure.what().contains("Unknown database identifier");
    if is_gone {
        return Failure::transient(Reason::Missing, "the record was deleted in Odoo just now")
            .because(failure.clone());
    }
    failure.clone()
}

/// A failure of a call that Odoo may have carried out nevertheless.
pub(super) fn outcome_unknown(failure: &Failure) -> Failure {
    if failure.class != Class::Transient {
        return failure.clone();
    }
    Failure::transient(failure.reason, format!("outcome unknown: {}", failure.what()))
        .because(failure.clone())
        .advise("it is tried again, after a look at what Odoo has")
}

/// For rows that were not sent after such a failure.
pub(super) fn not_sent(failure: &Failure) -> Failure {
    let unsent = Failure::new(failure.class, failure.reason, format!("not sent: {}", failure.what()));
    let unsent = match failure.advice() {
        Some(advice) => unsent.advise(advice),
        None => unsent,
    };
    match failure.retry_after {
        Some(wait) => unsent.after(wait),
        None => unsent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::odoo::LoadMessage;

    fn message(record: Option<usize>, failure: Option<Failure>) -> LoadMessage {
        LoadMessage { record, field: None, text: String::new(), failure }
    }

    fn bad() -> Failure {
        Failure::permanent(Reason::BadRecord, "bad")
    }

    fn refused(messages: Vec<LoadMessage>) -> Refusal {
        loaded(LoadAnswer { ids: None, messages, nextrow: 0 }, 5).unwrap_err()
    }

    #[test]
    fn blame_is_read_from_the_messages() {
        let warning = message(Some(0), None);
        let Refusal::Values(reported, _) = refused(vec![
            warning,
            message(Some(3), Some(bad())),
            message(Some(9), Some(bad())),
            message(None, Some(bad())),
        ]) else {
            panic!("values are at fault")
        };
        assert_eq!(reported, BTreeSet::from([3]));
    }

    #[test]
    fn conflict_of_one_row_is_no_fault_of_another() {
        let conflict = Failure::transient(Reason::Conflict, "busy");
        let refusal = refused(vec![message(Some(1), Some(bad())), message(Some(2), Some(conflict))]);
        assert!(matches!(refusal, Refusal::Conflict(_)));
        let rights = Failure::systemic(Reason::Rights, "not allowed");
        assert!(matches!(refused(vec![message(Some(2), Some(rights))]), Refusal::System(_)));
    }

    #[test]
    fn refusal_without_a_reason_is_the_system_s() {
        assert!(matches!(refused(Vec::new()), Refusal::System(_)));
        let short = LoadAnswer { ids: Some(vec![1]), messages: Vec::new(), nextrow: 0 };
        assert!(matches!(loaded(short, 2), Err(Refusal::System(_))));
    }

    #[test]
    fn deleted_record_is_tried_again() {
        let failure = bad();
        assert_eq!(gone(&failure).class, Class::Permanent);
        let failure =
            Failure::permanent(Reason::BadRecord, "Odoo refuses the record: Unknown database identifier '9'");
        assert_eq!((gone(&failure).class, gone(&failure).reason), (Class::Transient, Reason::Missing));
    }

    #[test]
    fn unknown_outcome_is_said() {
        let failure = outcome_unknown(&Failure::transient(Reason::Timeout, "no answer"));
        assert_eq!(failure.what(), "outcome unknown: no answer");
        assert_eq!(outcome_unknown(&bad()).what(), "bad");
    }
}
