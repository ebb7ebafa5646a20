//! The control of a running stand-in, from the same process.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::zoho::change::ZohoChange;
use crate::zoho::counters::ZohoCounts;
use crate::zoho::fault::ZohoFaultRule;
use crate::zoho::id::{Space, id};
use crate::zoho::item_row::{Product, View};
use crate::zoho::server::Server;
use crate::zoho::world::ZohoSnapshot;

/// Moves the clock, edits records, breaks things and reads counters. Clones control the same server.
#[derive(Debug, Clone)]
pub struct ZohoControl(pub(crate) Arc<Server>);

impl ZohoControl {
    /// The present by the server's clock, in whole seconds.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.world().clock.now()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Moves the clock forwards, running or not.
    pub fn advance_clock(&self, by: Duration) {
        self.0.world().clock.shift(milliseconds(by));
    }

    /// Moves the clock backwards, running or not.
    pub(crate) fn set_back_clock(&self, by: Duration) {
        self.0.world().clock.shift(-milliseconds(by));
    }

    /// Lets the clock run on from this point in time.
    pub fn set_clock(&self, now: Timestamp) {
        self.0.world().clock.set(now);
    }

    /// Stops the clock at this point in time. Tokens, limits and edits stand still with it.
    pub fn freeze_clock(&self, now: Timestamp) {
        self.0.world().clock.freeze(now);
    }

    /// Back to real time.
    pub fn reset_clock(&self) {
        self.0.world().clock.reset();
    }

    /// Id of the item of this number: seeded ones count from 0.
    pub fn item_id(&self, number: u32) -> String {
        id(Space::Item, number)
    }

    /// Id of the contact of this number: seeded ones count from 0.
    pub fn contact_id(&self, number: u32) -> String {
        id(Space::Contact, number)
    }

    /// Makes a change. Gives the id of what was created, otherwise an empty text; errors are in words.
    pub fn apply(&self, change: ZohoChange) -> Result<String, String> {
        self.0.world().apply(change)
    }

    /// Makes a change right after the given list call from now, so before the next page: 1 is the next call.
    /// A change that cannot be made then is told in [`ZohoCounts::failed_changes`].
    pub fn after_list_call(&self, calls: u64, change: ZohoChange) {
        self.0.world().due.push((calls, change));
    }

    /// Orders a fault.
    pub fn fault(&self, rule: ZohoFaultRule) {
        self.0.world().faults.add(rule);
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.0.world().faults.clear();
    }

    /// Faults that are not used up, oldest first.
    pub fn pending_faults(&self) -> Vec<ZohoFaultRule> {
        self.0.world().faults.pending()
    }

    /// Ends all access tokens; new ones are granted.
    pub fn expire_tokens(&self) {
        self.0.world().accounts.expire_tokens();
    }

    /// Refuses the refresh token with `invalid_code` and ends its access tokens, or takes it again.
    pub fn set_revoked(&self, is_revoked: bool) {
        self.0.world().accounts.set_revoked(is_revoked);
    }

    /// Takes a scope such as `ZohoInventory.items.READ` from all tokens, so that calls get 401 with code 57.
    pub fn remove_scope(&self, scope: &str) {
        self.0.world().accounts.remove_scope(scope);
    }

    /// Adds a scope to all tokens; `ZohoInventory.fullaccess.all` holds all of its product.
    pub fn add_scope(&self, scope: &str) {
        self.0.world().accounts.add_scope(scope);
    }

    /// Sets the limits: API calls per minute, in process at once, per day.
    pub fn set_limits(&self, per_minute: u32, concurrent: u32, per_day: u32) {
        let mut world = self.0.world();
        world.limits.per_minute = per_minute;
        world.limits.per_day = per_day;
        world.concurrent = concurrent;
    }

    /// The code of answers during the penalty for too many calls a minute: 43 (the start) or 44.
    pub(crate) fn set_block_code(&self, code: i64) {
        self.0.world().limits.block_code = code;
    }

    /// Sets how many API calls were made today.
    pub fn set_calls_today(&self, calls: u32) {
        let mut world = self.0.world();
        let clock = Arc::clone(&world.clock);
        world.limits.spend(calls, &clock);
    }

    /// Starts an hour's penalty that this client did not earn: another one of the organisation did.
    pub fn block(&self) {
        let mut world = self.0.world();
        let clock = Arc::clone(&world.clock);
        world.limits.block(&clock);
    }

    /// Ends a penalty.
    pub(crate) fn lift_block(&self) {
        self.0.world().limits.lift_block();
    }

    /// The counters since the start or the last reset of them.
    pub fn counts(&self) -> ZohoCounts {
        self.0.world().counts.clone()
    }

    /// Sets the counters to zero.
    pub fn reset_counts(&self) {
        self.0.world().counts = ZohoCounts::default();
    }

    /// Number of items that are not deleted.
    pub fn item_count(&self) -> usize {
        self.0.world().items.len()
    }

    /// All items as rows of Inventory's list, by change time: the truth to compare a sink with.
    pub fn items(&self) -> Vec<Json> {
        let world = self.0.world();
        let view = View {
            product: Product::Inventory,
            clock: &world.clock,
            image_bytes: world.settings.image_bytes,
        };
        world
            .items
            .since(i64::MIN)
            .filter_map(|number| world.items.get(number))
            .map(|item| view.row(&item))
            .collect()
    }

    /// All contacts as rows of a list, by change time.
    pub fn contacts(&self) -> Vec<Json> {
        let world = self.0.world();
        let contacts = world.contacts.since(i64::MIN).filter_map(|number| world.contacts.get(number));
        contacts.map(|contact| Json::Object(contact.row(&world.clock))).collect()
    }

    /// The records as they are now, for [`ZohoControl::restore`].
    pub fn snapshot(&self) -> ZohoSnapshot {
        self.0.world().snapshot()
    }

    /// Brings the records back to a snapshot, their change times included, as a restored backup does.
    pub fn restore(&self, snapshot: &ZohoSnapshot) {
        self.0.world().restore(snapshot);
    }

    /// Back to the start in everything: records, tokens, limits, faults, counters and clock.
    pub fn reset(&self) {
        self.0.world().reset();
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
