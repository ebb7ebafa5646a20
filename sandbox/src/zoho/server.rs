//! The server: which part answers a request, and what goes wrong on the way.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use crate::zoho::accounts;
use crate::zoho::api::Call;
use crate::zoho::clock::Clock;
use crate::zoho::error::ApiError;
use crate::zoho::fault::ZohoFault;
use crate::zoho::http::{Handler, Pace, Reply, Request, Response};
use crate::zoho::params::Params;
use crate::zoho::picture::photo;
use crate::zoho::route::{Route, ZohoEndpoint};
use crate::zoho::world::World;

/// Path of the token endpoint.
const TOKEN_PATH: &str = "/oauth/v2/token";
/// Path under which redirected images lie, at another host name of the same server.
const ELSEWHERE: &str = "/elsewhere/";
/// Path under which the control lies.
pub(crate) const CONTROL: &str = "/_sandbox";

/// One organisation at one address.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    clock: Arc<Clock>,
    world: Mutex<World>,
    in_process: AtomicU32,
}

/// A call in process; dropped when its answer is written.
#[derive(Debug)]
struct InProcess(Arc<Server>);

impl Drop for InProcess {
    fn drop(&mut self) {
        self.0.in_process.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    pub(crate) fn new(port: u16, world: World) -> Self {
        let clock = Arc::clone(&world.clock);
        Self { port, clock, world: Mutex::new(world), in_process: AtomicU32::new(0) }
    }

    /// The organisation. A panic elsewhere leaves it usable: every change is made in one step.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Address without a path.
    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn token(&self, request: &Request) -> Response {
        let mut params = Params::read(&String::from_utf8_lossy(&request.body));
        params.extend(Params::read(&request.query));
        let base = self.base();
        let mut world = self.world();
        let now = self.clock.now();
        world.accounts.grant(&params, now, &base)
    }

    fn api(&self, request: &Request, route: Route) -> Response {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            // Only reading is modelled; the documentation lists the status, the code was not seen.
            return ApiError::new(405, 37, "The HTTP method is not allowed for the requested resource")
                .response();
        }
        let elsewhere = format!("http://localhost:{}/elsewhere", self.port);
        let call = Call {
            route,
            params: Params::read(&request.query),
            authorization: request.header("authorization"),
            elsewhere: &elsewhere,
        };
        let answer = self.world().answer(&call);
        answer.unwrap_or_else(|error| error.response())
    }

    /// A redirected image, at a host that must not see the token.
    fn elsewhere(&self, request: &Request, name: &str) -> Response {
        let mut world = self.world();
        if request.header("authorization").is_some() {
            world.counts.leaked_tokens += 1;
        }
        let bytes = photo(name.parse().unwrap_or(0), world.settings.image_bytes);
        world.counts.served(name, bytes.len());
        Response::new(200, "image/jpeg", bytes)
    }

    /// Plays the fault of a call: the reply when it replaces the answer.
    async fn befall(&self, fault: &ZohoFault) -> Option<Reply> {
        let per_day = {
            let mut world = self.world();
            world.counts.faults += 1;
            world.limits.per_day
        };
        let answer = match fault {
            ZohoFault::BadGateway => Response::html(502, "502 Bad Gateway"),
            ZohoFault::InternalError => ApiError::new(500, 1000, "Internal error").response(),
            ZohoFault::BadRequest => ApiError::invalid_value("organization_id").response(),
            ZohoFault::NotFound => ApiError::new(404, 1002, "Resource does not exist.").response(),
            ZohoFault::Unauthorized => ApiError::unauthorized().response(),
            ZohoFault::AccessDenied => accounts::throttled(),
            ZohoFault::Throttled { code, retry_after } => {
                ApiError::throttled(*code, per_day, *retry_after).response()
            }
            ZohoFault::ThrottledPage => Response::html(429, "Too many requests"),
            ZohoFault::ErrorInSuccess { code } => {
                Response::json(200, &json!({"code": code, "message": "Internal error"}))
            }
            ZohoFault::Close => return Some(Reply::Close),
            ZohoFault::Hang => return Some(Reply::Hang),
            ZohoFault::Delay { millis } => {
                tokio::time::sleep(Duration::from_millis(*millis)).await;
                return None;
            }
            ZohoFault::Cut | ZohoFault::EndEarly { .. } => return None,
        };
        Some(Reply::Answer(answer))
    }

    async fn call(&self, request: Request, in_process: u32) -> Reply {
        let route = Route::of(&request.path);
        let is_token = request.path == TOKEN_PATH;
        let endpoint = match &route {
            _ if is_token => ZohoEndpoint::Token,
            Some(route) => route.endpoint(),
            None => ZohoEndpoint::Other,
        };
        let (fault, delay, concurrent, per_day) = {
            let mut world = self.world();
            world.counts.call(endpoint);
            let delay = if is_token { Duration::ZERO } else { world.settings.call_delay };
            (world.faults.take(endpoint), delay, world.concurrent, world.limits.per_day)
        };
        if let Some(fault) = &fault
            && let Some(reply) = self.befall(fault).await
        {
            return reply;
        }
        if !is_token && in_process > concurrent {
            return Reply::Answer(ApiError::throttled(1070, per_day, None).response());
        }
        tokio::time::sleep(delay).await;
        let mut response = match route {
            _ if is_token => self.token(&request),
            Some(route) => self.api(&request, route),
            None => ApiError::invalid_url().response(),
        };
        if fault == Some(ZohoFault::Cut) {
            response.pace = Pace::Cut;
        }
        if let Some(ZohoFault::EndEarly { rows }) = fault {
            end_early(&mut response, rows);
        }
        Reply::Answer(response)
    }

    fn count_status(&self, endpoint_is_token: bool, status: u16) {
        let mut world = self.world();
        match status {
            429 => world.counts.throttled += 1,
            400 if endpoint_is_token => world.counts.throttled += 1,
            401 => world.counts.unauthorized += 1,
            _ => {}
        }
    }
}

/// Takes the rows of a list away behind the first few.
fn end_early(response: &mut Response, rows: usize) {
    let Ok(mut body) = serde_json::from_slice::<serde_json::Value>(&response.body) else { return };
    for list in ["items", "contacts"] {
        if let Some(list) = body.get_mut(list).and_then(serde_json::Value::as_array_mut) {
            list.truncate(rows);
        }
    }
    if let Some(has_more) = body.pointer_mut("/page_context/has_more_page") {
        *has_more = false.into();
    }
    response.body = body.to_string().into_bytes();
}

impl Handler for Server {
    async fn handle(self: Arc<Self>, request: Request) -> (Reply, Box<dyn Send>) {
        if request.path.starts_with(CONTROL) {
            return (Reply::Answer(self.control(&request)), Box::new(()));
        }
        if let Some(name) = request.path.strip_prefix(ELSEWHERE) {
            return (Reply::Answer(self.elsewhere(&request, name)), Box::new(()));
        }
        let is_token = request.path == TOKEN_PATH;
        // Tokens are granted by the accounts server, which is no part of the organisation's limits.
        let in_process = self.in_process.fetch_add(u32::from(!is_token), Ordering::SeqCst) + 1;
        let guard: Box<dyn Send> =
            if is_token { Box::new(()) } else { Box::new(InProcess(Arc::clone(&self))) };
        let reply = self.call(request, in_process).await;
        if let Reply::Answer(response) = &reply {
            self.count_status(is_token, response.status);
        }
        (reply, guard)
    }

    fn date(&self) -> String {
        self.clock.http_date()
    }
}
