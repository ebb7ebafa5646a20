//! An item as the organisation knows it, and edits of its fields.

use serde_json::{Map, Number, Value as Json};

use crate::zoho::id::{Space, id};
use crate::zoho::item_seed;
use crate::zoho::picture::ZohoImage;
use crate::zoho::table::Record;

/// An item: what is sold or bought.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) sku: String,
    pub(crate) description: String,
    pub(crate) brand: String,
    pub(crate) ean: String,
    pub(crate) unit: String,
    pub(crate) rate: Number,
    pub(crate) purchase_rate: Number,
    pub(crate) is_active: bool,
    /// `goods` or `service`.
    pub(crate) product_type: String,
    /// `sales`, `purchases`, `sales_and_purchases` or `inventory`.
    pub(crate) kind: String,
    /// Pieces on hand; `None` for items whose stock is not tracked.
    pub(crate) stock: Option<i64>,
    pub(crate) is_combo: bool,
    /// Set for variants of a group; other items are groups of their own.
    pub(crate) variant: Option<Variant>,
    /// Custom fields by API name, such as `cf_origin`.
    pub(crate) custom: Map<String, Json>,
    pub(crate) picture: Option<Picture>,
    pub(crate) has_second_photo: bool,
    /// Whether a PDF is among the documents.
    pub(crate) has_sheet: bool,
    pub(crate) created: i64,
    pub(crate) modified: i64,
}

/// Which variant of which group an item is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variant {
    pub(crate) group: u32,
    pub(crate) group_name: String,
    /// Number of its option, from 0.
    pub(crate) option: u32,
    pub(crate) option_name: String,
}

/// The primary image of an item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    /// Its document id.
    pub(crate) document: String,
    pub(crate) file_name: String,
    pub(crate) kind: ZohoImage,
    /// Decides the bytes.
    pub(crate) seed: u64,
}

impl Picture {
    /// What the file calls itself, whatever its bytes are.
    pub(crate) fn file_type(&self) -> &str {
        self.file_name.rsplit('.').next().unwrap_or_default()
    }
}

impl Record for Item {
    fn seed(number: u32, with_images: bool) -> Self {
        item_seed::item(number, with_images)
    }

    fn seeded_modified(number: u32) -> i64 {
        item_seed::modified(number)
    }

    fn number(&self) -> u32 {
        self.number
    }

    fn modified(&self) -> i64 {
        self.modified
    }
}

impl Item {
    pub(crate) fn id(&self) -> String {
        id(Space::Item, self.number)
    }

    /// A new item without any content.
    pub(crate) fn blank(number: u32, now: i64) -> Self {
        Self {
            number,
            name: String::new(),
            sku: String::new(),
            description: String::new(),
            brand: String::new(),
            ean: String::new(),
            unit: "pcs".to_owned(),
            rate: Number::from(0),
            purchase_rate: Number::from(0),
            is_active: true,
            product_type: "goods".to_owned(),
            kind: "sales_and_purchases".to_owned(),
            stock: None,
            is_combo: false,
            variant: None,
            custom: Map::new(),
            picture: None,
            has_second_photo: false,
            has_sheet: false,
            created: now,
            modified: now,
        }
    }

    /// Sets fields by their API names, as a user would in the web client. Errors say what is wrong in words.
    pub(crate) fn edit(&mut self, fields: &Map<String, Json>) -> Result<(), String> {
        for (name, value) in fields {
            self.set(name, value)?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &Json) -> Result<(), String> {
        match name {
            "name" => self.name = text(name, value, 100)?,
            "sku" => self.sku = text(name, value, 100)?,
            "description" => self.description = text(name, value, 2000)?,
            "brand" => self.brand = text(name, value, 100)?,
            "ean" => self.ean = text(name, value, 13)?,
            "unit" => self.unit = text(name, value, 20)?,
            "rate" => self.rate = value.as_number().ok_or_else(|| invalid(name))?.clone(),
            "purchase_rate" => self.purchase_rate = value.as_number().ok_or_else(|| invalid(name))?.clone(),
            "status" => self.is_active = choice(name, value, &["active", "inactive"])? == "active",
            "product_type" => self.product_type = choice(name, value, &["goods", "service"])?,
            "item_type" => {
                let kinds = ["sales", "purchases", "sales_and_purchases", "inventory"];
                self.kind = choice(name, value, &kinds)?;
                self.stock = if self.kind == "inventory" { self.stock.or(Some(0)) } else { None };
            }
            "stock_on_hand" => {
                let stock = value.as_i64().ok_or_else(|| invalid(name))?;
                *self.stock.as_mut().ok_or("The stock of this item is not tracked.")? = stock;
            }
            custom if custom.starts_with("cf_") => {
                self.custom.insert(custom.to_owned(), value.clone());
            }
            _ => return Err(format!("{name} is no field of an item that can be edited here")),
        }
        Ok(())
    }
}

pub(crate) fn invalid(name: &str) -> String {
    format!("Invalid value passed for {name}")
}

/// A text of at most so many characters.
pub(crate) fn text(name: &str, value: &Json, longest: usize) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| invalid(name))?;
    if text.chars().count() > longest {
        return Err(format!("{name} has more than {longest} characters"));
    }
    Ok(text.to_owned())
}

/// One of these words.
pub(crate) fn choice(name: &str, value: &Json, words: &[&str]) -> Result<String, String> {
    let word = value.as_str().filter(|word| words.contains(word));
    word.map(str::to_owned).ok_or_else(|| invalid(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn edits_set_fields_by_their_api_names_and_refuse_what_zoho_would() {
        let mut item = Item::blank(1, 0);
        let edit = |item: &mut Item, fields: Json| item.edit(fields.as_object().unwrap());
        edit(&mut item, json!({"name": "A", "rate": 12.5, "status": "inactive", "cf_origin": "PL"})).unwrap();
        assert_eq!((item.name.as_str(), item.rate.as_str(), item.is_active), ("A", "12.5", false));
        assert_eq!(item.custom["cf_origin"], "PL");
        for refused in [
            json!({"name": "x".repeat(101)}),
            json!({"rate": "12"}),
            json!({"status": "gone"}),
            json!({"stock_on_hand": 3}),
            json!({"colour": "red"}),
        ] {
            edit(&mut item, refused).unwrap_err();
        }
        edit(&mut item, json!({"item_type": "inventory", "stock_on_hand": 3})).unwrap();
        assert_eq!(item.stock, Some(3));
    }
}
