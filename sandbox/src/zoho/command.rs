//! The control over HTTP, for a stand-in in another process.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_sandbox` | addresses, credentials and the clock |
//! | `GET /_sandbox/counts` | the counters |
//! | `GET /_sandbox/items`, `GET /_sandbox/contacts` | all records as rows of a list |
//! | `GET /_sandbox/faults` | the faults that are not used up |
//! | `POST /_sandbox/<command>` | `{"ok": true}`, with `id` for what was created; 400 with `error` in words |
//!
//! Commands and their JSON bodies, empty where none is shown:
//! `shift_clock {"seconds": -60}`, `set_clock {"now": "2026-10-09T17:22:05Z"}`, `freeze_clock {"now": ..}`,
//! `reset_clock`, `change {"edit_item": {"item": "..", "fields": {"rate": 12.5}, "touch": false}}`,
//! `after_list_call {"calls": 1, "change": {"delete_item": {"item": ".."}}}`,
//! `fault {"fault": "bad_gateway", "endpoint": "image", "skip": 0, "count": 1}`, `clear_faults`, `expire_tokens`,
//! `set_revoked {"is_revoked": true}`, `remove_scope {"scope": ".."}`, `add_scope {"scope": ".."}`,
//! `set_limits {"per_minute": 100, "concurrent": 10, "per_day": 10000}`, `set_block_code {"code": 44}`,
//! `set_calls_today {"calls": 9990}`, `block`, `lift_block`, `reset_counts`, `save`, `restore`, `reset`.
//! `save` keeps one snapshot for `restore`.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::zoho::change::ZohoChange;
use crate::zoho::control::ZohoControl;
use crate::zoho::fault::ZohoFaultRule;
use crate::zoho::http::{Request, Response};
use crate::zoho::server::{CONTROL, Server};

/// What can be ordered; the path names the variant, the body is its content.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    ShiftClock {
        seconds: i64,
    },
    SetClock {
        now: Timestamp,
    },
    FreezeClock {
        now: Timestamp,
    },
    ResetClock,
    Change(ZohoChange),
    AfterListCall {
        calls: u64,
        change: ZohoChange,
    },
    Fault(ZohoFaultRule),
    ClearFaults,
    ExpireTokens,
    SetRevoked {
        is_revoked: bool,
    },
    RemoveScope {
        scope: String,
    },
    AddScope {
        scope: String,
    },
    SetLimits {
        per_minute: u32,
        concurrent: u32,
        per_day: u32,
    },
    SetBlockCode {
        code: i64,
    },
    SetCallsToday {
        calls: u32,
    },
    Block,
    LiftBlock,
    ResetCounts,
    Save,
    Restore,
    Reset,
}

impl Server {
    /// Answers a request of the control.
    pub(crate) fn control(self: &Arc<Self>, request: &Request) -> Response {
        let control = ZohoControl(Arc::clone(self));
        let name = request
            .path
            .strip_prefix(CONTROL)
            .unwrap_or_default()
            .trim_matches('/');
        let done = if request.method == "POST" {
            read(name, &request.body).and_then(|command| control.obey(command))
        } else {
            control
                .show(name)
                .ok_or_else(|| format!("there is nothing to see under {name}"))
        };
        match done {
            Ok(body) => Response::json(200, &body),
            Err(error) => Response::json(400, &json!({"error": error})),
        }
    }
}

/// A command from its name and the JSON of its content.
fn read(name: &str, body: &[u8]) -> Result<Command, String> {
    let command = if body.is_empty() {
        Json::from(name)
    } else {
        let content: Json = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        json!({name: content})
    };
    serde_json::from_value(command).map_err(|error| error.to_string())
}

impl ZohoControl {
    fn show(&self, name: &str) -> Option<Json> {
        match name {
            "" => Some(self.0.describe()),
            "counts" => serde_json::to_value(self.counts()).ok(),
            "faults" => serde_json::to_value(self.pending_faults()).ok(),
            "items" => Some(Json::Array(self.items())),
            "contacts" => Some(Json::Array(self.contacts())),
            _ => None,
        }
    }

    fn obey(&self, command: Command) -> Result<Json, String> {
        match command {
            Command::ShiftClock { seconds } => self.shift_clock(SignedDuration::from_secs(seconds)),
            Command::SetClock { now } => self.set_clock(now),
            Command::FreezeClock { now } => self.freeze_clock(now),
            Command::ResetClock => self.reset_clock(),
            Command::Change(change) => return self.apply(change).map(|id| json!({"ok": true, "id": id})),
            Command::AfterListCall { calls, change } => self.after_list_call(calls, change),
            Command::Fault(rule) => self.fault(rule),
            Command::ClearFaults => self.clear_faults(),
            Command::ExpireTokens => self.expire_tokens(),
            Command::SetRevoked { is_revoked } => self.set_revoked(is_revoked),
            Command::RemoveScope { scope } => self.remove_scope(&scope),
            Command::AddScope { scope } => self.add_scope(&scope),
            Command::SetLimits {
                per_minute,
                concurrent,
                per_day,
            } => {
                self.set_limits(per_minute, concurrent, per_day);
            }
            Command::SetBlockCode { code } => self.set_block_code(code),
            Command::SetCallsToday { calls } => self.set_calls_today(calls),
            Command::Block => self.block(),
            Command::LiftBlock => self.lift_block(),
            Command::ResetCounts => self.reset_counts(),
            Command::Save => {
                let snapshot = self.snapshot();
                self.0.world().saved = Some(snapshot);
            }
            Command::Restore => {
                let saved = self.0.world().saved.clone();
                self.restore(&saved.ok_or("nothing was saved")?);
            }
            Command::Reset => self.reset(),
        }
        Ok(json!({"ok": true}))
    }
}
