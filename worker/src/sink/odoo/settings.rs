//! What an Odoo sink is told, and what is refused before anything is asked of the server.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::failure::{DEFECT, Failure};
use shared::mapping::Missing;
use shared::odoo::Row;

/// Names that Odoo's own modules use or that it gives a meaning to: external ids under them may be cleaned up when the
/// module is upgraded, and `__import__` and `__export__` are what Odoo puts on records by itself.
const TAKEN: [&str; 24] = [
    "__export__",
    "__import__",
    "account",
    "base",
    "base_import",
    "contacts",
    "crm",
    "delivery",
    "hr",
    "l10n_generic_coa",
    "mail",
    "mrp",
    "point_of_sale",
    "portal",
    "product",
    "purchase",
    "sale",
    "sale_management",
    "stock",
    "stock_account",
    "uom",
    "web",
    "website",
    "website_sale",
];

/// Context keys that change what `load` does with a row; they are not for anyone to set.
const FORBIDDEN_CONTEXT: [&str; 6] =
    ["mode", "module", "noupdate", "_import_limit", "import_file", "import_set_empty_fields"];

/// Most records in one `load`: larger batches are no faster (measured on Odoo 17 and 19) and hold locks for longer.
const LARGEST_BATCH: usize = 500;

/// Odoo kills a call after its `limit_time_real`, 120 s unless somebody has changed it.
const LATE: Duration = Duration::from_secs(150);

/// Which records of Odoo a sink writes, and how.
#[derive(Debug, Clone)]
pub struct OdooSinkSettings {
    /// Model, such as `product.product` or `res.partner`.
    pub model: String,
    /// First part of our external ids, the "module" in Odoo's words: letters, digits and `_`, and no module of Odoo.
    pub prefix: String,
    /// What the source calls the records: external ids are `<prefix>.<entity>_<record key>`.
    pub entity: String,
    /// Text columns by which a record without our external id is found, in this order, such as `default_code`,
    /// `barcode`, `name`; none: such a record is always made anew.
    pub match_by: Vec<String>,
    /// What is done where a column names a record that is not there; nothing said: the record fails.
    pub missing: BTreeMap<String, Missing>,
    /// Rows in one `load`, 1 to 500.
    pub batch: usize,
    /// How long after a call was broken off Odoo may still carry it out: its own limit of time for one call, and some for
    /// the proxy before it.
    pub late: Duration,
    /// Odoo context of every call over the client's own, such as `lang`, `allowed_company_ids`, `tracking_disable`.
    pub context: Row,
}

impl OdooSinkSettings {
    /// Batches of 100, no matching, no context, calls that may be two and a half minutes late.
    pub fn new(model: impl Into<String>, prefix: impl Into<String>, entity: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            prefix: prefix.into(),
            entity: entity.into(),
            match_by: Vec::new(),
            missing: BTreeMap::new(),
            batch: 100,
            late: LATE,
            context: Row::new(),
        }
    }

    /// What can be refused without asking Odoo.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let is_name = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !is_name(&self.prefix) {
            let what = format!("'{}' cannot be the prefix of external ids", self.prefix);
            return Err(Failure::configuration(what).advise("use letters, digits and '_' alone"));
        }
        if TAKEN.contains(&self.prefix.as_str()) {
            return Err(self.prefix_is_taken());
        }
        if !is_name(&self.entity) {
            let what = format!("'{}' cannot be part of external ids", self.entity);
            return Err(Failure::configuration(what).advise("use letters, digits and '_' alone"));
        }
        if !(1..=LARGEST_BATCH).contains(&self.batch) {
            let what = format!("a batch has 1 to {LARGEST_BATCH} records, not {}", self.batch);
            return Err(Failure::configuration(what).advise(DEFECT));
        }
        match self.context.keys().find(|key| FORBIDDEN_CONTEXT.contains(&key.as_str())) {
            Some(key) => Err(Failure::configuration(format!(
                "the context key '{key}' changes how Odoo takes records in, and may not be set"
            ))
            .advise("take it out of the context")),
            None => Ok(()),
        }
    }

    /// The prefix belongs to a module of Odoo.
    pub(super) fn prefix_is_taken(&self) -> Failure {
        Failure::configuration(format!(
            "the prefix '{}' is the name of a module of Odoo, which may delete our external ids when it is upgraded",
            self.prefix
        ))
        .advise("choose a prefix of your own, such as 'zoho' or 'catalog_sync'")
    }

    /// The name of a record's external id, without the prefix.
    pub(super) fn external_name(&self, key: &str) -> String {
        format!("{}_{key}", self.entity)
    }

    /// The context of every call. Archived records must be found, or they would be made a second time. Without a time
    /// zone `load` takes date-times for local ones of the user, whatever zone that is.
    pub(super) fn whole_context(&self) -> Row {
        let mut context = self.context.clone();
        context.insert("active_test".to_owned(), false.into());
        context.insert("tz".to_owned(), "UTC".into());
        context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_would_harm_are_refused() {
        let good = OdooSinkSettings::new("product.product", "zoho", "item");
        good.check().unwrap();
        let with = |change: fn(&mut OdooSinkSettings)| {
            let mut settings = good.clone();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(with(|settings| settings.prefix = "sale".to_owned()).contains("module of Odoo"));
        assert!(with(|settings| settings.prefix = "a.b".to_owned()).contains("letters, digits"));
        assert!(with(|settings| settings.entity = "my item".to_owned()).contains("external ids"));
        assert!(with(|settings| settings.batch = 0).contains("1 to 500"));
        assert!(
            with(|settings| drop(settings.context.insert("mode".to_owned(), "update".into())))
                .contains("'mode'")
        );
    }

    #[test]
    fn context_shows_archived_records_whatever_is_configured() {
        let mut settings = OdooSinkSettings::new("product.product", "zoho", "item");
        settings.context.insert("active_test".to_owned(), true.into());
        settings.context.insert("lang".to_owned(), "de_DE".into());
        assert_eq!(
            serde_json::Value::from(settings.whole_context()),
            serde_json::json!({"active_test": false, "lang": "de_DE", "tz": "UTC"})
        );
    }
}
