//! Binary fields: their content lives in attachments, one for each size of a picture.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use sha1::{Digest, Sha1};

use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::image;
use crate::odoo::schema::{ModelId, model};
use crate::odoo::table::Presence;
use crate::odoo::value::Value;

/// The fields a picture is kept in, with the longest side of each.
const SIZES: [(&str, u32); 5] =
    [("image_1920", 1920), ("image_1024", 1024), ("image_512", 512), ("image_256", 256), ("image_128", 128)];

impl Database {
    /// The attachments of a record, ascending.
    pub(crate) fn attachments(&self, model: &str, id: i64) -> Vec<i64> {
        self.index.attachments.get(&(Box::from(model), id)).into_iter().flatten().copied().collect()
    }

    /// Where a binary field's attachment hangs: a variant shows its template's picture.
    fn attachment_of(&self, model: ModelId, id: i64, field: &str) -> Option<i64> {
        if model == model::ATTACHMENT {
            return matches!(field, "datas" | "raw").then_some(id);
        }
        let (owner, id) = self.picture_owner(model, id);
        let name = self.schema.model(owner).name;
        let field =
            field.strip_prefix("avatar_").map_or_else(|| field.to_owned(), |size| format!("image_{size}"));
        let matching = |row: &i64| self.text(model::ATTACHMENT, *row, "res_field").as_deref() == Some(&field);
        self.attachments(name, id).into_iter().find(matching)
    }

    fn picture_owner(&self, model: ModelId, id: i64) -> (ModelId, i64) {
        match self.template_of(id).filter(|_| model == model::PRODUCT) {
            Some(template) => (model::TEMPLATE, template),
            None => (model, id),
        }
    }

    pub(crate) fn has_binary(&self, model: ModelId, id: i64, field: &str) -> bool {
        self.attachment_of(model, id, field).is_some()
    }

    /// A binary field as answers carry it: base64, or its size in words.
    pub(crate) fn binary(&self, model: ModelId, id: i64, field: &str, bin_size: bool) -> Json {
        let row = self.attachment_of(model, id, field);
        let sum = row.and_then(|row| self.text(model::ATTACHMENT, row, "checksum"));
        let Some(content) = sum.and_then(|sum| self.files.get(&sum)) else {
            return Json::Bool(false);
        };
        if bin_size { json!(human_size(content.len())) } else { json!(STANDARD.encode(content)) }
    }

    /// Sets or clears the picture of a record; says whether its bytes differ from before.
    pub(crate) fn write_image(&mut self, model: ModelId, id: i64, text: &str) -> Result<bool, OdooError> {
        self.tally.image_writes += 1;
        let before = self.checksum(model, id);
        let (owner, owner_id) = self.picture_owner(model, id);
        let bytes = image::decode(text)?;
        if bytes.is_empty() {
            let name = self.schema.model(owner).name;
            for row in self.attachments(name, owner_id) {
                self.set(model::ATTACHMENT, row, Presence::Absent);
            }
            return Ok(before.is_some());
        }
        let bytes = image::accept(self.version, bytes)?;
        for (field, longest) in SIZES {
            if longest != 1920 && !self.smaller_images {
                continue;
            }
            let scaled = if longest == 1920 { bytes.clone() } else { image::thumbnail(&bytes, longest) };
            self.attach(owner, owner_id, field, scaled);
        }
        Ok(before != self.checksum(model, id))
    }

    fn checksum(&self, model: ModelId, id: i64) -> Option<Box<str>> {
        let row = self.attachment_of(model, id, "image_1920")?;
        self.text(model::ATTACHMENT, row, "checksum")
    }

    /// Writes one size. An existing attachment keeps its id.
    fn attach(&mut self, model: ModelId, id: i64, field: &str, bytes: Vec<u8>) {
        let row = match self.attachment_of(model, id, field) {
            Some(row) => row,
            None => self.table_mut(model::ATTACHMENT).next_id(),
        };
        let owner = self.schema.model(model).name;
        let mut columns = vec![
            ("name", Value::text(field)),
            ("res_model", Value::text(owner)),
            ("res_field", Value::text(field)),
            ("res_id", Value::Int(id)),
            ("write_date", Value::Stamp(self.now)),
            ("write_uid", Value::Int(self.uid)),
        ];
        if !self.exists(model::ATTACHMENT, row) {
            columns.push(("create_date", Value::Stamp(self.now)));
            columns.push(("create_uid", Value::Int(self.uid)));
        }
        columns.extend(self.store(bytes));
        self.set_named(row, columns);
    }

    fn set_named(&mut self, row: i64, columns: Vec<(&str, Value)>) {
        let schema = self.schema.clone();
        let described = schema.model(model::ATTACHMENT);
        let columns =
            columns.into_iter().filter_map(|(name, value)| Some((described.field_id(name)?, value)));
        self.set_columns(model::ATTACHMENT, row, columns);
    }

    /// Keeps content under its SHA-1 and answers the columns that describe it.
    fn store(&mut self, bytes: Vec<u8>) -> Vec<(&'static str, Value)> {
        let digit = |half: u8| char::from_digit(u32::from(half), 16);
        let digest = Sha1::digest(&bytes);
        let sum: String =
            digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect();
        let folder = sum.get(..2).unwrap_or_default().to_owned();
        let columns = vec![
            ("checksum", Value::text(sum.as_str())),
            ("store_fname", Value::text(format!("{folder}/{sum}"))),
            ("file_size", Value::Int(i64::try_from(bytes.len()).unwrap_or(i64::MAX))),
            ("mimetype", Value::text(image::media_type(&bytes))),
        ];
        self.files.entry(sum.into()).or_insert_with(|| Arc::from(bytes));
        columns
    }

    /// The content of an attachment written as such.
    pub(crate) fn write_content(&mut self, row: i64, text: &str) -> Result<(), OdooError> {
        let bytes = image::decode(text)?;
        let columns = self.store(bytes);
        self.set_named(row, columns);
        Ok(())
    }
}

/// `30.73 Kb`, as Odoo words it.
#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn human_size(bytes: usize) -> String {
    let mut size = bytes as f64;
    for unit in ["bytes", "Kb", "Mb", "Gb"] {
        if size < 1024.0 {
            return format!("{size:.2} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.2} Tb")
}
