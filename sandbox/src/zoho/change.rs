//! Changes that users of the organisation make while it is being read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::zoho::contact::Contact;
use crate::zoho::id::{Space, id, number};
use crate::zoho::item::{Item, Picture};
use crate::zoho::picture::ZohoImage;
use crate::zoho::table::Record;
use crate::zoho::world::World;

/// A change of the organisation's records. Ids are those of the API.
///
/// `touch` says whether the record's `last_modified_time` becomes the present: stock and, as far as anyone
/// knows, images change without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZohoChange {
    /// Creates an item with these fields by their API names; the answer is its id.
    CreateItem {
        /// Fields such as `name`, `sku`, `rate`, `status`, `item_type`, `cf_origin`.
        fields: Map<String, Json>,
    },
    /// Sets fields of an item.
    EditItem {
        /// Id of the item.
        item: String,
        /// Fields by their API names, `stock_on_hand` among them.
        fields: Map<String, Json>,
        /// Whether the change time moves.
        #[serde(default = "yes")]
        touch: bool,
    },
    /// Deletes an item.
    DeleteItem {
        /// Id of the item.
        item: String,
    },
    /// Brings an item back that was deleted, under its old id and with these fields.
    RestoreItem {
        /// Its id.
        item: String,
        /// Fields by their API names.
        fields: Map<String, Json>,
    },
    /// Gives an item another image, or none; the answer is the new document id.
    ReplaceImage {
        /// Id of the item.
        item: String,
        /// What the server answers for the new image; without it the item has no image any more.
        kind: Option<ZohoImage>,
        /// Whether the change time moves.
        #[serde(default = "yes")]
        touch: bool,
        /// Whether the new bytes get the old document id and file name.
        #[serde(default)]
        keep_document: bool,
    },
    /// From now on the server answers otherwise for the image that an item has; nothing else changes.
    ServeImage {
        /// Id of the item.
        item: String,
        /// What it answers.
        kind: ZohoImage,
    },
    /// Stamps items with one and the same second, as a bulk import does.
    StampItems {
        /// The first item's number, counted from 0 as seeded.
        first: u32,
        /// How many.
        count: u32,
        /// The second; without it the present one.
        #[serde(default)]
        at: Option<Timestamp>,
    },
    /// Creates a contact with these fields by their API names; the answer is its id.
    CreateContact {
        /// Fields such as `contact_name`, `email`, `contact_type`.
        fields: Map<String, Json>,
    },
    /// Sets fields of a contact.
    EditContact {
        /// Id of the contact.
        contact: String,
        /// Fields by their API names.
        fields: Map<String, Json>,
        /// Whether the change time moves.
        #[serde(default = "yes")]
        touch: bool,
    },
    /// Deletes a contact.
    DeleteContact {
        /// Id of the contact.
        contact: String,
    },
}

fn yes() -> bool {
    true
}

impl World {
    /// Makes a change. The answer is the id of what was created, otherwise empty; errors are in words.
    pub(crate) fn apply(&mut self, change: ZohoChange) -> Result<String, String> {
        match change {
            ZohoChange::CreateItem { fields } => {
                let mut item = Item::blank(self.items.allocate(), self.clock.now());
                item.edit(&fields)?;
                let id = item.id();
                self.items.put(item);
                return Ok(id);
            }
            ZohoChange::EditItem { item, fields, touch } => {
                let mut item = self.item(&item)?;
                item.edit(&fields)?;
                self.keep(item, touch);
            }
            ZohoChange::DeleteItem { item } => {
                let number = self.item(&item)?.number;
                self.items.remove(number);
            }
            ZohoChange::RestoreItem { item, fields } => {
                let number =
                    number(Space::Item, &item).ok_or_else(|| format!("'{item}' is no id of an item"))?;
                if self.items.get(number).is_some() {
                    return Err(format!("item {item} was not deleted"));
                }
                let mut item = Item::blank(number, self.clock.now());
                item.edit(&fields)?;
                self.items.put(item);
            }
            ZohoChange::ReplaceImage { item, kind, touch, keep_document } => {
                return self.replace_image(&item, kind, touch, keep_document);
            }
            ZohoChange::ServeImage { item, kind } => {
                let mut item = self.item(&item)?;
                let picture = item.picture.as_mut().ok_or("The item has no image.")?;
                picture.kind = kind;
                // A vanishing image counts from here.
                self.served.remove(&picture.document);
                self.keep(item, false);
            }
            ZohoChange::StampItems { first, count, at } => {
                let second = at.map_or_else(|| self.clock.now(), Timestamp::as_second);
                for number in first..first.saturating_add(count) {
                    if let Some(item) = self.items.get(number) {
                        self.items.put(Item { modified: second, ..item });
                    }
                }
            }
            ZohoChange::CreateContact { fields } => {
                let number = self.contacts.allocate();
                let mut contact = Contact::blank(number, self.clock.now());
                contact.edit(&fields)?;
                self.contacts.put(contact);
                return Ok(id(Space::Contact, number));
            }
            ZohoChange::EditContact { contact, fields, touch } => {
                let mut contact = self.contact(&contact)?;
                contact.edit(&fields)?;
                let modified = if touch { self.clock.now() } else { contact.modified };
                self.contacts.put(Contact { modified, ..contact });
            }
            ZohoChange::DeleteContact { contact } => {
                let number = self.contact(&contact)?.number();
                self.contacts.remove(number);
            }
        }
        Ok(String::new())
    }

    fn item(&self, item: &str) -> Result<Item, String> {
        let found = number(Space::Item, item).and_then(|number| self.items.get(number));
        found.ok_or_else(|| format!("there is no item {item}"))
    }

    fn contact(&self, contact: &str) -> Result<Contact, String> {
        let found = number(Space::Contact, contact).and_then(|number| self.contacts.get(number));
        found.ok_or_else(|| format!("there is no contact {contact}"))
    }

    fn keep(&mut self, item: Item, touch: bool) {
        let modified = if touch { self.clock.now() } else { item.modified };
        self.items.put(Item { modified, ..item });
    }

    fn replace_image(
        &mut self,
        item: &str,
        kind: Option<ZohoImage>,
        touch: bool,
        keep_document: bool,
    ) -> Result<String, String> {
        let mut item = self.item(item)?;
        let upload = self.allocate_upload(item.number);
        let old = item.picture.take().filter(|_| keep_document);
        item.picture = kind.map(|kind| {
            // Uploads have motifs of their own, apart from those of seeded items.
            let seed = u64::from(upload) | 1 << 40;
            match old {
                Some(old) => Picture { kind, seed, ..old },
                None => Picture {
                    document: id(Space::Upload, upload),
                    file_name: format!("upload-{upload}.{}", kind.extension()),
                    kind,
                    seed,
                },
            }
        });
        let document = item.picture.as_ref().map_or_else(String::new, |picture| picture.document.clone());
        self.keep(item, touch);
        Ok(document)
    }
}
