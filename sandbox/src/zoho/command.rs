//! The control over HTTP, for a stand-in in another process.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_sandbox` | addresses, credentials and the clock |
//! | `GET /_sandbox/counts` | the counters |
//! | `POST /_sandbox/counts/reset` | sets them to zero |
//! | `GET /_sandbox/clock` | `{"now": ..}` |
//! | `POST /_sandbox/clock` | `{"set": time}`, `{"freeze": time}`, `{"advance_millis": n}`, or `{}` for real time |
//! | `GET /_sandbox/items`, `GET /_sandbox/contacts` | all records as rows of a list |
//! | `GET /_sandbox/faults` | the faults still to come |
//! | `POST /_sandbox/faults` | adds a rule (see [`crate::ZohoFaultRule`]) |
//! | `POST /_sandbox/faults/clear` | withdraws them |
//! | `POST /_sandbox/<command>` | carries out one of the commands below |
//!
//! Commands and their JSON bodies, empty where none is shown:
//! `change {"edit_item": {"item": "..", "fields": {"rate": 12.5}, "touch": false}}`,
//! `after_list_call {"calls": 1, "change": {"delete_item": {"item": ".."}}}`,
//! `expire_tokens`,
//! `set_revoked {"is_revoked": true}`, `remove_scope {"scope": ".."}`, `add_scope {"scope": ".."}`,
//! `set_limits {"per_minute": 100, "concurrent": 10, "per_day": 10000}`, `set_block_code {"code": 44}`,
//! `set_calls_today {"calls": 9990}`, `block`, `lift_block`, `save`, `restore`, `reset`.
//! `save` keeps one snapshot for `restore`. Answers are `{"done": true}`, with `id` for what was created; failures
//! answer 400 with `{"error": ..}`. Times are written as `2026-10-09T17:22:05Z`; `advance_millis` may be negative.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
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
    Clock(ClockOrder),
    Change(ZohoChange),
    AfterListCall {
        calls: u64,
        change: ZohoChange,
    },
    #[serde(rename = "faults")]
    Fault(ZohoFaultRule),
    #[serde(rename = "faults/clear")]
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
    #[serde(rename = "counts/reset")]
    ResetCounts,
    Save,
    Restore,
    Reset,
}

/// What becomes of the clock; without any, it shows real time again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockOrder {
    set: Option<Timestamp>,
    freeze: Option<Timestamp>,
    advance_millis: Option<i64>,
}

impl Server {
    /// Answers a request of the control.
    pub(crate) fn control(self: &Arc<Self>, request: &Request) -> Response {
        let control = ZohoControl(Arc::clone(self));
        let name = request.path.strip_prefix(CONTROL).unwrap_or_default().trim_matches('/');
        let done = if request.method == "POST" {
            read(name, &request.body).and_then(|command| control.obey(command))
        } else {
            control.show(name).ok_or_else(|| format!("there is nothing to see under {name}"))
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
            "clock" => Some(json!({"now": self.now()})),
            "faults" => serde_json::to_value(self.pending_faults()).ok(),
            "items" => Some(Json::Array(self.items())),
            "contacts" => Some(Json::Array(self.contacts())),
            _ => None,
        }
    }

    fn obey_clock(&self, order: &ClockOrder) {
        if let Some(now) = order.set {
            self.set_clock(now);
        } else if let Some(now) = order.freeze {
            self.freeze_clock(now);
        } else if let Some(millis) = order.advance_millis {
            let by = Duration::from_millis(millis.unsigned_abs());
            if millis < 0 {
                self.set_back_clock(by);
            } else {
                self.advance_clock(by);
            }
        } else {
            self.reset_clock();
        }
    }

    fn obey(&self, command: Command) -> Result<Json, String> {
        match command {
            Command::Clock(order) => self.obey_clock(&order),
            Command::Change(change) => return self.apply(change).map(|id| json!({"done": true, "id": id})),
            Command::AfterListCall { calls, change } => self.after_list_call(calls, change),
            Command::Fault(rule) => self.fault(rule),
            Command::ClearFaults => self.clear_faults(),
            Command::ExpireTokens => self.expire_tokens(),
            Command::SetRevoked { is_revoked } => self.set_revoked(is_revoked),
            Command::RemoveScope { scope } => self.remove_scope(&scope),
            Command::AddScope { scope } => self.add_scope(&scope),
            Command::SetLimits { per_minute, concurrent, per_day } => {
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
        Ok(json!({"done": true}))
    }
}
