//! Changes made in the database itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::schema::ModelId;
use crate::odoo::stamp::Stamp;
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
    /// New values of a record in an installed language.
    Translate {
        /// The model.
        model: String,
        /// The record.
        id: i64,
        /// The language's code, such as `fr_FR`.
        lang: String,
        /// Field values as a `write` call takes them.
        values: Map<String, Json>,
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
    /// A record rule keeps these records of a model, and no others, from every user, the administrator too.
    RuleOut {
        /// The model.
        model: String,
        /// The records; none: all are seen again.
        ids: Vec<i64>,
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

impl EditError {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

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

impl Edit {
    /// Makes the edit; the id of a created record.
    pub(crate) fn apply(self, database: &mut Database) -> Result<Option<i64>, EditError> {
        match self {
            Self::Create { model, values, write_date } => {
                let model = model_id(database, &model)?;
                let id = database.create(model, &[values])?.first().copied();
                if let Some(id) = id {
                    stamp(database, model, id, &write_date)?;
                }
                Ok(id)
            }
            Self::Update { model, id, values, write_date } => {
                let model = model_id(database, &model)?;
                database.write(model, &[id], &values)?;
                stamp(database, model, id, &write_date)?;
                Ok(None)
            }
            Self::Translate { model, id, lang, values } => {
                let model = model_id(database, &model)?;
                database.speak(Some(&lang))?;
                let written = database.write(model, &[id], &values);
                database.lang = None;
                written?;
                Ok(None)
            }
            Self::Archive { model, id, active } => {
                let model = model_id(database, &model)?;
                database.archive(model, &[id], active)?;
                Ok(None)
            }
            Self::Delete { model, id } => {
                let model = model_id(database, &model)?;
                database.unlink(model, &[id])?;
                Ok(None)
            }
            Self::DeleteRow { model, id } => {
                let model = model_id(database, &model)?;
                database.set(model, id, crate::odoo::table::Presence::Absent);
                Ok(None)
            }
            Self::RuleOut { model, ids } => {
                let model = model_id(database, &model)?;
                database.ruled_out.retain(|(of, _)| *of != model);
                database.ruled_out.extend(ids.into_iter().map(|id| (model, id)));
                Ok(None)
            }
            Self::Name { external_id, model, id } => {
                let model = model_id(database, &model)?;
                database.bind_external(&external_id, model, id)?;
                Ok(None)
            }
        }
    }
}

pub(crate) fn parse(text: &str) -> Result<Stamp, EditError> {
    Stamp::parse(text).ok_or_else(|| EditError(format!("{text} is no point in time")))
}

pub(crate) fn model_id(database: &Database, name: &str) -> Result<ModelId, EditError> {
    database.schema.id(name).ok_or_else(|| EditError(format!("this server has no model {name}")))
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
