//! Fields in a language: `name@fr_FR` is what `name` shows to people who speak French.

use serde_json::{Value, json};

use super::call::{Row, SearchRead};
use super::client::OdooClient;
use crate::config::suggest;
use crate::failure::{Failure, Reason};

/// The language of a call that names none, and what every other language shows where it has no text of its own.
const USUAL: &str = "en_US";

/// Splits `name@fr_FR` into field and language; a name without `@` is in the language of the call.
pub fn in_language(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(field, language)| (field, Some(language)))
}

/// The context key of a language.
pub fn language_context(language: &str) -> Row {
    [("lang".to_owned(), language.into())].into_iter().collect()
}

impl OdooClient {
    /// The language of its calls.
    pub fn language(&self) -> &str {
        self.context().get("lang").and_then(Value::as_str).unwrap_or(USUAL)
    }

    /// Codes of the installed languages, such as `fr_FR`, by code.
    ///
    /// # Errors
    /// As [`OdooClient::search_read`].
    pub async fn languages(&self) -> Result<Vec<String>, Failure> {
        let mut search = SearchRead::new("res.lang");
        // Odoo knows all languages; those that are not active are not installed.
        search.domain = json!([["active", "=", true]]);
        search.fields = vec!["code".to_owned()];
        search.order = Some("code asc".to_owned());
        let rows = self.search_read(&search).await?;
        Ok(rows.iter().filter_map(|row| Some(row.get("code")?.as_str()?.to_owned())).collect())
    }

    /// What is said where a column is in a language that is not installed.
    pub fn lacks_language(&self, column: &str, language: &str, installed: &[String]) -> Failure {
        let known: Vec<&str> = installed.iter().map(String::as_str).collect();
        let what = format!(
            "column '{column}' is in the language '{language}', which is not installed in Odoo at {}",
            self.place().host()
        );
        let advice = format!("{} Or install the language in Odoo's settings", suggest(language, &known));
        Failure::systemic(Reason::Field, what).advise(advice)
    }
}
