//! Changes to existing records.

use serde_json::{Map, Value as Json};

use crate::odoo::convert::{Change, Columns};
use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::schema::{FieldId, ModelId, Route, model};
use crate::odoo::settings::OdooVersion;
use crate::odoo::table::Presence;
use crate::odoo::value::Value;

impl Database {
    /// Refuses the first id that is not there.
    pub(crate) fn check_exists(&self, model: ModelId, ids: &[i64]) -> Result<(), OdooError> {
        match ids.iter().find(|id| !self.exists(model, **id)) {
            Some(id) => Err(OdooError::missing(self.schema.model(model).name, *id, self.uid)),
            None => Ok(()),
        }
    }

    /// Writes the same values to records. Their `write_date` moves even if nothing differs.
    pub(crate) fn write(
        &mut self,
        model: ModelId,
        ids: &[i64],
        vals: &Map<String, Json>,
    ) -> Result<(), OdooError> {
        let change = self.change(model, vals)?;
        self.check_exists(model, ids)?;
        for id in ids {
            self.write_one(model, *id, &change)?;
        }
        self.check_references(model, &change.own)?;
        Ok(())
    }

    fn write_one(&mut self, model: ModelId, id: i64, change: &Change) -> Result<(), OdooError> {
        let archived = self.archives(model, id, &change.own);
        let mut differs = self.update(model, id, &change.own);
        let fields: Vec<FieldId> = change.own.iter().map(|column| column.0).collect();
        self.check_required(model, id, fields.into_iter())?;
        differs |= match model {
            model::TEMPLATE => self.write_variant_side(id, change)?,
            model::PRODUCT => self.write_template_side(id, change)?,
            _ => false,
        };
        if let Some(text) = &change.image {
            differs |= self.write_image(model, id, text)?;
        }
        if let Some(text) = &change.content {
            self.write_content(id, text)?;
        }
        match model {
            model::CATEGORY => self.check_hierarchy(model, id)?,
            model::PARTNER => {
                self.check_partner_name(id)?;
                self.check_hierarchy(model, id)?;
            }
            model::TEMPLATE => self.check_combo(id)?,
            model::DATA => self.check_external(id)?,
            _ => {}
        }
        self.tally.written += 1;
        self.tally.changed += u64::from(differs);
        self.tally.archived += u64::from(archived);
        Ok(())
    }

    fn archives(&self, model: ModelId, id: i64, columns: &Columns) -> bool {
        let active = self.schema.model(model).active;
        let to = columns.iter().find(|column| Some(column.0) == active).map(|column| column.1.is_truthy());
        to == Some(false) && self.is_active(model, id)
    }

    /// Sets columns and the stamps; says whether a column differs from before.
    fn update(&mut self, model: ModelId, id: i64, columns: &Columns) -> bool {
        let differs = columns.iter().any(|(field, value)| self.column(model, id, *field) != *value);
        let described = self.schema.clone();
        let described = described.model(model);
        let mut columns = columns.clone();
        columns.push((described.write_date, Value::Stamp(self.now)));
        columns.extend(described.field_id("write_uid").map(|field| (field, Value::Int(self.uid))));
        self.set_columns(model, id, columns);
        differs
    }

    /// What a write through the template does to its variants.
    fn write_variant_side(&mut self, template: i64, change: &Change) -> Result<bool, OdooError> {
        let mut differs = false;
        if let Some(variant) = self.sole_variant(template).filter(|_| !change.other.is_empty()) {
            differs |= self.update(model::PRODUCT, variant, &change.other);
            self.check_barcodes(&[variant])?;
        }
        let active = self.schema.model(model::TEMPLATE).active;
        let given =
            change.own.iter().find(|column| Some(column.0) == active).map(|column| column.1.is_truthy());
        let Some(given) = given else { return Ok(differs) };
        let variants = self.variants(template);
        let any_active = variants.iter().any(|id| self.is_active(model::PRODUCT, *id));
        if any_active != given {
            for variant in variants {
                differs |= self.set_active(model::PRODUCT, variant, given);
            }
        }
        Ok(differs)
    }

    /// What a write on a variant does to its template. Delegated columns are written there; the code, weight and
    /// volume shown there are stored copies, which move its `write_date` only when they change. Barcode and cost
    /// leave the template alone (measured on Odoo 17 to 19).
    fn write_template_side(&mut self, variant: i64, change: &Change) -> Result<bool, OdooError> {
        self.check_barcodes(&[variant])?;
        let Some(template) = self.template_of(variant) else {
            return Ok(false);
        };
        let schema = self.schema.clone();
        let described = schema.model(model::PRODUCT);
        let copied = |field: &FieldId| {
            let name = described.field(*field).map_or("", |field| field.name);
            matches!(name, "default_code" | "weight" | "volume")
        };
        let copies = change.own.iter().any(|(field, _)| copied(field));
        if !change.other.is_empty() {
            let differs = self.update(model::TEMPLATE, template, &change.other);
            self.check_references(model::TEMPLATE, &change.other)?;
            self.check_required(model::TEMPLATE, template, change.other.iter().map(|column| column.0))?;
            self.check_combo(template)?;
            return Ok(differs);
        }
        if copies && self.sole_variant(template) == Some(variant) {
            self.update(model::TEMPLATE, template, &Columns::new());
        }
        Ok(false)
    }

    fn set_active(&mut self, model: ModelId, id: i64, active: bool) -> bool {
        let Some(field) = self.schema.model(model).active else {
            return false;
        };
        self.update(model, id, &vec![(field, Value::Bool(active))])
    }

    /// `action_archive` and `action_unarchive`: on variants the template follows, unlike with a plain write.
    pub(crate) fn archive(&mut self, model: ModelId, ids: &[i64], active: bool) -> Result<(), OdooError> {
        let mut vals = Map::new();
        vals.insert("active".to_owned(), Json::Bool(active));
        let ids: Vec<i64> = ids.iter().copied().filter(|id| self.is_active(model, *id) != active).collect();
        self.write(model, &ids, &vals)?;
        if model != model::PRODUCT {
            return Ok(());
        }
        for template in ids.iter().filter_map(|id| self.template_of(*id)).collect::<Vec<_>>() {
            let any_active = self.variants(template).iter().any(|id| self.is_active(model::PRODUCT, *id));
            if self.is_active(model::TEMPLATE, template) != any_active {
                self.set_active(model::TEMPLATE, template, any_active);
            }
        }
        Ok(())
    }

    /// Deletes records with their external ids and attachments.
    pub(crate) fn unlink(&mut self, model: ModelId, ids: &[i64]) -> Result<(), OdooError> {
        self.check_exists(model, ids)?;
        if model == model::UOM {
            self.check_units_unused(ids)?;
        }
        for id in ids {
            self.remove(model, *id);
            self.tally.deleted += 1;
        }
        Ok(())
    }

    fn remove(&mut self, model: ModelId, id: i64) {
        if !self.exists(model, id) {
            return;
        }
        let name = self.schema.model(model).name;
        for row in self.external_ids(name, id) {
            self.set(model::DATA, row, Presence::Absent);
        }
        for row in self.attachments(name, id) {
            self.set(model::ATTACHMENT, row, Presence::Absent);
        }
        let template = (model == model::PRODUCT).then(|| self.template_of(id)).flatten();
        let variants = if model == model::TEMPLATE { self.variants(id) } else { Vec::new() };
        self.set(model, id, Presence::Absent);
        for variant in variants {
            self.remove(model::PRODUCT, variant);
        }
        if let Some(template) = template.filter(|template| self.variants(*template).is_empty()) {
            self.remove(model::TEMPLATE, template);
        }
    }

    fn check_units_unused(&self, ids: &[i64]) -> Result<(), OdooError> {
        let named: Vec<String> = ids
            .iter()
            .filter(|id| !self.external_ids("uom.uom", **id).is_empty())
            .map(|id| self.display_name(model::UOM, *id))
            .collect();
        if named.is_empty() {
            return Ok(());
        }
        Err(OdooError::user(format!(
            "The following units of measure are used by the system and cannot be deleted: {}\nYou can archive them \
             instead.",
            named.join(", ")
        )))
    }

    /// Copies a record: a new name, no code, no barcode, no external id.
    pub(crate) fn copy(&mut self, model: ModelId, id: i64) -> Result<i64, OdooError> {
        self.check_exists(model, &[id])?;
        let schema = self.schema.clone();
        let described = schema.model(model);
        let mut vals = Map::new();
        for (field_id, field) in (0..).zip(&described.fields) {
            let copied = field.route == Route::Own && field.store && !field.readonly && !field.translate;
            if !copied || matches!(field.name, "barcode" | "default_code") {
                continue;
            }
            let value = self.column(model, id, field_id);
            if value != field.initial && value != Value::Null {
                let json = match value {
                    Value::Ids(ids) => serde_json::json!([[6, 0, ids]]),
                    value => crate::odoo::render::plain(field.kind, value),
                };
                vals.insert(field.name.to_owned(), json);
            }
        }
        let name = self.text(model, id, "name").unwrap_or_default();
        vals.insert("name".to_owned(), Json::String(format!("{name} (copy)")));
        if self.version == OdooVersion::V17 && model == model::TEMPLATE {
            vals.remove("type");
        }
        let created = self.create(model, &[vals])?;
        created.first().copied().ok_or_else(|| OdooError::missing(described.name, id, self.uid))
    }
}
