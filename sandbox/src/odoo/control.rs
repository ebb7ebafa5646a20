//! Everything a test may do to a running server besides calling it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::odoo::counters::{Counters, Counts};
use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::fault::FaultRule;
use crate::odoo::render::Shape;
use crate::odoo::schema::{ModelId, model};
use crate::odoo::stamp::Stamp;
use crate::odoo::state::State;
use crate::odoo::value::Value;

/// A change made in the database itself, by somebody who is not the client under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// A new record; the server's rules apply, and so do its defaults.
    Create {
        /// The model, such as `product.template`.
        model: String,
        /// Field values as a `create` call takes them.
        values: Map<String, Json>,
        /// When it says it was written.
        #[serde(default)]
        write_date: WriteDate,
    },
    /// New values of a record.
    Update {
        /// The model.
        model: String,
        /// The record.
        id: i64,
        /// Field values as a `write` call takes them.
        values: Map<String, Json>,
        /// When it says it was written.
        #[serde(default)]
        write_date: WriteDate,
    },
    /// Archives a record, or brings it back, as the button does.
    Archive {
        /// The model.
        model: String,
        /// The record.
        id: i64,
        /// False archives.
        active: bool,
    },
    /// Deletes a record; its external ids go with it.
    Delete {
        /// The model.
        model: String,
        /// The record.
        id: i64,
    },
    /// Deletes a record as SQL would: its external ids stay and lead nowhere.
    DeleteRow {
        /// The model.
        model: String,
        /// The record.
        id: i64,
    },
    /// Gives a record an external id `module.name`.
    Name {
        /// The external id.
        external_id: String,
        /// The model.
        model: String,
        /// The record.
        id: i64,
    },
}

/// The `write_date` of an edited record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteDate {
    /// When the transaction began, as `PostgreSQL`'s `now()` gives it.
    #[default]
    Transaction,
    /// This point in time, `YYYY-MM-DD HH:MM:SS[.ffffff]` in UTC.
    At(String),
    /// None at all: the column is NULL.
    Empty,
}

/// An edit the server's rules do not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditError(String);

impl fmt::Display for EditError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for EditError {}

impl From<OdooError> for EditError {
    fn from(error: OdooError) -> Self {
        Self(format!("{}: {}", error.name, error.message))
    }
}

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
        self.state
            .clock
            .shift(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
    }

    /// Moves the clock back.
    pub fn set_back_clock(&self, by: Duration) {
        self.state
            .clock
            .shift(-i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
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
        self.apply(Pending {
            stamp,
            edits,
            reserved: Vec::new(),
        })
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
        self.state.pending().insert(
            id,
            Pending {
                stamp,
                edits,
                reserved,
            },
        );
        Ok(TransactionId(id))
    }

    /// Commits a transaction begun before; its records appear with the stamp of its beginning.
    pub fn commit(&self, transaction: TransactionId) -> Result<Vec<i64>, EditError> {
        let pending = self.state.pending().remove(&transaction.0);
        self.apply(pending.ok_or_else(|| EditError("no such transaction".to_owned()))?)
    }

    fn apply(&self, pending: Pending) -> Result<Vec<i64>, EditError> {
        let mut database = self.state.database();
        database.begin(pending.stamp, 2);
        database.reserve(pending.reserved);
        let mut ids = Vec::new();
        for edit in pending.edits {
            match apply(&mut database, edit) {
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
        Ok(ids
            .into_iter()
            .map(|id| database.record(model, id, &fields, shape))
            .collect())
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

    /// Ends all sessions.
    pub fn expire_sessions(&self) {
        self.state.sessions().clear();
    }
}

fn parse(text: &str) -> Result<Stamp, EditError> {
    Stamp::parse(text).ok_or_else(|| EditError(format!("{text} is no point in time")))
}

fn model_id(database: &Database, name: &str) -> Result<ModelId, EditError> {
    database
        .schema
        .id(name)
        .ok_or_else(|| EditError(format!("this server has no model {name}")))
}

fn apply(database: &mut Database, edit: Edit) -> Result<Option<i64>, EditError> {
    match edit {
        Edit::Create {
            model,
            values,
            write_date,
        } => {
            let model = model_id(database, &model)?;
            let id = database.create(model, &[values])?.first().copied();
            if let Some(id) = id {
                stamp(database, model, id, &write_date)?;
            }
            Ok(id)
        }
        Edit::Update {
            model,
            id,
            values,
            write_date,
        } => {
            let model = model_id(database, &model)?;
            database.write(model, &[id], &values)?;
            stamp(database, model, id, &write_date)?;
            Ok(None)
        }
        Edit::Archive { model, id, active } => {
            let model = model_id(database, &model)?;
            database.archive(model, &[id], active)?;
            Ok(None)
        }
        Edit::Delete { model, id } => {
            let model = model_id(database, &model)?;
            database.unlink(model, &[id])?;
            Ok(None)
        }
        Edit::DeleteRow { model, id } => {
            let model = model_id(database, &model)?;
            database.set(model, id, crate::odoo::table::Presence::Absent);
            Ok(None)
        }
        Edit::Name {
            external_id,
            model,
            id,
        } => {
            let model = model_id(database, &model)?;
            database.bind_external(&external_id, model, id)?;
            Ok(None)
        }
    }
}

fn stamp(database: &mut Database, model: ModelId, id: i64, date: &WriteDate) -> Result<(), EditError> {
    let value = match date {
        WriteDate::Transaction => return Ok(()),
        WriteDate::At(text) => Value::Stamp(parse(text)?),
        WriteDate::Empty => Value::Null,
    };
    let field = database.schema.model(model).write_date;
    database.set_columns(model, id, [(field, value)]);
    Ok(())
}
