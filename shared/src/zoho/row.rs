//! One item or contact, with every key that Zoho sent.

use jiff::Timestamp;
use serde_json::Value;

use super::kind::Kind;
use super::time;
use crate::record::Values;

/// One item or contact. Zoho leaves keys out and adds others as it likes, so the row stays a map and a few of its keys
/// have a name here.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    kind: Kind,
    values: Values,
}

/// Which image an item has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageReference {
    /// Id of the document; empty where only a name is told.
    pub document_id: String,
    /// Name of the uploaded file; may be empty.
    pub name: String,
}

impl ImageReference {
    /// Changes when another image was uploaded. The document id alone is not reliable (one shop saw it stay), so the name
    /// is in it.
    pub fn key(&self) -> String {
        format!("{}/{}", self.document_id, self.name)
    }
}

impl Row {
    /// A row; `None` where the value is no object or names no id.
    pub fn new(kind: Kind, value: Value) -> Option<Self> {
        let Value::Object(values) = value else {
            return None;
        };
        let row = Self { kind, values: with_custom_fields(values) };
        row.text(kind.id_field()).map(|_| row)
    }

    /// Every key that Zoho sent.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Every key that Zoho sent.
    pub fn into_values(self) -> Values {
        self.values
    }

    /// Its id: 18 digits, more than a float holds. Text in live answers, a number in Zoho's documentation.
    pub fn id(&self) -> String {
        self.text(self.kind.id_field()).unwrap_or_default()
    }

    /// When it was last changed, as Zoho writes it.
    pub fn last_modified(&self) -> Option<&str> {
        self.values.get("last_modified_time").and_then(Value::as_str)
    }

    /// When it was last changed. Stock movements do not count as changes.
    pub fn last_modified_time(&self) -> Option<Timestamp> {
        self.last_modified().and_then(time::parse)
    }

    /// `active` or `inactive`.
    pub fn status(&self) -> Option<&str> {
        self.values.get("status").and_then(Value::as_str)
    }

    /// Its image; `None` where the keys are empty or absent, as they are for an item without one.
    pub fn image(&self) -> Option<ImageReference> {
        // Zoho's documentation says image_id, live answers image_document_id.
        let document_id = self.text("image_document_id").or_else(|| self.text("image_id"));
        let name = self.text("image_name");
        if document_id.is_none() && name.is_none() {
            return None;
        }
        Some(ImageReference { document_id: document_id.unwrap_or_default(), name: name.unwrap_or_default() })
    }

    /// Text or number that is not empty.
    fn text(&self, key: &str) -> Option<String> {
        match self.values.get(key)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

/// Lists show a custom field under its own name (`cf_x`) where it is set to be shown; details, and some lists, keep them in
/// `custom_field_hash` or in `custom_fields`. Whatever the form, the mapping finds them by name; the first form wins.
fn with_custom_fields(mut values: Values) -> Values {
    let mut found: Vec<(String, Value)> = Vec::new();
    if let Some(Value::Object(hash)) = values.get("custom_field_hash") {
        found.extend(hash.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    for field in values.get("custom_fields").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = ["api_name", "placeholder"].iter().find_map(|key| field.get(key)?.as_str()) else {
            continue;
        };
        if let Some(value) = field.get("value_formatted").or_else(|| field.get("value")) {
            found.push((name.to_owned(), value.clone()));
        }
        if let Some(value) = field.get("value") {
            found.push((format!("{name}_unformatted"), value.clone()));
        }
    }
    for (name, value) in found.into_iter().filter(|(name, _)| name.starts_with("cf_")) {
        values.entry(name).or_insert(value);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> Option<Row> {
        Row::new(Kind::Items, serde_json::from_str(text).unwrap())
    }

    #[test]
    fn custom_fields_are_found_in_each_of_their_three_forms() {
        let row = |fields: &str| {
            let text = format!(r#"{{"item_id":"1",{fields}}}"#);
            Row::new(Kind::Items, serde_json::from_str(&text).unwrap()).unwrap().into_values()
        };
        for fields in [
            r#""cf_origin":"PL","cf_origin_unformatted":"PL""#,
            r#""custom_field_hash":{"cf_origin":"PL","cf_origin_unformatted":"PL"}"#,
            r#""custom_fields":[{"customfield_id":"9","label":"Origin","api_name":"cf_origin","value":"PL"}]"#,
            r#""cf_origin":"PL","custom_field_hash":{"cf_origin":"DE"},"custom_fields":[{"placeholder":"cf_origin","value":"PL"}]"#,
        ] {
            let values = row(fields);
            assert_eq!(
                (&values["cf_origin"], &values["cf_origin_unformatted"]),
                (&"PL".into(), &"PL".into())
            );
        }
        let price = r#""custom_fields":[{"api_name":"cf_price","value":12.5,"value_formatted":"$12.50"}]"#;
        assert_eq!(row(price)["cf_price"], "$12.50");
        assert_eq!(row(price)["cf_price_unformatted"], 12.5);
        // Neither an odd shape nor a name of Zoho's own is taken over.
        let odd =
            r#""name":"Lamp","custom_fields":[7,{"api_name":"name","value":"x"}],"custom_field_hash":[]"#;
        assert_eq!(row(odd)["name"], "Lamp");
    }

    #[test]
    fn id_may_be_text_or_a_number_beyond_any_float() {
        for text in [r#"{"item_id":"88001000000110002"}"#, r#"{"item_id":88001000000110002}"#] {
            assert_eq!(item(text).unwrap().id(), "88001000000110002");
        }
        for text in ["[]", "{}", r#"{"item_id":""}"#, r#"{"item_id":null}"#, r#"{"contact_id":"1"}"#] {
            assert_eq!(item(text), None, "{text}");
        }
    }

    #[test]
    fn unknown_keys_and_the_text_of_numbers_are_kept() {
        let text = r#"{"item_id":"1","rate":129.50,"cf_origin":"PL","tags":[]}"#;
        let values = item(text).unwrap().into_values();
        assert_eq!(serde_json::to_string(&values).unwrap(), text);
    }

    #[test]
    fn image_is_one_only_where_something_names_it() {
        let image = |text: &str| item(text).unwrap().image().map(|image| image.key());
        assert_eq!(image(r#"{"item_id":"1"}"#), None);
        assert_eq!(image(r#"{"item_id":"1","image_name":"","image_document_id":""}"#), None);
        assert_eq!(
            image(r#"{"item_id":"1","image_name":"a.jpg","image_document_id":"7"}"#),
            Some("7/a.jpg".to_owned())
        );
        assert_eq!(image(r#"{"item_id":"1","image_id":7}"#), Some("7/".to_owned()));
        assert_eq!(image(r#"{"item_id":"1","image_name":"a.jpg"}"#), Some("/a.jpg".to_owned()));
    }

    #[test]
    fn time_and_status_are_read() {
        let row =
            item(r#"{"item_id":"1","last_modified_time":"2026-10-09T13:22:05-0400","status":"inactive"}"#)
                .unwrap();
        assert_eq!(row.last_modified_time().unwrap().to_string(), "2026-10-09T17:22:05Z");
        assert_eq!(row.status(), Some("inactive"));
        assert_eq!(item(r#"{"item_id":"1","last_modified_time":""}"#).unwrap().last_modified_time(), None);
    }
}
