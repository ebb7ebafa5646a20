//! The checker: both sinks beside their sources. It asks nothing of ours.

use crate::fleet::catalogue::Catalogue;
use crate::shop_killed::truth::wrong;

/// What is wrong.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Records that are not in their sink.
    pub(crate) lost: usize,
    /// Records that are there again, or that stand for none.
    pub(crate) doubled: usize,
    /// Records with other values or another image than in their source.
    pub(crate) stale: usize,
    /// Some of it in words.
    pub(crate) words: Vec<String>,
}

impl Found {
    pub(crate) async fn at(catalogue: &Catalogue) -> Self {
        let items = wrong(&catalogue.shop).await;
        let mut found = Self {
            lost: items.missing,
            doubled: items.duplicates,
            stale: items.values.len() + items.images.len(),
            words: items.values.iter().take(3).cloned().collect(),
        };
        found.words.extend(items.images.iter().take(3).map(|item| format!("{item}: another image")));
        match catalogue.wrong_in_file() {
            Ok(file) => {
                found.lost += file.missing;
                found.doubled += file.doubled + file.extra;
                found.stale += file.stale.len();
                found.words.extend(file.stale.into_iter().take(3));
            }
            Err(fault) => {
                found.lost += 1;
                found.words.push(fault);
            }
        }
        found
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.lost + self.doubled + self.stale == 0
    }
}

/// Whether a probe has come through: the item and the customer of number 0 show its mark.
pub(crate) fn has_arrived(catalogue: &Catalogue, mark: &str) -> bool {
    let (store, odoo) = (catalogue.shop.store(), catalogue.shop.control());
    let suffix = format!(".item_{}", store.item_id(0));
    let ids = odoo.external_ids("product.product");
    let Some(id) = ids.iter().find(|(name, _)| name.ends_with(&suffix)).map(|(_, id)| *id) else {
        return false;
    };
    let row = odoo.row("product.product", id, &["name"]).unwrap();
    if row.is_none_or(|row| row["name"] != format!("item 0 {mark}")) {
        return false;
    }
    let text = std::fs::read_to_string(catalogue.file()).unwrap_or_default();
    text.contains(&format!("\"{mark}\""))
}
