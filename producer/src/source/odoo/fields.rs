//! What a model's fields are for this user, and whether the columns can be read from them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::config::{OdooEntity, suggest};
use shared::failure::{Failure, Reason};
use shared::odoo::{OdooClient, in_language};

/// The fields of a model, as they were read from a server of this version.
#[derive(Serialize, Deserialize)]
pub(super) struct KnownFields {
    pub(super) server: String,
    pub(super) fields: Vec<String>,
    /// Those of them that are translated.
    #[serde(default)]
    pub(super) translated: Vec<String>,
    /// Installed languages; asked only where a column is in one.
    #[serde(default)]
    pub(super) languages: Vec<String>,
}

/// Asks for the fields of a model, and for the languages where a column is in one.
pub(super) async fn known_fields(client: &OdooClient, entity: &OdooEntity) -> Result<KnownFields, Failure> {
    let attributes = ["type", "translate"].map(str::to_owned);
    let described = client.fields_get(&entity.model, &attributes).await?;
    let is_translated = |described: &Value| described.get("translate") == Some(&Value::Bool(true));
    let translated = described.iter().filter(|(_, described)| is_translated(described));
    let mut names = entity.columns.iter().flat_map(|column| column.column.origin.fields());
    let is_spoken = names.any(|(name, _)| in_language(name).1.is_some());
    Ok(KnownFields {
        server: client.version().text.clone(),
        translated: translated.map(|(name, _)| name.clone()).collect(),
        languages: if is_spoken { client.languages().await? } else { Vec::new() },
        fields: described.keys().cloned().collect(),
    })
}

/// Why a field cannot be read, if it cannot.
pub(super) fn lacking(
    client: &OdooClient,
    entity: &OdooEntity,
    name: &str,
    known: &KnownFields,
) -> Option<Failure> {
    let (field, lang) = in_language(name);
    if !known.fields.iter().any(|known| known == field) {
        return Some(missing_field(client, entity, field, &known.fields));
    }
    let lang = lang?;
    if !known.translated.iter().any(|translated| translated == field) {
        let what = format!("field '{field}' of {} has the same value in every language", entity.model);
        return Some(
            Failure::systemic(Reason::Field, what).advise(format!("write '{field}' without '@{lang}'")),
        );
    }
    let is_installed = known.languages.iter().any(|installed| installed == lang);
    (!is_installed).then(|| client.lacks_language(name, lang, &known.languages))
}

fn missing_field(client: &OdooClient, entity: &OdooEntity, name: &str, known: &[String]) -> Failure {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let near = suggest(name, &known);
    let advice = if near.starts_with("did") {
        near
    } else {
        format!("take it out of the pipeline, or write \"{name}?\" to leave it out where it does not exist")
    };
    Failure::systemic(
        Reason::Field,
        format!("{} on Odoo {} has no field '{name}' for this user", entity.model, client.version().text),
    )
    .advise(advice)
}
