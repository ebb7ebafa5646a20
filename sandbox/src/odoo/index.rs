//! Look-ups that would otherwise scan: external ids, barcodes, variants of a template, attachments of a record.

use std::collections::{BTreeSet, HashMap};

type Ids = BTreeSet<i64>;

/// Kept in step with the tables by [`crate::odoo::database::Database`].
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// `module.name` of an external id to its `ir.model.data` row.
    pub(crate) external: HashMap<Box<str>, i64>,
    /// Record to its `ir.model.data` rows.
    pub(crate) named: HashMap<(Box<str>, i64), Ids>,
    /// Barcode to the changed variants that carry it.
    pub(crate) barcodes: HashMap<Box<str>, Ids>,
    /// Template to its variants that were not seeded.
    pub(crate) variants: HashMap<i64, Ids>,
    /// Record to its `ir.attachment` rows.
    pub(crate) attachments: HashMap<(Box<str>, i64), Ids>,
    /// Partner to the changed partners below it.
    pub(crate) children: HashMap<i64, Ids>,
}

/// The keys under which one row is found.
#[derive(Debug, PartialEq)]
pub(crate) enum Entry {
    External { name: Box<str>, record: (Box<str>, i64) },
    Variant { template: Option<i64>, barcode: Option<Box<str>> },
    Attachment((Box<str>, i64)),
    Child(i64),
}

impl Index {
    pub(crate) fn add(&mut self, id: i64, entry: Entry) {
        match entry {
            Entry::External { name, record } => {
                // The first holder keeps the name, so that a second one is seen to be a duplicate.
                self.external.entry(name).or_insert(id);
                self.named.entry(record).or_default().insert(id);
            }
            Entry::Variant { template, barcode } => {
                if let Some(template) = template {
                    self.variants.entry(template).or_default().insert(id);
                }
                if let Some(barcode) = barcode {
                    self.barcodes.entry(barcode).or_default().insert(id);
                }
            }
            Entry::Attachment(record) => {
                self.attachments.entry(record).or_default().insert(id);
            }
            Entry::Child(parent) => {
                self.children.entry(parent).or_default().insert(id);
            }
        }
    }

    pub(crate) fn remove(&mut self, id: i64, entry: &Entry) {
        match entry {
            Entry::External { name, record } => {
                if self.external.get(name) == Some(&id) {
                    self.external.remove(name);
                }
                drop_from(&mut self.named, record, id);
            }
            Entry::Variant { template, barcode } => {
                if let Some(template) = template {
                    drop_from(&mut self.variants, template, id);
                }
                if let Some(barcode) = barcode {
                    drop_from(&mut self.barcodes, barcode, id);
                }
            }
            Entry::Attachment(record) => drop_from(&mut self.attachments, record, id),
            Entry::Child(parent) => drop_from(&mut self.children, parent, id),
        }
    }
}

fn drop_from<K: Eq + std::hash::Hash>(map: &mut HashMap<K, Ids>, key: &K, id: i64) {
    if let Some(ids) = map.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}
