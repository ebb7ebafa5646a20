//! Everything one running server shares between its connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value as Json, json};
use tokio::sync::watch;

use crate::odoo::access::{Operation, User, refusal, users};
use crate::odoo::call::{Bound, signature};
use crate::odoo::clock::Clock;
use crate::odoo::control::Pending;
use crate::odoo::cost::Workers;
use crate::odoo::counters::Counters;
use crate::odoo::database::{Database, Tally};
use crate::odoo::error::OdooError;
use crate::odoo::fault::Faults;
use crate::odoo::method::Answer;
use crate::odoo::settings::{OdooSettings, OdooVersion};

/// The state behind the sockets.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: OdooSettings,
    pub(crate) users: [User; 2],
    /// The name of the only database.
    pub(crate) name: String,
    pub(crate) clock: Clock,
    /// Where calls cost what they do on a real server.
    pub(crate) workers: Option<Workers>,
    database: Mutex<Database>,
    counters: Mutex<Counters>,
    faults: Mutex<Faults>,
    sessions: Mutex<HashMap<String, i64>>,
    pending: Mutex<HashMap<u64, Pending>>,
    serial: AtomicU64,
    late: AtomicUsize,
    hurry: watch::Sender<()>,
}

/// A call of a model's method, before its arguments are bound.
#[derive(Debug, Clone)]
pub(crate) struct ModelCall {
    pub(crate) user: User,
    pub(crate) model: String,
    pub(crate) method: String,
    pub(crate) arguments: Arguments,
}

/// Arguments as the transport carries them.
#[derive(Debug, Clone)]
pub(crate) enum Arguments {
    /// JSON-RPC: a list and keywords.
    Positional(Vec<Json>, Map<String, Json>),
    /// JSON-2: names only.
    Named(Map<String, Json>),
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in one call leaves its transaction to be rolled back by the next `begin`; the state stays usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(crate) fn new(settings: OdooSettings) -> Self {
        Self {
            users: users(settings.version),
            name: format!("odoo{}", settings.version.major()),
            clock: Clock::real(),
            workers: settings.cost.map(Workers::new),
            database: Mutex::new(Database::new(&settings)),
            counters: Mutex::default(),
            faults: Mutex::default(),
            sessions: Mutex::default(),
            pending: Mutex::default(),
            serial: AtomicU64::new(1),
            late: AtomicUsize::new(0),
            hurry: watch::Sender::new(()),
            settings,
        }
    }

    pub(crate) fn version(&self) -> OdooVersion {
        self.settings.version
    }

    pub(crate) fn database(&self) -> MutexGuard<'_, Database> {
        locked(&self.database)
    }

    pub(crate) fn counters(&self) -> MutexGuard<'_, Counters> {
        locked(&self.counters)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        locked(&self.faults)
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        locked(&self.sessions)
    }

    pub(crate) fn pending(&self) -> MutexGuard<'_, HashMap<u64, Pending>> {
        locked(&self.pending)
    }

    /// A number nobody had before.
    pub(crate) fn serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Calls whose connection has ended and whose work is still to be done.
    pub(crate) fn late(&self) -> &AtomicUsize {
        &self.late
    }

    /// Told when these are to be done at once.
    pub(crate) fn hurry(&self) -> &watch::Sender<()> {
        &self.hurry
    }

    pub(crate) fn user(&self, uid: i64) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    /// The user with this login whose password, or API key, this is.
    pub(crate) fn login(&self, login: &str, secret: &str, api_key_too: bool) -> Option<&User> {
        let user = self.users.iter().find(|user| user.login == login)?;
        (user.password == secret || (api_key_too && user.api_key == secret)).then_some(user)
    }

    /// Runs a model call in a transaction of its own: all of it is kept, or nothing. Also what it did.
    pub(crate) fn perform(&self, call: &ModelCall) -> (Answer, Tally) {
        let now = self.clock.now();
        let mut database = self.database();
        database.begin(now, call.user.uid);
        let answer = perform(&mut database, call);
        let tally = database.tally;
        if answer.is_err() {
            database.rollback(0);
            self.counters().error();
        } else {
            self.counters().done(tally);
        }
        (answer, tally)
    }

    /// The error of a call for which rights are missing by order.
    pub(crate) fn refusal(&self, model: &str, method: &str) -> OdooError {
        let database = self.database();
        let description = database.schema.id(model).map_or("", |id| database.schema.model(id).description);
        let operation = match method {
            "create" | "load" | "copy" => Operation::Create,
            "write" | "action_archive" | "action_unarchive" => Operation::Write,
            "unlink" => Operation::Unlink,
            _ => Operation::Read,
        };
        refusal(self.version(), model, description, operation)
    }

    /// How `load` reports that another transaction was faster: a message per row, and nothing written.
    pub(crate) fn conflicting_load(rows: usize) -> Json {
        let message = OdooError::serialization().message;
        let messages: Vec<Json> = (0..rows)
            .map(|row| json!({"rows": {"from": row, "to": row}, "record": row, "type": "error", "message": message}))
            .collect();
        json!({"ids": false, "messages": messages, "nextrow": 0})
    }
}

fn perform(database: &mut Database, call: &ModelCall) -> Answer {
    let json2 = matches!(call.arguments, Arguments::Named(_));
    let Some(model) = database.schema.id(&call.model) else {
        return Err(if json2 {
            OdooError::http(404, format!("the model '{}' does not exist", call.model))
        } else {
            OdooError::user(format!("Object {} doesn't exist", call.model))
        });
    };
    if call.method.starts_with('_') {
        return Err(database.private(model, &call.method));
    }
    let Some(signature) = signature(database.version, &call.model, &call.method) else {
        let error = database.no_method(model, &call.method);
        return Err(if json2 { OdooError::http(404, error.message) } else { error });
    };
    let bound = match &call.arguments {
        Arguments::Positional(args, kwargs) => {
            let class = database.schema.model(model).class_name();
            Bound::positional(&class, &call.method, signature, args, kwargs)?
        }
        Arguments::Named(body) => Bound::named(&call.model, &call.method, signature, body)?,
    };
    let answer = database.run(&call.user, model, &call.method, &bound)?;
    // JSON-2 creates always answer a list.
    Ok(match answer {
        Some(Json::Number(id)) if json2 && call.method == "create" => Some(json!([id])),
        answer => answer,
    })
}
