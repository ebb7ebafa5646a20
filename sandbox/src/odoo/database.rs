//! All tables of one stand-in server, with transactions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::odoo::index::{Entry, Index};
use crate::odoo::schema::{FieldId, ModelId, Route, Schema, model};
use crate::odoo::seed::{self, Seed};
use crate::odoo::settings::{OdooSettings, OdooVersion};
use crate::odoo::stamp::Stamp;
use crate::odoo::table::{Presence, Row, Table};
use crate::odoo::value::Value;

/// What one transaction did, for the counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) created: u64,
    pub(crate) written: u64,
    pub(crate) changed: u64,
    pub(crate) archived: u64,
    pub(crate) deleted: u64,
    pub(crate) image_writes: u64,
    pub(crate) rows_read: u64,
}

/// The state behind a stand-in server. One transaction at a time; its steps are undone together.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) version: OdooVersion,
    /// See [`OdooSettings::smaller_images`].
    pub(crate) smaller_images: bool,
    pub(crate) schema: Arc<Schema>,
    pub(crate) index: Index,
    pub(crate) tally: Tally,
    /// When the running transaction began: the `write_date` of everything it writes, to the microsecond.
    pub(crate) now: Stamp,
    /// Who runs it.
    pub(crate) uid: i64,
    /// In which language, where it is not `en_US`.
    pub(crate) lang: Option<Box<str>>,
    /// Records that record rules keep from every user.
    pub(crate) ruled_out: HashSet<(ModelId, i64)>,
    /// Attachment content by SHA-1.
    pub(crate) files: HashMap<Box<str>, Arc<[u8]>>,
    tables: Vec<Table>,
    undo: Vec<(ModelId, i64, Presence)>,
    /// Ids given out before the records are made, by model.
    reserved: Vec<(ModelId, i64)>,
}

impl Database {
    pub(crate) fn new(settings: &OdooSettings) -> Self {
        let schema = Arc::new(Schema::of(settings.version));
        let base_partners = i64::try_from(settings.version.built_in_customers()).unwrap_or(0);
        let run = |model, first: i64, count: usize| {
            let end = first + i64::try_from(count).unwrap_or(0);
            (Seed { model, first, end }, if count == 0 { first } else { end })
        };
        let mut tables: Vec<Table> = schema.models.iter().map(|_| Table::new(None, 1)).collect();
        let (partners, next_partner) = run(model::PARTNER, base_partners + 1, settings.customers);
        let (templates, next_template) = run(model::TEMPLATE, 1, settings.products);
        let (products, next_product) = run(model::PRODUCT, 1 + seed::VARIANT_OFFSET, settings.products);
        let next_product = if settings.products == 0 { 1 } else { next_product };
        for (id, seed, next) in [
            (model::PARTNER, Some(partners), next_partner),
            (model::TEMPLATE, Some(templates), next_template),
            (model::PRODUCT, Some(products), next_product),
            (model::DATA, None, 20_000),
        ] {
            if let Some(table) = tables.get_mut(id) {
                *table = Table::new(seed.filter(|seed| seed.first < seed.end), next);
            }
        }
        let mut database = Self {
            version: settings.version,
            smaller_images: settings.smaller_images,
            schema,
            index: Index::default(),
            tally: Tally::default(),
            now: Stamp::civil((2025, 6, 1), (8, 0, 0), 123_456),
            uid: 1,
            lang: None,
            ruled_out: HashSet::new(),
            files: HashMap::new(),
            tables,
            undo: Vec::new(),
            reserved: Vec::new(),
        };
        database.install();
        database.undo.clear();
        database.tally = Tally::default();
        database
    }

    pub(crate) fn table(&self, model: ModelId) -> &Table {
        self.tables.get(model).expect("one table for every model")
    }

    pub(crate) fn table_mut(&mut self, model: ModelId) -> &mut Table {
        self.tables.get_mut(model).expect("one table for every model")
    }

    pub(crate) fn exists(&self, model: ModelId, id: i64) -> bool {
        self.table(model).contains(id)
    }

    /// Starts a transaction: nothing before it can be undone any more.
    pub(crate) fn begin(&mut self, now: Stamp, uid: i64) {
        self.undo.clear();
        self.reserved.clear();
        self.tally = Tally::default();
        self.now = now;
        self.uid = uid;
        self.lang = None;
    }

    /// Ids the next records of these models get.
    pub(crate) fn reserve(&mut self, ids: Vec<(ModelId, i64)>) {
        self.reserved = ids;
    }

    /// The next id for a record of a model.
    pub(crate) fn new_id(&mut self, model: ModelId) -> i64 {
        match self.reserved.iter().position(|reserved| reserved.0 == model) {
            Some(at) => self.reserved.remove(at).1,
            None => self.table_mut(model).next_id(),
        }
    }

    /// A point to return to.
    pub(crate) fn savepoint(&self) -> usize {
        self.undo.len()
    }

    /// Undoes everything after a savepoint, newest first.
    pub(crate) fn rollback(&mut self, savepoint: usize) {
        while self.undo.len() > savepoint {
            if let Some((model, id, before)) = self.undo.pop() {
                self.apply(model, id, before);
            }
        }
    }

    fn apply(&mut self, model: ModelId, id: i64, presence: Presence) {
        if let Some(entry) = self.entry(model, id) {
            self.index.remove(id, &entry);
        }
        self.table_mut(model).set(id, presence);
        if let Some(entry) = self.entry(model, id) {
            self.index.add(id, entry);
        }
    }

    /// Puts a record into a state, undoably, and keeps the look-ups in step.
    pub(crate) fn set(&mut self, model: ModelId, id: i64, presence: Presence) {
        let before = self.table(model).presence(id);
        self.undo.push((model, id, before));
        self.apply(model, id, presence);
    }

    /// Sets columns of an existing or new record.
    pub(crate) fn set_columns(
        &mut self,
        model: ModelId,
        id: i64,
        columns: impl IntoIterator<Item = (FieldId, Value)>,
    ) {
        let mut row = match self.table(model).presence(id) {
            Presence::Changed(row) => row,
            Presence::Absent | Presence::Untouched => Row::default(),
        };
        let schema = self.schema.clone();
        let described = schema.model(model);
        for (field, value) in columns {
            let is_translated = described.field(field).is_some_and(|field| field.translate);
            let value = if is_translated { self.translated(model, id, field, value) } else { value };
            row.set(field, value);
        }
        self.set(model, id, Presence::Changed(row));
    }

    fn entry(&self, model: ModelId, id: i64) -> Option<Entry> {
        let row = self.table(model).row(id)?;
        let schema = self.schema.model(model);
        let column = |name: &str| schema.field_id(name).and_then(|field| row.get(field));
        let text = |name: &str| column(name).and_then(Value::as_text);
        match model {
            model::DATA => {
                let name = format!("{}.{}", text("module").unwrap_or(""), text("name")?);
                let record =
                    (Box::from(text("model")?), column("res_id").and_then(Value::as_int).unwrap_or(0));
                Some(Entry::External { name: name.into(), record })
            }
            model::PRODUCT => Some(Entry::Variant {
                template: column("product_tmpl_id").and_then(Value::as_int),
                barcode: text("barcode").map(Box::from),
            }),
            model::ATTACHMENT => {
                Some(Entry::Attachment((Box::from(text("res_model")?), column("res_id")?.as_int()?)))
            }
            model::PARTNER => column("parent_id").and_then(Value::as_int).map(Entry::Child),
            _ => None,
        }
    }

    /// A column of the record's own row in the language of the call.
    pub(crate) fn column(&self, model: ModelId, id: i64, field: FieldId) -> Value {
        self.shown(self.stored(model, id, field))
    }

    /// A column of the record's own row; the seeded or initial value where nobody set it.
    pub(crate) fn stored(&self, model: ModelId, id: i64, field: FieldId) -> Value {
        let table = self.table(model);
        if let Some(value) = table.row(id).and_then(|row| row.get(field)) {
            return value.clone();
        }
        let Some(described) = self.schema.model(model).field(field) else {
            return Value::Null;
        };
        let seeded = table.seed.filter(|seed| seed.contains(id));
        seeded.and_then(|seed| seed.value(id, described.name)).unwrap_or_else(|| described.initial.clone())
    }

    /// A column by name; `Null` when the release has no such field.
    pub(crate) fn named(&self, model: ModelId, id: i64, field: &str) -> Value {
        self.schema.model(model).field_id(field).map_or(Value::Null, |field| self.value(model, id, field))
    }

    pub(crate) fn text(&self, model: ModelId, id: i64, field: &str) -> Option<Box<str>> {
        if let Value::Text(text) = self.named(model, id, field) { Some(text) } else { None }
    }

    /// The value of any field, wherever it is kept.
    pub(crate) fn value(&self, model: ModelId, id: i64, field: FieldId) -> Value {
        let Some(described) = self.schema.model(model).field(field) else {
            return Value::Null;
        };
        match described.route {
            Route::Own => self.column(model, id, field),
            Route::Computed => self.computed(model, id, described.name),
            Route::Template => self
                .template_of(id)
                .map_or(Value::Null, |template| self.named(model::TEMPLATE, template, described.name)),
            Route::Variant => match self.sole_variant(id) {
                Some(variant) => self.named(model::PRODUCT, variant, described.name),
                None => Value::Null,
            },
        }
    }

    /// When the record was last written, without looking at anything else of it.
    pub(crate) fn stamp(&self, model: ModelId, id: i64, field: FieldId) -> Option<Stamp> {
        let table = self.table(model);
        if let Some(value) = table.row(id).and_then(|row| row.get(field)) {
            return value.as_stamp();
        }
        let seed = table.seed.filter(|seed| seed.contains(id))?;
        let described = self.schema.model(model);
        Some(if field == described.write_date { seed.write_date(id) } else { seed.create_date(id) })
    }

    pub(crate) fn is_active(&self, model: ModelId, id: i64) -> bool {
        let Some(field) = self.schema.model(model).active else {
            return true;
        };
        let table = self.table(model);
        if let Some(value) = table.row(id).and_then(|row| row.get(field)) {
            return value.is_truthy();
        }
        table.seed.filter(|seed| seed.contains(id)).is_none_or(|seed| seed.active(id))
    }

    pub(crate) fn template_of(&self, variant: i64) -> Option<i64> {
        let field = self.schema.template_of_variant?;
        self.column(model::PRODUCT, variant, field).as_int()
    }

    /// All variants of a template, archived ones too, ascending.
    pub(crate) fn variants(&self, template: i64) -> Vec<i64> {
        let seeded = template + seed::VARIANT_OFFSET;
        let table = self.table(model::PRODUCT);
        let is_seeded = table.seed.is_some_and(|seed| seed.contains(seeded)) && table.contains(seeded);
        let seeded = is_seeded.then_some(seeded).filter(|id| self.template_of(*id) == Some(template));
        let added = self.index.variants.get(&template).into_iter().flatten().copied();
        let mut ids: Vec<i64> = seeded.into_iter().chain(added).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The variant whose values the template shows: the only active one, or the only one if all are archived.
    pub(crate) fn sole_variant(&self, template: i64) -> Option<i64> {
        let all = self.variants(template);
        let active: Vec<i64> = all.iter().copied().filter(|id| self.is_active(model::PRODUCT, *id)).collect();
        match (active.as_slice(), all.as_slice()) {
            ([one], _) | ([], [one]) => Some(*one),
            _ => None,
        }
    }

    /// Variants that carry a barcode.
    pub(crate) fn with_barcode(&self, code: &str) -> Vec<i64> {
        let mut ids: Vec<i64> = self.index.barcodes.get(code).into_iter().flatten().copied().collect();
        if let Some(template) = seed::template_of_barcode(code) {
            let variant = template + seed::VARIANT_OFFSET;
            let untouched = self.table(model::PRODUCT).contains(variant) && !ids.contains(&variant);
            if untouched && self.text(model::PRODUCT, variant, "barcode").as_deref() == Some(code) {
                ids.push(variant);
            }
        }
        ids.sort_unstable();
        ids
    }

    /// Finds an external id: its `ir.model.data` row, model and record.
    pub(crate) fn external(&self, name: &str) -> Option<(i64, Box<str>, i64)> {
        let row = *self.index.external.get(name)?;
        let target = self.named(model::DATA, row, "res_id").as_int().unwrap_or(0);
        Some((row, self.text(model::DATA, row, "model")?, target))
    }

    /// The external ids of a record, oldest first.
    pub(crate) fn external_ids(&self, model: &str, id: i64) -> Vec<i64> {
        self.index.named.get(&(Box::from(model), id)).into_iter().flatten().copied().collect()
    }
}
