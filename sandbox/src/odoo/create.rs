//! New records.

use serde_json::{Map, Value as Json};

use crate::odoo::convert::{Change, Columns};
use crate::odoo::database::Database;
use crate::odoo::error::{Column, OdooError};
use crate::odoo::schema::{FieldId, Kind, ModelId, Route, model};
use crate::odoo::settings::OdooVersion;
use crate::odoo::table::Presence;
use crate::odoo::value::Value;

impl Database {
    /// Creates records. Rows are inserted first and checked after, as one SQL statement would, so that failed
    /// calls use ids up in the way the real ones do.
    pub(crate) fn create(
        &mut self,
        model: ModelId,
        records: &[Map<String, Json>],
    ) -> Result<Vec<i64>, OdooError> {
        let changes = records.iter().map(|vals| self.change(model, vals)).collect::<Result<Vec<_>, _>>()?;
        let ids = match model {
            model::PRODUCT => self.create_products(&changes)?,
            _ => self.insert_all(model, changes.iter().map(|change| &change.own))?,
        };
        if model == model::TEMPLATE {
            self.create_variants(&ids, &changes)?;
        }
        for (id, change) in ids.iter().zip(&changes) {
            self.after_create(model, *id, change)?;
        }
        self.tally.created += u64::try_from(ids.len()).unwrap_or(0);
        Ok(ids)
    }

    fn after_create(&mut self, model: ModelId, id: i64, change: &Change) -> Result<(), OdooError> {
        if let Some(text) = change.image.as_deref().filter(|text| !text.is_empty()) {
            self.write_image(model, id, text)?;
        }
        if let Some(text) = &change.content {
            self.write_content(id, text)?;
        }
        match model {
            model::TEMPLATE => self.check_combo(id),
            model::CATEGORY | model::PARTNER => self.check_hierarchy(model, id),
            model::DATA => self.check_external(id),
            _ => Ok(()),
        }
    }

    /// Inserts rows of one model and checks their references once all are there.
    fn insert_all<'a>(
        &mut self,
        model: ModelId,
        rows: impl Iterator<Item = &'a Columns>,
    ) -> Result<Vec<i64>, OdooError> {
        let rows: Vec<&Columns> = rows.collect();
        let mut ids = Vec::with_capacity(rows.len());
        for columns in &rows {
            ids.push(self.insert(model, (*columns).clone())?);
        }
        for columns in rows {
            self.check_references(model, columns)?;
        }
        Ok(ids)
    }

    fn insert(&mut self, model: ModelId, mut columns: Columns) -> Result<i64, OdooError> {
        let id = self.new_id(model);
        let schema = self.schema.clone();
        let described = schema.model(model);
        columns.push((described.create_date, Value::Stamp(self.now)));
        columns.push((described.write_date, Value::Stamp(self.now)));
        for name in ["create_uid", "write_uid"] {
            columns.extend(described.field_id(name).map(|field| (field, Value::Int(self.uid))));
        }
        self.set(model, id, Presence::Changed(crate::odoo::table::Row::default()));
        self.set_columns(model, id, columns);
        let given = (0..).zip(&described.fields).map(|(field, _)| field);
        self.check_required(model, id, given)?;
        if model == model::PARTNER {
            self.check_partner_name(id)?;
        }
        Ok(id)
    }

    fn create_variants(&mut self, templates: &[i64], changes: &[Change]) -> Result<(), OdooError> {
        let Some(link) = self.schema.template_of_variant else {
            return Ok(());
        };
        let active = self.schema.model(model::PRODUCT).active;
        let mut variants = Vec::new();
        for (template, change) in templates.iter().zip(changes) {
            let mut columns = change.other.clone();
            columns.push((link, Value::Int(*template)));
            let is_active = self.is_active(model::TEMPLATE, *template);
            columns.extend(active.filter(|_| !is_active).map(|field| (field, Value::Bool(false))));
            variants.push(self.insert(model::PRODUCT, columns)?);
        }
        self.check_barcodes(&variants)
    }

    fn create_products(&mut self, changes: &[Change]) -> Result<Vec<i64>, OdooError> {
        let Some(link) = self.schema.template_of_variant else {
            return Ok(Vec::new());
        };
        let given = |change: &Change| {
            change.own.iter().find(|column| column.0 == link).and_then(|column| column.1.as_int())
        };
        let new: Vec<&Columns> =
            changes.iter().filter(|change| given(change).is_none()).map(|change| &change.other).collect();
        let mut templates = self.insert_all(model::TEMPLATE, new.into_iter())?.into_iter();
        let mut ids = Vec::with_capacity(changes.len());
        for change in changes {
            let mut columns = change.own.clone();
            if given(change).is_none() {
                columns.extend(templates.next().map(|template| (link, Value::Int(template))));
            }
            ids.push(self.insert(model::PRODUCT, columns)?);
        }
        for change in changes {
            self.check_references(model::PRODUCT, &change.own)?;
        }
        self.check_barcodes(&ids)?;
        Ok(ids)
    }

    /// Refuses a record without one of its required columns.
    pub(crate) fn check_required(
        &self,
        model: ModelId,
        id: i64,
        fields: impl Iterator<Item = FieldId>,
    ) -> Result<(), OdooError> {
        let described = self.schema.model(model);
        for field_id in fields {
            let Some(field) = described.field(field_id) else {
                continue;
            };
            let column =
                field.required && field.store && field.route == Route::Own && field.kind != Kind::ToMany;
            if column
                && self.column(model, id, field_id) == Value::Null
                && !matches!(field.kind, Kind::Float | Kind::Integer)
            {
                return Err(OdooError::not_null(self.version, self.quoted(model, field_id)));
            }
        }
        Ok(())
    }

    /// Refuses a many2one to a record that does not exist.
    pub(crate) fn check_references(&self, model: ModelId, columns: &Columns) -> Result<(), OdooError> {
        let described = self.schema.model(model);
        for (field_id, value) in columns {
            let (Some(field), Value::Int(target)) = (described.field(*field_id), value) else {
                continue;
            };
            let Some(relation) = self.schema.id(field.relation) else {
                continue;
            };
            if field.kind == Kind::Many2one && !self.exists(relation, *target) {
                return Err(OdooError::foreign_key(self.version, self.quoted(model, *field_id)));
            }
        }
        Ok(())
    }

    fn quoted(&self, model: ModelId, field: FieldId) -> Column {
        let model = self.schema.model(model);
        let (name, label) = model.field(field).map_or(("", ""), |field| (field.name, field.label));
        Column { model: model.name, description: model.description, field: name, label }
    }

    /// A contact needs a name (a check constraint on every release).
    pub(crate) fn check_partner_name(&self, id: i64) -> Result<(), OdooError> {
        let kind = self.text(model::PARTNER, id, "type");
        let named = self.text(model::PARTNER, id, "name").is_some();
        if named || kind.is_some_and(|kind| &*kind != "contact") {
            return Ok(());
        }
        Err(OdooError::constraint("Contacts require a name", "Contacts require a name"))
    }

    /// A barcode belongs to one product.
    pub(crate) fn check_barcodes(&self, variants: &[i64]) -> Result<(), OdooError> {
        for variant in variants {
            let Some(code) = self.text(model::PRODUCT, *variant, "barcode").filter(|code| !code.is_empty())
            else {
                continue;
            };
            let holders = self.with_barcode(&code);
            if holders.len() < 2 {
                continue;
            }
            let names: Vec<String> = holders
                .iter()
                .map(|id| self.text(model::PRODUCT, *id, "name").unwrap_or_default().into_string())
                .collect();
            let list = match names.split_last() {
                Some((last, rest)) if self.version >= OdooVersion::V18 => {
                    format!("{} and {last}", rest.join(", "))
                }
                _ => names.join(", "),
            };
            return Err(OdooError::validation(format!(
                "Barcode(s) already assigned:\n\n- Barcode \"{code}\" already assigned to product(s): {list}\n\nNote: \
                 products that you don't have access to will not be shown above."
            )));
        }
        Ok(())
    }

    /// A combo needs choices (from 18 on), and this server has none to choose.
    pub(crate) fn check_combo(&self, id: i64) -> Result<(), OdooError> {
        let is_combo = self.text(model::TEMPLATE, id, "type").as_deref() == Some("combo");
        let choices = self.named(model::TEMPLATE, id, "combo_ids").is_truthy();
        if is_combo && !choices {
            return Err(OdooError::validation("A combo product must contain at least 1 combo choice."));
        }
        Ok(())
    }

    /// No record is below itself.
    pub(crate) fn check_hierarchy(&self, model: ModelId, id: i64) -> Result<(), OdooError> {
        let mut at = self.named(model, id, "parent_id").as_int();
        for _ in 0..64 {
            match at {
                None => return Ok(()),
                Some(parent) if parent == id => break,
                Some(parent) => at = self.named(model, parent, "parent_id").as_int(),
            }
        }
        Err(if model == model::PARTNER {
            OdooError::validation("You cannot create recursive Partner hierarchies.")
        } else {
            OdooError::user("Recursion Detected.")
        })
    }

    /// External ids are unique and have no spaces.
    pub(crate) fn check_external(&self, id: i64) -> Result<(), OdooError> {
        let part = |field| self.text(model::DATA, id, field).unwrap_or_default();
        let (module, name) = (part("module"), part("name"));
        if name.contains(' ') {
            let row = format!(
                "new row for relation \"ir_model_data\" violates check constraint \"ir_model_data_name_nospaces\"\n\
                 DETAIL:  Failing row contains ({id}, null, {now}, {now}, null, {target}, f, {name}, {module}, \
                 {model}).\n",
                now = self.now.with_micros(),
                target = self.named(model::DATA, id, "res_id").as_int().unwrap_or(0),
                model = part("model"),
            );
            return Err(OdooError::constraint("External IDs cannot contain spaces", row));
        }
        let holder = self.index.external.get(format!("{module}.{name}").as_str());
        if holder != Some(&id) {
            let message = format!(
                "duplicate key value violates unique constraint \"ir_model_data_module_name_uniq_index\"\nDETAIL:  \
                 Key (module, name)=({module}, {name}) already exists.\n"
            );
            return Err(OdooError::constraint(&message, message.clone()));
        }
        Ok(())
    }
}
