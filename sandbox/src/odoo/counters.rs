//! What was asked of the server.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::odoo::database::Tally;

/// Calls of one method of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallCount {
    /// The model, such as `res.partner`.
    pub model: String,
    /// The method, such as `search_read`.
    pub method: String,
    /// How often it was called, failed calls included.
    pub calls: u64,
}

/// A snapshot of the counters since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Calls that find out the release or prove who asks: `version_info`, `version`, `authenticate`, `login`.
    pub auth_calls: u64,
    /// Calls of a model's method.
    pub model_calls: u64,
    /// Everything else that was requested.
    pub other_calls: u64,
    /// Model calls by model and method, sorted.
    pub calls: Vec<CallCount>,
    /// Calls answered with an error of Odoo's.
    pub errors: u64,
    /// Records returned by read methods.
    pub rows_returned: u64,
    /// Records created.
    pub rows_created: u64,
    /// Records written, whether anything differed or not.
    pub rows_written: u64,
    /// Written records of which something changed.
    pub rows_changed: u64,
    /// Records archived by a write or by `action_archive`.
    pub rows_archived: u64,
    /// Records deleted.
    pub rows_deleted: u64,
    /// Times a picture was set or cleared.
    pub image_writes: u64,
    /// Bytes of request bodies.
    pub bytes_in: u64,
    /// Bytes of answer bodies.
    pub bytes_out: u64,
    /// Faults that were played.
    pub faults: u64,
}

impl Counts {
    /// Calls of one method of one model.
    pub fn calls_of(&self, model: &str, method: &str) -> u64 {
        let found = self.calls.iter().find(|count| count.model == model && count.method == method);
        found.map_or(0, |count| count.calls)
    }
}

/// The running counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    totals: Counts,
    calls: BTreeMap<(String, String), u64>,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Counts {
        let calls = self.calls.iter().map(|((model, method), calls)| CallCount {
            model: model.clone(),
            method: method.clone(),
            calls: *calls,
        });
        Counts { calls: calls.collect(), ..self.totals.clone() }
    }

    pub(crate) fn auth_call(&mut self) {
        self.totals.auth_calls += 1;
    }

    pub(crate) fn other_call(&mut self) {
        self.totals.other_calls += 1;
    }

    pub(crate) fn model_call(&mut self, model: &str, method: &str) {
        self.totals.model_calls += 1;
        *self.calls.entry((model.to_owned(), method.to_owned())).or_default() += 1;
    }

    pub(crate) fn bytes(&mut self, incoming: usize, outgoing: usize) {
        self.totals.bytes_in += u64::try_from(incoming).unwrap_or(0);
        self.totals.bytes_out += u64::try_from(outgoing).unwrap_or(0);
    }

    pub(crate) fn fault(&mut self) {
        self.totals.faults += 1;
    }

    pub(crate) fn error(&mut self) {
        self.totals.errors += 1;
    }

    /// Adds what a transaction that was kept did.
    pub(crate) fn done(&mut self, tally: Tally) {
        let totals = &mut self.totals;
        totals.rows_returned += tally.rows_read;
        totals.rows_created += tally.created;
        totals.rows_written += tally.written;
        totals.rows_changed += tally.changed;
        totals.rows_archived += tally.archived;
        totals.rows_deleted += tally.deleted;
        totals.image_writes += tally.image_writes;
    }
}
