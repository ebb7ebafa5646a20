//! A column of the pipeline as the field of Odoo that it is written to.

use serde_json::Value;
use shared::config::suggest;
use shared::failure::{Failure, Reason};
use shared::mapping::Missing;
use shared::odoo::{Row, in_language};

use super::cell::Cell;
use super::html;

/// What `fields_get` is asked for.
pub(super) const ATTRIBUTES: [&str; 9] =
    ["type", "string", "required", "readonly", "relation", "digits", "selection", "size", "translate"];

/// The field that says whether a record is archived. It is never written: a variant's `active` alone leaves its template
/// in the shop without anything to sell (measured on Odoo 17 to 19), so records are archived by Odoo's own actions.
pub(super) const ACTIVE: &str = "active";

/// How a reference is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Column `uom_id`: a number is a database id, text is a name, or an external id where no record has that name.
    Any,
    /// Column `uom_id/id`: external ids.
    ExternalId,
    /// Column `uom_id/.id`: database ids.
    DatabaseId,
}

/// What a field holds, as far as values differ by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Whole,
    /// Places that Odoo rounds to; `None`: none, it is stored as a float.
    Decimal(Option<u32>),
    /// Characters that Odoo cuts it to.
    Text(Option<usize>),
    Html,
    /// Address of a web site: Odoo puts `http://` before one without a scheme.
    Website,
    /// Technical values with their labels.
    Choice(Vec<(String, String)>),
    Day,
    Moment,
    /// many2one.
    Reference {
        model: String,
        by: By,
    },
    /// many2many.
    References {
        model: String,
        by: By,
    },
}

/// A column and its field.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// As the pipeline names it, such as `uom_id/id`.
    pub(super) name: String,
    /// The field of Odoo, such as `uom_id`.
    pub(super) field: String,
    /// The language in which it is written and read, where it is not that of the sink: `name@fr_FR`.
    pub(super) lang: Option<String>,
    /// What Odoo's own screens call it.
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) required: bool,
    /// What is done where it names a record that is not there.
    pub(super) missing: Missing,
}

impl Column {
    /// Finds the field of a column.
    ///
    /// # Errors
    /// Systemic where the model has no such field, or it cannot be written.
    pub(super) fn find(name: &str, model: &str, fields: &Row) -> Result<Self, Failure> {
        let (whole, lang) = in_language(name);
        let (field, by) = match whole.split_once('/') {
            None => (whole, By::Any),
            Some((field, "id")) => (field, By::ExternalId),
            Some((field, ".id")) => (field, By::DatabaseId),
            Some(_) => return Err(refused(name, model, "has an unknown ending").advise("use /id or /.id")),
        };
        let Some(described) = fields.get(field) else {
            let mut known: Vec<&str> = fields.keys().map(String::as_str).collect();
            known.sort_unstable();
            let what = format!("model '{model}' of this Odoo has no field '{field}'");
            let advice = format!("{} Or install the module that adds it", suggest(field, &known));
            return Err(Failure::systemic(Reason::Field, what).advise(advice));
        };
        if is_true(described, "readonly") {
            return Err(refused(name, model, "is computed by Odoo and cannot be written")
                .advise("take the column out of the mapping"));
        }
        let kind = kind(name, model, described, by)?;
        if by != By::Any && !matches!(kind, Kind::Reference { .. } | Kind::References { .. }) {
            return Err(refused(name, model, "refers to no other record").advise("take /id or /.id away"));
        }
        if lang.is_some() && !matches!(kind, Kind::Text(_)) {
            return Err(refused(name, model, "is no text that is translated as a whole")
                .advise("take the language away, or the column out of the mapping"));
        }
        if lang.is_some() && !is_true(described, "translate") {
            return Err(refused(name, model, "has the same value in every language")
                .advise("take the language away, or the column out of the mapping"));
        }
        let label = described.get("string").and_then(Value::as_str).unwrap_or(field);
        Ok(Self {
            name: name.to_owned(),
            field: field.to_owned(),
            label: label.to_owned(),
            kind,
            // A translation that is empty shows the field's own text.
            required: lang.is_none() && is_true(described, "required"),
            lang: lang.map(str::to_owned),
            missing: Missing::Fail,
        })
    }

    /// Under which its value stands in a row that was read: translations stand beside what they translate.
    pub(super) fn key(&self) -> &str {
        if self.lang.is_some() { &self.name } else { &self.field }
    }

    /// The model that it refers to, if it does.
    pub(super) fn relation(&self) -> Option<&str> {
        match &self.kind {
            Kind::Reference { model, .. } | Kind::References { model, .. } => Some(model),
            _ => None,
        }
    }

    /// Whether it calls records by names.
    pub(super) fn is_by_name(&self) -> bool {
        matches!(self.kind, Kind::Reference { by: By::Any, .. } | Kind::References { by: By::Any, .. })
    }

    /// Its heading in `load`. References go by database id: a name may be that of several records.
    pub(super) fn heading(&self) -> String {
        match self.kind {
            Kind::Reference { .. } | Kind::References { .. } => format!("{}/.id", self.field),
            _ => self.field.clone(),
        }
    }

    /// Whether Odoo would still hold the same after `wanted` was written over `current`.
    pub(super) fn is_same(&self, wanted: &Cell, current: &Cell) -> bool {
        let bare = |cell: &Cell| cell.text().strip_prefix("http://").unwrap_or(cell.text()).to_owned();
        match (&self.kind, wanted, current) {
            (Kind::Website, wanted, current) => bare(wanted) == bare(current),
            (Kind::Html, wanted, current) => html::essence(wanted.text()) == html::essence(current.text()),
            (_, Cell::Number(wanted), Cell::Number(current)) => {
                wanted.as_float_shows() == current.as_float_shows()
            }
            _ => wanted == current,
        }
    }

    /// Whether Odoo refuses this cell for being empty.
    pub(super) fn lacks(&self, cell: &Cell) -> bool {
        self.required && *cell == Cell::Empty
    }
}

fn kind(name: &str, model: &str, described: &Value, by: By) -> Result<Kind, Failure> {
    let relation = || described.get("relation").and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    Ok(match described.get("type").and_then(Value::as_str).unwrap_or_default() {
        "boolean" => Kind::Flag,
        "integer" => Kind::Whole,
        "float" => Kind::Decimal(described.get("digits").and_then(|digits| digits.get(1)).and_then(number)),
        // Rounded to the currency's places; hardly any currency has others than two.
        "monetary" => Kind::Decimal(Some(2)),
        "char" if name == "website" => Kind::Website,
        "char" | "text" => {
            let size = described.get("size").and_then(Value::as_u64).filter(|size| *size > 0);
            Kind::Text(size.and_then(|size| usize::try_from(size).ok()))
        }
        "html" => Kind::Html,
        "selection" => Kind::Choice(choices(described)),
        "date" => Kind::Day,
        "datetime" => Kind::Moment,
        "many2one" => Kind::Reference { model: relation(), by },
        "many2many" => Kind::References { model: relation(), by },
        "binary" | "image" => {
            return Err(refused(name, model, "holds a file")
                .advise("take the column out of the mapping: images travel on their own"));
        }
        other => {
            return Err(refused(name, model, &format!("is of type '{other}', which cannot be synchronised"))
                .advise("take the column out of the mapping"));
        }
    })
}

fn choices(described: &Value) -> Vec<(String, String)> {
    let pairs = described.get("selection").and_then(Value::as_array);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    pairs.into_iter().flatten().map(|pair| (text(pair.get(0)), text(pair.get(1)))).collect()
}

fn is_true(described: &Value, attribute: &str) -> bool {
    described.get(attribute).and_then(Value::as_bool).unwrap_or(false)
}

fn refused(name: &str, model: &str, why: &str) -> Failure {
    Failure::systemic(Reason::Field, format!("column '{name}' of model '{model}' {why}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;
    use shared::failure::Class;

    /// The fields of a product as Odoo describes them.
    pub(in super::super) fn fields() -> Row {
        let fields = json!({
            "name": {"type": "char", "string": "Name", "required": true, "translate": true},
            "ref": {"type": "char", "string": "Reference", "size": 4},
            "list_price": {"type": "float", "string": "Sales Price", "digits": [16, 2]},
            "volume": {"type": "float", "string": "Volume", "digits": false},
            "sequence": {"type": "integer", "string": "Sequence"},
            "sale_ok": {"type": "boolean", "string": "Sales"},
            "description": {"type": "html", "string": "Notes", "translate": true},
            "type": {"type": "selection", "string": "Product Type", "selection": [["consu", "Goods"], ["service", "Service"]]},
            "since": {"type": "date", "string": "Since"},
            "seen": {"type": "datetime", "string": "Seen"},
            "uom_id": {"type": "many2one", "string": "Unit of Measure", "relation": "uom.uom", "required": true},
            "taxes_id": {"type": "many2many", "string": "Taxes", "relation": "account.tax"},
            "qty_available": {"type": "float", "string": "Quantity", "readonly": true},
            "image_1920": {"type": "binary", "string": "Image"},
            "website": {"type": "char", "string": "Website"},
            "seller_ids": {"type": "one2many", "string": "Vendors", "relation": "product.supplierinfo"},
        });
        fields.as_object().unwrap().clone()
    }

    pub(in super::super) fn column(name: &str) -> Column {
        Column::find(name, "product.product", &fields()).unwrap()
    }

    #[test]
    fn columns_that_cannot_work_are_systemic_and_say_why() {
        for (name, says) in [
            ("list_prise", "did you mean 'list_price'?"),
            ("qty_available", "computed by Odoo"),
            ("image_1920", "images travel on their own"),
            ("seller_ids", "'one2many'"),
            ("name/id", "refers to no other record"),
            ("uom_id/name", "/id or /.id"),
            ("nam@fr_FR", "did you mean 'name'?"),
            ("ref@fr_FR", "the same value in every language"),
            ("description@fr_FR", "translated as a whole"),
            ("list_price@fr_FR", "no text"),
        ] {
            let failure = Column::find(name, "product.product", &fields()).unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Field));
            assert!(failure.to_string().contains(says), "{failure}");
        }
    }

    #[test]
    fn references_are_loaded_by_database_id() {
        assert_eq!(column("uom_id/id").heading(), "uom_id/.id");
        assert_eq!(column("taxes_id").heading(), "taxes_id/.id");
        assert_eq!(column("name").heading(), "name");
    }
}
