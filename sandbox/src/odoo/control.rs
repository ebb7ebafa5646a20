//! Everything a test may do to a running server besides calling it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::odoo::counters::{Counters, Counts};
use crate::odoo::edit::{Edit, EditError, model_id, parse};
use crate::odoo::fault::FaultRule;
use crate::odoo::render::Shape;
use crate::odoo::schema::{ModelId, model};
use crate::odoo::stamp::Stamp;
use crate::odoo::state::State;

/// A transaction that has begun and is not yet committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TransactionId(u64);

/// What a transaction will do once it is committed.
#[derive(Debug)]
pub(crate) struct Pending {
    stamp: Stamp,
    edits: Vec<Edit>,
    reserved: Vec<(ModelId, i64)>,
}

/// The controls of one server; a clone controls the same server.
#[derive(Debug, Clone)]
pub struct Control {
    state: Arc<State>,
}

impl Control {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// What was asked of the server since its start or the last reset.
    pub fn counts(&self) -> Counts {
        self.state.counters().snapshot()
    }

    /// Sets all counters to zero.
    pub fn reset_counts(&self) {
        *self.state.counters() = Counters::default();
    }

    /// The server's present, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub fn now(&self) -> String {
        self.state.clock.now().to_string()
    }

    /// Moves the clock forward.
    pub fn advance_clock(&self, by: Duration) {
        self.state.clock.shift(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
    }

    /// Lets the clock run on from a point in time, `YYYY-MM-DD HH:MM:SS[.ffffff]` in UTC.
    pub fn set_clock(&self, now: &str) -> Result<(), EditError> {
        self.state.clock.set(parse(now)?);
        Ok(())
    }

    /// Stops the clock at a point in time: every transaction then has the same stamp.
    pub fn freeze_clock(&self, now: &str) -> Result<(), EditError> {
        self.state.clock.freeze(parse(now)?);
        Ok(())
    }

    /// Back to real, running time.
    pub fn reset_clock(&self) {
        self.state.clock.reset();
    }

    /// Makes edits in one transaction and commits it at once. Answers the ids of created records, in order.
    pub fn edit(&self, edits: Vec<Edit>) -> Result<Vec<i64>, EditError> {
        let stamp = self.state.clock.now();
        self.apply(Pending { stamp, edits, reserved: Vec::new() })
    }

    /// Begins a transaction now and makes edits nobody sees until [`Control::commit`]. Created records already have
    /// their ids, and every stamp will be of now, as with a slow transaction in a real database.
    pub fn begin(&self, edits: Vec<Edit>) -> Result<TransactionId, EditError> {
        let stamp = self.state.clock.now();
        let mut database = self.state.database();
        let mut reserved = Vec::new();
        for edit in &edits {
            if let Edit::Create { model, .. } = edit {
                let model = model_id(&database, model)?;
                reserved.push((model, database.table_mut(model).next_id()));
            }
        }
        drop(database);
        let id = self.state.serial();
        self.state.pending().insert(id, Pending { stamp, edits, reserved });
        Ok(TransactionId(id))
    }

    /// Commits a transaction begun before; its records appear with the stamp of its beginning.
    pub fn commit(&self, transaction: TransactionId) -> Result<Vec<i64>, EditError> {
        let pending = self.state.pending().remove(&transaction.0);
        self.apply(pending.ok_or_else(|| EditError::new("no such transaction"))?)
    }

    fn apply(&self, pending: Pending) -> Result<Vec<i64>, EditError> {
        let mut database = self.state.database();
        database.begin(pending.stamp, 2);
        database.reserve(pending.reserved);
        let mut ids = Vec::new();
        for edit in pending.edits {
            match edit.apply(&mut database) {
                Ok(id) => ids.extend(id),
                Err(error) => {
                    database.rollback(0);
                    return Err(error);
                }
            }
        }
        Ok(ids)
    }

    /// All records of a model with all their stored fields, ascending by id; archived ones too.
    pub fn rows(&self, model: &str) -> Result<Vec<Json>, EditError> {
        let database = self.state.database();
        let model = model_id(&database, model)?;
        let fields = database.field_ids(model, None)?;
        let shape = Shape { bin_size: true };
        let ids: Vec<i64> = database.table(model).ids(i64::MIN, i64::MAX).collect();
        Ok(ids.into_iter().map(|id| database.record(model, id, &fields, shape)).collect())
    }

    /// One record with the named fields; nothing when it does not exist. Its `write_date` has microseconds.
    pub fn row(&self, model: &str, id: i64, fields: &[&str]) -> Result<Option<Json>, EditError> {
        let database = self.state.database();
        let model = model_id(&database, model)?;
        if !database.exists(model, id) {
            return Ok(None);
        }
        let names: Vec<Json> = fields.iter().map(|field| Json::from(*field)).collect();
        let fields = database.field_ids(model, Some(&Json::Array(names)))?;
        let mut row = database.record(model, id, &fields, Shape { bin_size: false });
        let written = database.named(model, id, "write_date").as_stamp();
        if let (Some(shown), Some(stamp)) = (row.get_mut("write_date"), written) {
            *shown = Json::String(stamp.with_micros());
        }
        Ok(Some(row))
    }

    /// A text of a record as it shows in a language; nothing where the field is empty.
    ///
    /// # Errors
    /// A model that there is not, or a language that is not installed.
    pub fn text_in(
        &self,
        lang: &str,
        model: &str,
        id: i64,
        field: &str,
    ) -> Result<Option<String>, EditError> {
        let mut database = self.state.database();
        let model = model_id(&database, model)?;
        database.speak(Some(lang))?;
        let text = database.text(model, id, field).map(Into::into);
        database.lang = None;
        Ok(text)
    }

    /// All ids of a model, ascending; archived records too.
    pub fn ids(&self, model: &str) -> Result<Vec<i64>, EditError> {
        let database = self.state.database();
        let model = model_id(&database, model)?;
        Ok(database.table(model).ids(i64::MIN, i64::MAX).collect())
    }

    /// The external ids (`module.name`) of a model's records.
    pub fn external_ids(&self, model: &str) -> BTreeMap<String, i64> {
        let database = self.state.database();
        let rows = database.index.external.values();
        rows.filter(|row| database.text(model::DATA, **row, "model").as_deref() == Some(model))
            .map(|row| {
                let target = database.named(model::DATA, *row, "res_id").as_int().unwrap_or(0);
                (database.display_name(model::DATA, *row), target)
            })
            .collect()
    }

    /// Orders a fault.
    pub fn fault(&self, rule: FaultRule) {
        self.state.faults().add(rule);
    }

    /// Withdraws all faults that have not happened.
    pub fn clear_faults(&self) {
        self.state.faults().clear();
    }

    /// The faults that have not all happened yet.
    pub fn pending_faults(&self) -> Vec<FaultRule> {
        self.state.faults().pending()
    }

    /// Calls befallen by [`Fault::WorkLate`](crate::Fault::WorkLate) or
    /// [`Fault::HangAndWorkLate`](crate::Fault::HangAndWorkLate) whose work is still to be done.
    pub fn late_calls(&self) -> usize {
        self.state.late().load(Ordering::SeqCst)
    }

    /// The work of late calls is done now, whatever time they had.
    pub fn hurry(&self) {
        self.state.hurry().send_replace(());
    }

    /// Ends all sessions.
    pub(crate) fn expire_sessions(&self) {
        self.state.sessions().clear();
    }
}
