//! Exceptions that say something of what was asked: a model or field that is not there, a missing right, values or a search
//! that Odoo refuses.

use super::answer::{Expected, Purpose};
use super::call::Operation;
use super::exception::Exception;
use super::refusal;
use super::sentence::quoted;
use crate::failure::{Class, Failure, Reason};

impl Exception {
    pub(super) fn model(&self, expected: &Expected<'_>) -> Option<Failure> {
        let Purpose::Call(call) = expected.purpose else {
            return None;
        };
        let (model, method) = (call.model, call.operation.method());
        let no_model = self.says(&[
            &format!("Object {model} doesn't exist"),
            &format!("the model '{model}' does not exist"),
        ]) || self.is_named(&["KeyError"]) && self.message.trim_matches('\'') == model;
        let no_method = self.message.starts_with("The method '") && self.says(&["does not exist"])
            || self.message.starts_with("Private methods (such as")
            || self.is_named(&["AttributeError"]) && self.says(&[&format!("has no attribute '{method}'")]);
        let what = match (no_model, no_method) {
            (true, _) => format!("has no model '{model}'"),
            (_, true) => format!("offers no method '{method}' of model '{model}'"),
            _ => return None,
        };
        Some(
            Failure::systemic(Reason::Model, format!("Odoo at {} {what}", expected.place.host()))
                .advise("install the module it belongs to, or correct the pipeline's entity"),
        )
    }

    pub(super) fn field(&self, expected: &Expected<'_>) -> Option<Failure> {
        let Purpose::Call(call) = expected.purpose else {
            return None;
        };
        if let Some(code) =
            self.message.strip_prefix("Invalid language code: ").filter(|_| self.is_named(&["UserError"]))
        {
            let what = format!(
                "the language '{}' is not installed in Odoo at {}",
                code.trim(),
                expected.place.host()
            );
            let failure = Failure::systemic(Reason::Field, what);
            return Some(
                failure.advise("install it in Odoo's settings, or correct the pipeline's languages"),
            );
        }
        let (name, how) = self.unknown_field(call.model, &call.operation)?;
        let what =
            format!("{how} field '{name}' of model '{}' in Odoo at {}", call.model, expected.place.host());
        Some(
            Failure::systemic(Reason::Field, what)
                .advise("correct the pipeline's fields, or install the module that adds it"),
        )
    }

    /// The field that is not there, in every wording that was recorded.
    fn unknown_field(&self, model: &str, operation: &Operation<'_>) -> Option<(String, &'static str)> {
        let message = self.message.as_str();
        let unprefixed = |text: &str| text.strip_prefix(&format!("{model}.")).unwrap_or(text).to_owned();
        let is_value_error = self.is_named(&["ValueError"]);
        if let Some(rest) = message.strip_prefix("Invalid field ").filter(|_| is_value_error) {
            let bare = rest.split_once(" in ").map(|(path, _)| unprefixed(path));
            let name = if rest.starts_with('\'') || rest.starts_with("name '") {
                quoted(rest, '\'').map(str::to_owned)
            } else {
                bare
            };
            return Some((name?, "there is no"));
        }
        if let Some(rest) = message.strip_prefix("Cannot convert ").filter(|_| is_value_error) {
            let (path, _) = rest.split_once(" to SQL because it is not stored")?;
            return Some((unprefixed(path), "nothing can be searched or sorted by the computed"));
        }
        // From the source: a field that belongs to groups the user is not in.
        if self.is_named(&["AccessError"]) && self.says(&["enough rights to access the field"]) {
            let name = quoted(message, '"').or_else(|| quoted(message, '\''))?;
            return Some((name.to_owned(), "the user may not use"));
        }
        if let (Operation::Load { fields, .. }, true) = (operation, self.is_named(&["KeyError"])) {
            // Odoo 17: load of an unknown column.
            let column = message.trim_matches('\'');
            let is_ours = |field: &String| field.split(['/', ':']).next() == Some(column);
            return fields.iter().any(is_ours).then(|| (column.to_owned(), "there is no"));
        }
        None
    }

    /// The rights of the user. Whoever may not write a model at all cannot write any record of it; a rule that hides one
    /// record is that record's. The list of groups has tabs in every language, the sentence is for English.
    pub(super) fn rights(&self, expected: &Expected<'_>) -> Option<Failure> {
        let model_level = self.message.starts_with("You are not allowed to ") || self.says(&["\n\t- "]);
        let is_row = self.name.is_empty() && self.message.starts_with("You are not allowed to ");
        if !is_row && !self.is_named(&["AccessError", "Forbidden"]) {
            return None;
        }
        let class =
            if expected.purpose.is_read() || model_level { Class::Systemic } else { Class::Permanent };
        let what =
            format!("Odoo at {} refuses {}: {}", expected.place.host(), expected.place.whose(), self.words());
        Some(Failure::new(class, Reason::Rights, what).advise("give the user this right in Odoo"))
    }

    /// What Odoo says of the request rather than of its values.
    pub(super) fn request(&self, expected: &Expected<'_>) -> Option<Failure> {
        let host = expected.place.host();
        if self.is_named(&["RequestEntityTooLarge"]) {
            return Some(refusal::too_large(expected));
        }
        if self.is_named(&["MissingError"]) {
            return Some(
                Failure::permanent(
                    Reason::Missing,
                    format!("Odoo at {host} no longer has a record of this call: {}", self.words()),
                )
                .advise("see what the record refers to; `catalog-sync dead redrive` tries it again"),
            );
        }
        self.name.starts_with("werkzeug.exceptions.").then(|| {
            Failure::systemic(
                Reason::Protocol,
                format!("Odoo at {host} does not understand the request: {}", self.words()),
            )
            .advise("check that this version of Odoo is supported")
        })
    }

    /// Everything else: of a write the values are at fault, of a read the domain, the order or the server's own code.
    pub(super) fn values(&self, expected: &Expected<'_>) -> Failure {
        if !expected.purpose.is_read() {
            return Failure::permanent(
                Reason::BadRecord,
                format!("Odoo refuses the record: {}", self.words()),
            )
            .advise("correct the record at its source, or the mapping");
        }
        let host = expected.place.host();
        if matches!(expected.purpose, Purpose::Login) && self.name.starts_with("odoo.exceptions.") {
            let what =
                format!("Odoo at {host} refuses the login of {}: {}", expected.place.whose(), self.words());
            return Failure::systemic(Reason::Credentials, what)
                .advise("see whether this user can log in with a browser");
        }
        let asked_wrongly =
            ["UserError", "ValidationError", "ValueError", "TypeError", "AssertionError", "IndexError"];
        if self.is_named(&asked_wrongly) || self.name.starts_with("psycopg2.") {
            let what = format!("Odoo at {host} cannot evaluate the search: {}", self.words());
            return Failure::configuration(what).advise("correct the pipeline's filter, order and fields");
        }
        let what = format!("Odoo at {host} fails with an error of its own: {}", self.words());
        Failure::systemic(Reason::ServerError, what).advise("look into the log of Odoo")
    }
}
