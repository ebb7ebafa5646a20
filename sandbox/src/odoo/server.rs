//! Requests to answers: routes, faults, counters.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use crate::http::{Handler, Reply, Request, Response};
use crate::odoo::database::Tally;
use crate::odoo::error::OdooError;
use crate::odoo::fault::Fault;
use crate::odoo::method::Answer;
use crate::odoo::settings::OdooVersion;
use crate::odoo::state::{Arguments, ModelCall, State};
use crate::odoo::{json2, jsonrpc, page, panel, session};

/// What a request turned out to be.
pub(crate) enum Task {
    /// Answered without a model call; `method` names it for fault rules, when it is about who asks.
    Plain { response: Response, method: Option<&'static str> },
    /// A model call still to be made, and how its answer is wrapped.
    Call { call: Box<ModelCall>, envelope: Envelope },
}

/// How an answer travels.
#[derive(Debug, Clone)]
pub(crate) enum Envelope {
    JsonRpc { id: Json },
    Json2,
}

impl Envelope {
    /// The answer of a model call as a response.
    pub(crate) fn wrap(&self, version: OdooVersion, answer: Answer) -> Response {
        match self {
            Self::JsonRpc { id } => jsonrpc::response(version, id, answer),
            Self::Json2 => json2::response(version, answer),
        }
    }
}

impl Handler for State {
    async fn handle(self: Arc<Self>, request: Request) -> Reply {
        if let Some(path) = request.path.strip_prefix("/_sandbox/") {
            return Reply::Whole(panel::answer(&self, &request, path));
        }
        let incoming = request.body.len();
        let task = route(&self, &request);
        drop(request);
        let reply = match task {
            Task::Plain { response, method } => Arc::clone(&self).plain(response, method).await,
            Task::Call { call, envelope } => Arc::clone(&self).call(*call, envelope).await,
        };
        let outgoing = match &reply {
            Reply::Whole(response) | Reply::Cut(response) => response.body.len(),
            Reply::Close | Reply::Hang => 0,
        };
        self.counters().bytes(incoming, outgoing);
        reply
    }

    fn date(&self) -> String {
        self.clock.now().http_date()
    }

    fn keeps_connections(&self) -> bool {
        self.settings.behind_proxy
    }
}

impl State {
    async fn plain(self: Arc<Self>, response: Response, method: Option<&'static str>) -> Reply {
        let Some(method) = method else {
            self.counters().other_call();
            return Reply::Whole(response);
        };
        self.counters().auth_call();
        let fault = self.faults().take(None, method);
        let Some(fault) = fault else {
            return Reply::Whole(response);
        };
        self.counters().fault();
        match fault {
            Fault::Delay { millis } => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Reply::Whole(response)
            }
            Fault::ExpireSessions => {
                self.sessions().clear();
                Reply::Whole(response)
            }
            Fault::AccessError | Fault::SerializationFailure => Reply::Whole(response),
            fault => without_work(&fault).unwrap_or_else(|| after_work(&fault, response)),
        }
    }

    async fn call(self: Arc<Self>, call: ModelCall, envelope: Envelope) -> Reply {
        let version = self.version();
        self.counters().model_call(&call.model, &call.method);
        let fault = self.faults().take(Some(&call.model), &call.method);
        if fault.is_some() {
            self.counters().fault();
        }
        if let Some(reply) = fault.as_ref().and_then(without_work) {
            return reply;
        }
        match &fault {
            Some(Fault::ExpireSessions) => {
                self.sessions().clear();
                let expired = Err(OdooError::session_expired());
                return Reply::Whole(envelope.wrap(version, expired));
            }
            Some(Fault::AccessError) => {
                let refused = Err(self.refusal(&call.model, &call.method));
                return Reply::Whole(envelope.wrap(version, refused));
            }
            Some(Fault::SerializationFailure) => {
                let answer = match rows_of_load(&call) {
                    Some(rows) => Ok(Some(Self::conflicting_load(rows))),
                    None => Err(OdooError::serialization()),
                };
                return Reply::Whole(envelope.wrap(version, answer));
            }
            Some(Fault::WorkLate { millis }) => {
                self.work_late(call, *millis);
                return Reply::Close;
            }
            Some(Fault::HangAndWorkLate { millis }) => {
                self.work_late(call, *millis);
                return Reply::Hang;
            }
            Some(Fault::Delay { millis }) => tokio::time::sleep(Duration::from_millis(*millis)).await,
            _ => {}
        }
        if !self.settings.call_delay.is_zero() {
            tokio::time::sleep(self.settings.call_delay).await;
        }
        let answer = Arc::clone(&self).work(call).await;
        let response = envelope.wrap(version, answer);
        if let Some(Fault::ReplyLate { millis }) = fault {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        match fault {
            Some(fault) => after_work(&fault, response),
            None => Reply::Whole(response),
        }
    }

    /// Does the work later, for nobody.
    fn work_late(self: Arc<Self>, call: ModelCall, millis: u64) {
        let mut hurry = self.hurry().subscribe();
        self.late().fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(millis)) => {}
                _ = hurry.changed() => {}
            }
            let answer = Arc::clone(&self).work(call).await;
            self.late().fetch_sub(1, Ordering::SeqCst);
            answer
        });
    }

    /// The call itself, off the threads that serve connections.
    async fn work(self: Arc<Self>, call: ModelCall) -> Answer {
        let (server, method) = (Arc::clone(&self), call.method.clone());
        let performed = async move {
            let done = tokio::task::spawn_blocking(move || server.perform(&call)).await;
            done.unwrap_or_else(|_| {
                let error = OdooError::new("builtins.RuntimeError", "the call panicked");
                (Err(error), Tally::default())
            })
        };
        match &self.workers {
            Some(workers) => workers.take(&method, performed).await,
            None => performed.await.0,
        }
    }
}

/// Rows of a `load`, or nothing when the call is another.
fn rows_of_load(call: &ModelCall) -> Option<usize> {
    if call.method != "load" {
        return None;
    }
    let data = match &call.arguments {
        Arguments::Positional(args, kwargs) => args.get(1).or_else(|| kwargs.get("data")),
        Arguments::Named(body) => body.get("data"),
    };
    Some(data.and_then(Json::as_array).map_or(0, Vec::len))
}

/// Faults for which nothing is done.
fn without_work(fault: &Fault) -> Option<Reply> {
    let page = |status, title: &str| {
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        Response::new(status, "text/html", body)
    };
    let later = |mut response: Response, seconds: u64| {
        response.headers.push(("Retry-After", seconds.to_string()));
        response
    };
    Some(match fault {
        Fault::BadGateway => Reply::Whole(page(502, "502 Bad Gateway")),
        Fault::TooManyRequests { retry_after } => {
            Reply::Whole(later(page(429, "429 Too Many Requests"), *retry_after))
        }
        Fault::Unavailable { retry_after } => {
            Reply::Whole(later(page(503, "503 Service Temporarily Unavailable"), *retry_after))
        }
        Fault::CloseBeforeAnswer => Reply::Close,
        Fault::Hang => Reply::Hang,
        Fault::InvalidJson => Reply::Whole(Response::new(
            200,
            page::JSON,
            "{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": [{\"id\": ",
        )),
        _ => return None,
    })
}

/// Faults that spoil the answer of work that was done.
fn after_work(fault: &Fault, mut response: Response) -> Reply {
    match fault {
        Fault::CutAnswer => Reply::Cut(response),
        Fault::LoseReply | Fault::WorkLate { .. } => Reply::Close,
        Fault::HangAndWorkLate { .. } => Reply::Hang,
        Fault::HugeBody { bytes } => {
            // White space after the value: still JSON, only far too much of it.
            response.body.resize(response.body.len().saturating_add(*bytes), b' ');
            Reply::Whole(response)
        }
        _ => Reply::Whole(response),
    }
}

fn route(state: &State, request: &Request) -> Task {
    let version = state.version();
    let plain = |response| Task::Plain { response, method: None };
    match request.path.as_str() {
        "/web/webclient/version_info" => jsonrpc::version_info(state, request),
        "/web/version" | "/json/version" if version == OdooVersion::V19 => {
            let info =
                json!({"version_info": page::version_info(version), "version": version.server_version()});
            Task::Plain {
                response: Response::new(200, page::JSON, info.to_string()),
                method: Some("version"),
            }
        }
        "/json/version" if version == OdooVersion::V18 => {
            plain(page::redirect("/web/login?redirect=%2Fjson%2Fversion%3F"))
        }
        "/web/health" => plain(health(version, &request.query)),
        "/jsonrpc" => jsonrpc::answer(state, request),
        "/web/database/list" => match jsonrpc::body(version, request) {
            Ok(body) => plain(jsonrpc::response(version, &body.id, Ok(Some(json!([state.name]))))),
            Err(response) => plain(response),
        },
        "/web/session/authenticate" => session::authenticate(state, request),
        path if path == "/web/dataset/call_kw" || path.starts_with("/web/dataset/call_kw/") => {
            session::call_kw(state, request)
        }
        path if version == OdooVersion::V19 && path.starts_with("/json/2/") => json2::answer(state, request),
        _ => plain(page::not_found()),
    }
}

fn health(version: OdooVersion, query: &str) -> Response {
    let mut answer = Map::new();
    answer.insert("status".to_owned(), json!("pass"));
    if version >= OdooVersion::V18 && query.contains("db_server_status=1") {
        answer.insert("db_server_status".to_owned(), json!(true));
    }
    Response::new(200, "application/json", Json::Object(answer).to_string())
}
