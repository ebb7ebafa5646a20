//! The organisation: its records, tokens, limits, and what is about to go wrong.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::zoho::accounts::Accounts;
use crate::zoho::change::ZohoChange;
use crate::zoho::clock::Clock;
use crate::zoho::contact::Contact;
use crate::zoho::counters::ZohoCounts;
use crate::zoho::fault::Faults;
use crate::zoho::item::Item;
use crate::zoho::limit::Limits;
use crate::zoho::settings::ZohoSettings;
use crate::zoho::table::Table;

/// Everything behind the server's one lock.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: ZohoSettings,
    pub(crate) clock: Arc<Clock>,
    pub(crate) items: Table<Item>,
    pub(crate) contacts: Table<Contact>,
    pub(crate) accounts: Accounts,
    pub(crate) limits: Limits,
    /// API calls in process at once.
    pub(crate) concurrent: u32,
    pub(crate) faults: Faults,
    pub(crate) counts: ZohoCounts,
    /// Times each document's bytes were served, which a reset of the counters leaves alone.
    pub(crate) served: HashMap<String, u64>,
    /// Changes due after so many more list calls.
    pub(crate) due: Vec<(u64, ZohoChange)>,
    /// The snapshot that the control keeps for a process that cannot hold one.
    pub(crate) saved: Option<ZohoSnapshot>,
    /// The item of each upload, by the upload's number.
    uploads: Vec<u32>,
}

/// The records at one point in time; see `ZohoControl::snapshot`.
#[derive(Debug, Clone)]
pub struct ZohoSnapshot {
    items: Table<Item>,
    contacts: Table<Contact>,
    uploads: Vec<u32>,
}

impl World {
    pub(crate) fn new(settings: ZohoSettings, clock: Arc<Clock>) -> Self {
        Self {
            items: Table::new(settings.items, settings.with_images),
            contacts: Table::new(settings.contacts, settings.with_images),
            accounts: Accounts::new(),
            limits: Limits::new(settings.per_minute, settings.per_day),
            concurrent: settings.concurrent,
            faults: Faults::default(),
            counts: ZohoCounts::default(),
            served: HashMap::new(),
            due: Vec::new(),
            saved: None,
            uploads: Vec::new(),
            settings,
            clock,
        }
    }

    /// Back to the start in everything, the clock included.
    pub(crate) fn reset(&mut self) {
        self.clock.reset();
        *self = Self::new(self.settings.clone(), Arc::clone(&self.clock));
    }

    /// Notes an upload for an item and gives its number.
    pub(crate) fn allocate_upload(&mut self, item: u32) -> u32 {
        self.uploads.push(item);
        u32::try_from(self.uploads.len() - 1).unwrap_or(u32::MAX)
    }

    /// The item an upload was made for.
    pub(crate) fn upload_of(&self, upload: u32) -> Option<u32> {
        self.uploads.get(usize::try_from(upload).ok()?).copied()
    }

    /// Makes the changes that were due after this list call.
    pub(crate) fn list_call_done(&mut self) {
        let mut later = Vec::new();
        for (calls, change) in std::mem::take(&mut self.due) {
            if calls > 1 {
                later.push((calls - 1, change));
            } else if let Err(error) = self.apply(change) {
                self.counts.failed_changes.push(error);
            }
        }
        self.due = later;
    }

    pub(crate) fn snapshot(&self) -> ZohoSnapshot {
        ZohoSnapshot {
            items: self.items.clone(),
            contacts: self.contacts.clone(),
            uploads: self.uploads.clone(),
        }
    }

    /// Brings the records back to a snapshot, as a restored backup does; uploads made since keep their numbers.
    pub(crate) fn restore(&mut self, snapshot: &ZohoSnapshot) {
        let uploads = self.uploads.split_off(snapshot.uploads.len().min(self.uploads.len()));
        self.uploads.clone_from(&snapshot.uploads);
        self.uploads.extend(uploads);
        self.items.restore(&snapshot.items);
        self.contacts.restore(&snapshot.contacts);
    }
}

/// The time zone of this IANA name.
pub(crate) fn zone(name: &str) -> std::io::Result<TimeZone> {
    TimeZone::get(name).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))
}
