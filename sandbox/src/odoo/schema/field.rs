//! One field of a model, read from a line of its table.

use serde_json::Value as Json;

use crate::odoo::value::Value;

/// A field's type, as far as values differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    Float,
    Text,
    Selection,
    Date,
    Datetime,
    Binary,
    Many2one,
    /// one2many and many2many: a list of ids.
    ToMany,
    /// json and properties: never set here.
    Opaque,
}

/// Where a field's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A column of this model's own row.
    Own,
    /// The variant's template holds it (delegation).
    Template,
    /// The template's only variant holds it; with several variants the template shows nothing.
    Variant,
    /// Worked out from other columns when read.
    Computed,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// The type's name in `fields_get`.
    pub(crate) type_name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) readonly: bool,
    pub(crate) store: bool,
    pub(crate) translate: bool,
    pub(crate) company_dependent: bool,
    /// The related model, or empty.
    pub(crate) relation: &'static str,
    pub(crate) label: &'static str,
    pub(crate) selection: Vec<(&'static str, &'static str)>,
    /// The `digits` attribute as JSON text, or empty.
    pub(crate) digits: &'static str,
    /// Value of a new record (or of a computed field here), as JSON.
    pub(crate) initial: Value,
    pub(crate) help: String,
    pub(crate) route: Route,
}

impl Field {
    pub(super) fn parse(line: &'static str, release: char) -> Option<Self> {
        let mut columns = line.split('\t');
        if !columns.next()?.contains(release) {
            return None;
        }
        let name = columns.next()?;
        let type_name = columns.next()?;
        let flags = columns.next().unwrap_or("");
        let relation = columns.next().unwrap_or("");
        let label = columns.next().unwrap_or("");
        let selection = columns.next().unwrap_or("");
        let digits = columns.next().unwrap_or("");
        let default = columns.next().unwrap_or("");
        let help = columns.next().unwrap_or("");
        Some(Self {
            name,
            type_name,
            kind: kind(type_name),
            required: flags.contains('r'),
            readonly: flags.contains('o'),
            store: flags.contains('s'),
            translate: flags.contains('t'),
            company_dependent: flags.contains('c'),
            relation,
            label,
            selection: selection.split(';').filter_map(|pair| pair.split_once('=')).collect(),
            digits,
            initial: initial(kind(type_name), default),
            help: help.replace("\\n", "\n"),
            route: Route::Own,
        })
    }

    /// Decimals a float is rounded to when written, as the accuracies of a fresh database say.
    pub(crate) fn decimals(&self) -> Option<i32> {
        let digits: Vec<i32> = serde_json::from_str(self.digits).unwrap_or_default();
        digits.get(1).copied()
    }
}

fn initial(kind: Kind, text: &str) -> Value {
    match serde_json::from_str(text).unwrap_or(Json::Null) {
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) if kind == Kind::Float => Value::Float(number.as_f64().unwrap_or_default()),
        Json::Number(number) => Value::Int(number.as_i64().unwrap_or_default()),
        Json::String(text) => Value::text(text),
        Json::Array(ids) => Value::Ids(ids.iter().filter_map(Json::as_i64).collect()),
        Json::Null | Json::Object(_) => Value::Null,
    }
}

fn kind(type_name: &str) -> Kind {
    match type_name {
        "boolean" => Kind::Boolean,
        "integer" | "many2one_reference" => Kind::Integer,
        "float" | "monetary" => Kind::Float,
        "selection" => Kind::Selection,
        "date" => Kind::Date,
        "datetime" => Kind::Datetime,
        "binary" => Kind::Binary,
        "many2one" => Kind::Many2one,
        "one2many" | "many2many" => Kind::ToMany,
        "json" | "properties" | "properties_definition" => Kind::Opaque,
        _ => Kind::Text,
    }
}

pub(super) fn route(model: &str, field: &str) -> Route {
    match (model, field) {
        ("product.template", "barcode" | "default_code" | "standard_price" | "weight" | "volume") => {
            Route::Variant
        }
        (
            _,
            "id" | "display_name" | "image_1920" | "image_1024" | "image_512" | "image_256" | "image_128",
        )
        | (
            "product.template",
            "product_variant_ids" | "product_variant_id" | "product_variant_count" | "uom_name",
        )
        | ("product.product", "lst_price" | "code" | "partner_ref" | "image_variant_1920")
        | (
            "res.partner",
            "complete_name"
            | "child_ids"
            | "parent_name"
            | "country_code"
            | "company_type"
            | "commercial_partner_id"
            | "commercial_company_name"
            | "email_formatted"
            | "email_normalized"
            | "contact_address"
            | "self"
            | "user_ids",
        )
        | ("product.category", "complete_name" | "child_id" | "parent_path" | "product_count")
        | ("ir.model.data", "complete_name" | "reference")
        | ("ir.attachment", "datas" | "raw" | "db_datas" | "res_name")
        | ("res.users", "name" | "email")
        | ("res.country", "state_ids") => Route::Computed,
        _ => Route::Own,
    }
}
