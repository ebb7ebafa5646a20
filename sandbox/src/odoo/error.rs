//! Errors as Odoo answers them: a Python class name and a message, worded by release.

use serde_json::{Value as Json, json};

use crate::odoo::settings::OdooVersion;
use crate::odoo::value::repr_text;

/// A failed call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OdooError {
    /// The Python exception's full name, which clients decide on.
    pub(crate) name: &'static str,
    pub(crate) message: String,
    /// What `PostgreSQL` refused, for `load`, which words these errors differently from plain calls.
    pub(crate) refused: Option<Refused>,
    /// Set for errors of the HTTP framework alone, whose arguments carry the status.
    pub(crate) status: Option<u16>,
}

/// A refusal by the database rather than by Python code.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refused {
    /// How `load` words it.
    pub(crate) row_message: String,
    /// The column in question, when the row message names one.
    pub(crate) field: Option<&'static str>,
}

/// Names and labels an integrity error quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) model: &'static str,
    pub(crate) description: &'static str,
    pub(crate) field: &'static str,
    pub(crate) label: &'static str,
}

impl OdooError {
    pub(crate) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into(), refused: None, status: None }
    }

    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::new("builtins.ValueError", message)
    }

    pub(crate) fn type_error(message: impl Into<String>) -> Self {
        Self::new("builtins.TypeError", message)
    }

    pub(crate) fn user(message: impl Into<String>) -> Self {
        Self::new("odoo.exceptions.UserError", message)
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("odoo.exceptions.ValidationError", message)
    }

    pub(crate) fn access(message: impl Into<String>) -> Self {
        Self::new("odoo.exceptions.AccessError", message)
    }

    pub(crate) fn access_denied() -> Self {
        Self::new("odoo.exceptions.AccessDenied", "Access Denied")
    }

    pub(crate) fn session_expired() -> Self {
        Self::new("odoo.http.SessionExpiredException", "Session expired")
    }

    /// An error of the HTTP framework, as JSON-2 answers it.
    pub(crate) fn http(status: u16, message: impl Into<String>) -> Self {
        let name = match status {
            400 => "werkzeug.exceptions.BadRequest",
            401 => "werkzeug.exceptions.Unauthorized",
            404 => "werkzeug.exceptions.NotFound",
            413 => "werkzeug.exceptions.RequestEntityTooLarge",
            _ => "werkzeug.exceptions.UnprocessableEntity",
        };
        Self { name, message: message.into(), refused: None, status: Some(status) }
    }

    pub(crate) fn missing(model: &str, id: i64, uid: i64) -> Self {
        let message =
            format!("Record does not exist or has been deleted.\n(Record: {model}({id},), User: {uid})");
        Self::new("odoo.exceptions.MissingError", message)
    }

    pub(crate) fn unknown_field(version: OdooVersion, model: &str, field: &str) -> Self {
        let place = if version < OdooVersion::V19 { "on model" } else { "in" };
        Self::value(format!("Invalid field {} {place} '{model}'", repr_text(field)))
    }

    pub(crate) fn serialization() -> Self {
        let message = "could not serialize access due to concurrent update\n";
        Self {
            refused: Some(Refused { row_message: message.to_owned(), field: None }),
            ..Self::new("psycopg2.errors.SerializationFailure", message)
        }
    }

    pub(crate) fn bad_integer_text(text: &str) -> Self {
        let message = format!("invalid input syntax for type integer: \"{text}\"\nLINE 1: ...'{text}'...\n");
        Self {
            refused: Some(Refused { row_message: message.clone(), field: None }),
            ..Self::new("psycopg2.errors.InvalidTextRepresentation", message)
        }
    }

    pub(crate) fn not_null(version: OdooVersion, column: Column) -> Self {
        let Column { model, description, field, label } = column;
        let (message, row_message) = if version < OdooVersion::V19 {
            let message = format!(
                "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n- Delete: \
                 another model requires the record being deleted. If possible, archive it instead.\n\nModel: \
                 {description} ({model})\nField: {label} ({field})\n"
            );
            (message, format!("Missing required value for the field '{label}' ({field})"))
        } else {
            let row = format!(
                "Missing required value for the field '{label}' ({field}).\nModel: '{description}' ({model})\n- \
                 create/update: a mandatory field is not set\n- delete: another model requires the record being \
                 deleted, you can archive it instead\n"
            );
            (format!("The operation cannot be completed: {row}"), row)
        };
        Self { refused: Some(Refused { row_message, field: Some(field) }), ..Self::validation(message) }
    }

    pub(crate) fn foreign_key(version: OdooVersion, column: Column) -> Self {
        let Column { model, description, field, label } = column;
        let constraint = format!("{}_{field}_fkey", model.replace('.', "_"));
        let row = if version < OdooVersion::V19 {
            format!(
                "another model requires the record being deleted. If possible, archive it instead.\n\nModel: \
                 {description} ({model})\nConstraint: {constraint}\n"
            )
        } else {
            format!(
                "Another model is using the record you are trying to delete.\n\nThe troublemaker is: \
                 '{description}' ({model})\nThanks to the following constraint: '{label}' ({field})\nHow about \
                 archiving the record instead?"
            )
        };
        let message = format!("The operation cannot be completed: {row}");
        Self { refused: Some(Refused { row_message: row, field: Some(field) }), ..Self::validation(message) }
    }

    /// A check or unique constraint; `row_message` is what `load` shows.
    pub(crate) fn constraint(message: &str, row_message: impl Into<String>) -> Self {
        Self {
            refused: Some(Refused { row_message: row_message.into(), field: None }),
            ..Self::validation(format!("The operation cannot be completed: {message}"))
        }
    }

    /// Whether `load` shows this message for the whole batch too, as it does for every `UserError`.
    pub(crate) fn is_user_error(&self) -> bool {
        self.name.starts_with("odoo.exceptions.") && self.refused.is_none()
    }

    /// The HTTP status JSON-2 gives it. Python errors are 500 although repeating them is useless.
    pub(crate) fn json2_status(&self) -> u16 {
        if let Some(status) = self.status {
            return status;
        }
        match self.name {
            "odoo.exceptions.AccessDenied" | "odoo.exceptions.AccessError" => 403,
            "odoo.exceptions.MissingError" => 404,
            "odoo.exceptions.UserError" | "odoo.exceptions.ValidationError" => 422,
            _ => 500,
        }
    }

    /// The `data` object of a JSON-RPC error, which JSON-2 answers bare.
    pub(crate) fn data(&self, version: OdooVersion) -> Json {
        let debug =
            format!("Traceback (most recent call last):\n  (sandbox)\n{}: {}\n", self.name, self.message);
        let arguments = match self.status {
            Some(status) => json!([self.message, status]),
            None => json!([self.message]),
        };
        if version < OdooVersion::V19 {
            json!({"name": self.name, "debug": debug, "message": self.message, "arguments": arguments,
                   "context": {}})
        } else {
            json!({"name": self.name, "message": self.message, "arguments": arguments, "context": {},
                   "debug": debug})
        }
    }
}
