//! Translations, as Odoo 16 and later keep them: one value per language in the column, `en_US` being what every language
//! without a value of its own shows.
//!
//! Texts are kept whole. Odoo translates HTML term by term, which is not modelled.

use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::schema::{FieldId, ModelId, model};
use crate::odoo::value::Value;

/// The language that every other falls back to.
pub(crate) const BASE: &str = "en_US";

impl Database {
    /// The language of a call. Odoo refuses one that is not installed whenever it is about to be used.
    pub(crate) fn speak(&mut self, lang: Option<&str>) -> Result<(), OdooError> {
        match lang.filter(|lang| *lang != BASE && !lang.is_empty()) {
            None => self.lang = None,
            Some(lang) if self.is_installed(lang) => self.lang = Some(lang.into()),
            Some(lang) => return Err(OdooError::user(format!("Invalid language code: {lang}"))),
        }
        Ok(())
    }

    fn is_installed(&self, code: &str) -> bool {
        let ids = self.table(model::LANG).ids(i64::MIN, i64::MAX);
        ids.into_iter().any(|id| {
            self.is_active(model::LANG, id) && self.text(model::LANG, id, "code").as_deref() == Some(code)
        })
    }

    /// What a written text makes of a translated column. An empty one empties it in every language; one that shows
    /// already changes nothing, so that a language which falls back goes on doing so.
    pub(crate) fn translated(&self, model: ModelId, id: i64, field: FieldId, new: Value) -> Value {
        let old = self.stored(model, id, field);
        let Value::Text(text) = new else { return new };
        let (base, mut others) = match old {
            Value::Text(base) => (Some(base), Vec::new()),
            Value::Translated(base, others) => (Some(base), others.into_vec()),
            _ => (None, Vec::new()),
        };
        let Some(lang) = self.lang.as_deref() else {
            return if others.is_empty() {
                Value::Text(text)
            } else {
                Value::Translated(text, others.into())
            };
        };
        let own = others.iter().position(|(other, _)| **other == *lang);
        let shown = own.and_then(|at| others.get(at)).map(|(_, text)| text).or(base.as_ref());
        if shown != Some(&text) {
            match own.and_then(|at| others.get_mut(at)) {
                Some((_, kept)) => kept.clone_from(&text),
                None => others.push((lang.into(), text.clone())),
            }
        }
        let base = base.unwrap_or(text);
        if others.is_empty() { Value::Text(base) } else { Value::Translated(base, others.into()) }
    }

    /// What shows of a stored value in the language of the call.
    pub(crate) fn shown(&self, value: Value) -> Value {
        let Value::Translated(base, others) = value else { return value };
        let own = self.lang.as_deref().and_then(|lang| others.iter().find(|(other, _)| **other == *lang));
        Value::Text(own.map_or(base, |(_, text)| text.clone()))
    }
}
