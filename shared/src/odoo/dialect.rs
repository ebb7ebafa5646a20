//! How a call is spelt: JSON-RPC in a session, JSON-RPC `execute_kw`, or JSON-2.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::answer::Envelope;
use super::call::{Call, Named, Positional};
use crate::failure::{DEFECT, Failure, Reason};

/// About what a request takes beside its content, in bytes.
const FRAME: usize = 512;

/// Tells the version to anybody.
pub(super) const VERSION_PATH: &str = "/web/webclient/version_info";

/// A dialect with what proves who we are in it.
#[derive(Debug, Clone)]
pub enum Dialect {
    /// JSON-RPC on `/web/dataset/call_kw` with a session's cookie.
    Session {
        /// Value of `session_id`.
        cookie: SecretString,
    },
    /// JSON-RPC on `/jsonrpc`, service `object`, method `execute_kw`.
    ExecuteKw {
        /// Name of the database.
        database: String,
        /// Id of the user.
        uid: i64,
        /// Password or API key.
        secret: SecretString,
    },
    /// `/json/2`, Odoo 19 and newer.
    Json2 {
        /// Name of the database.
        database: String,
        /// API key.
        key: SecretString,
    },
}

/// An HTTP POST to make. Its debug form hides header values and body: both may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Path under the server's address, with a slash in front.
    pub path: String,
    /// Headers besides `Content-Type: application/json`.
    pub headers: Vec<(&'static str, String)>,
    /// JSON text.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("path", &self.path)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct JsonRpc<P> {
    jsonrpc: &'static str,
    method: &'static str,
    id: u32,
    params: P,
}

#[derive(Serialize)]
struct CallKw<'a> {
    model: &'a str,
    method: &'a str,
    args: Positional<'a>,
    kwargs: Named<'a>,
}

#[derive(Serialize)]
struct Dispatch<A> {
    service: &'static str,
    method: &'static str,
    args: A,
}

#[derive(Serialize)]
struct SessionLogin<'a> {
    db: &'a str,
    login: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
struct Nothing {}

impl Dialect {
    /// The request of a call.
    ///
    /// # Errors
    /// A systemic failure when the name of the model or method cannot be one.
    pub fn build(&self, call: &Call<'_>) -> Result<Request, Failure> {
        let (model, method) = (call.model, call.operation.method());
        for name in [model, method] {
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b)) {
                return Err(Failure::systemic(
                    Reason::Model,
                    format!("'{name}' is no name of an Odoo model or method"),
                )
                .advise("use the technical name, such as product.template"));
            }
        }
        let arguments = call.operation.arguments();
        let kwargs = Named { lists: [&arguments.named, &[]], context: &call.context };
        let args = Positional(&arguments.positional);
        let bytes = call.operation.bytes();
        match self {
            Self::Session { cookie } => {
                let params = CallKw { model, method, args, kwargs };
                let request = rpc(format!("/web/dataset/call_kw/{model}/{method}"), params, bytes)?;
                Ok(request.with("Cookie", format!("session_id={}", cookie.expose_secret())))
            }
            Self::ExecuteKw { database, uid, secret } => {
                let args = (database, uid, secret.expose_secret(), model, method, args, kwargs);
                let params = Dispatch { service: "object", method: "execute_kw", args };
                rpc("/jsonrpc".to_owned(), params, bytes)
            }
            Self::Json2 { database, key } => {
                let named =
                    Named { lists: [&arguments.positional, &arguments.named], context: &call.context };
                let request = Request::post(format!("/json/2/{model}/{method}"), &named, bytes)?;
                Ok(request
                    .with("Authorization", format!("Bearer {}", key.expose_secret()))
                    .with("X-Odoo-Database", database.clone()))
            }
        }
    }

    /// How its answers are wrapped.
    pub fn envelope(&self) -> Envelope {
        match self {
            Self::Session { .. } | Self::ExecuteKw { .. } => Envelope::JsonRpc,
            Self::Json2 { .. } => Envelope::Bare,
        }
    }
}

impl Request {
    /// Asks for the version; needs neither a database nor a login (measured on Odoo 17 to 19).
    pub fn version() -> Result<Self, Failure> {
        Self::post(VERSION_PATH.to_owned(), &Nothing {}, 0)
    }

    /// Opens a session; the answer sets its cookie.
    pub fn session_login(database: &str, login: &str, password: &SecretString) -> Result<Self, Failure> {
        let password = password.expose_secret();
        let params = SessionLogin { db: database, login, password };
        rpc("/web/session/authenticate".to_owned(), params, 0)
    }

    /// Asks for the id of the user; the answer is `false` when the password or API key is wrong.
    pub fn service_login(database: &str, login: &str, secret: &SecretString) -> Result<Self, Failure> {
        let args = (database, login, secret.expose_secret(), Nothing {});
        let params = Dispatch { service: "common", method: "authenticate", args };
        rpc("/jsonrpc".to_owned(), params, 0)
    }

    /// `bytes`: what the content takes at least.
    fn post(path: String, content: &impl Serialize, bytes: usize) -> Result<Self, Failure> {
        let mut body = Vec::with_capacity(bytes + FRAME);
        serde_json::to_writer(&mut body, content).map_err(|error| {
            Failure::permanent(Reason::BadRecord, "the values cannot be written as JSON")
                .advise(DEFECT)
                .because(error)
        })?;
        Ok(Self { path, headers: Vec::new(), body })
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

fn rpc(path: String, params: impl Serialize, bytes: usize) -> Result<Request, Failure> {
    let body = JsonRpc { jsonrpc: "2.0", method: "call", id: 1, params };
    Request::post(path, &body, bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::odoo::{Base64, Operation, Row, SearchRead};

    fn json2() -> Dialect {
        Dialect::Json2 { database: "shop".to_owned(), key: "k3y".into() }
    }

    fn session() -> Dialect {
        Dialect::Session { cookie: "c00kie".into() }
    }

    fn body(request: &Request) -> Value {
        serde_json::from_slice(&request.body).unwrap()
    }

    #[test]
    fn create_is_positional_in_json_rpc_and_named_in_json_2() {
        let rows = [Row::from_iter([("name".to_owned(), json!("Cup"))])];
        let call = Call {
            model: "product.template",
            operation: Operation::Create { rows: &rows },
            context: Row::from_iter([("lang".to_owned(), json!("de_DE"))]),
        };
        let request = session().build(&call).unwrap();
        assert_eq!(request.path, "/web/dataset/call_kw/product.template/create");
        assert_eq!(request.headers, [("Cookie", "session_id=c00kie".to_owned())]);
        assert_eq!(
            body(&request)["params"],
            json!({"model": "product.template", "method": "create", "args": [[{"name": "Cup"}]],
                "kwargs": {"context": {"lang": "de_DE"}}})
        );
        let request = json2().build(&call).unwrap();
        assert_eq!(request.path, "/json/2/product.template/create");
        assert_eq!(body(&request), json!({"vals_list": [{"name": "Cup"}], "context": {"lang": "de_DE"}}));
    }

    #[test]
    fn binary_field_is_written_as_any_other() {
        let field = "image_1920";
        let image = Base64::of(&[0xfb; 100]);
        for (content, value) in [(Some(&image), json!(image.text())), (None, json!(false))] {
            let values = Row::from_iter([(field.to_owned(), value)]);
            let call = |operation| Call { model: "product.template", operation, context: Row::new() };
            let binary = call(Operation::WriteBinary { ids: &[7], field, content });
            let any = call(Operation::Write { ids: &[7], values: &values });
            for dialect in [session(), json2()] {
                assert!(dialect.build(&binary).unwrap() == dialect.build(&any).unwrap(), "{dialect:?}");
            }
        }
    }

    #[test]
    fn numbers_keep_their_text() {
        let rows = [vec![serde_json::from_str("12.3400000000000000001").unwrap()]];
        let fields = ["list_price".to_owned()];
        let operation = Operation::Load { fields: &fields, rows: &rows };
        let call = Call { model: "product.template", operation, context: Row::new() };
        let request = json2().build(&call).unwrap();
        let text = String::from_utf8(request.body).unwrap();
        assert_eq!(text, r#"{"fields":["list_price"],"data":[[12.3400000000000000001]]}"#);
    }

    #[test]
    fn name_that_would_change_the_path_is_refused() {
        let search = SearchRead::new("res.partner/../../web?x");
        let call =
            Call { model: &search.model, operation: Operation::SearchRead(&search), context: Row::new() };
        assert_eq!(json2().build(&call).unwrap_err().reason, Reason::Model);
    }

    #[test]
    fn debug_form_of_a_request_shows_no_secret() {
        let search = SearchRead::new("res.partner");
        let call =
            Call { model: "res.partner", operation: Operation::SearchRead(&search), context: Row::new() };
        let dialect = Dialect::ExecuteKw { database: "shop".to_owned(), uid: 2, secret: "k3y".into() };
        for dialect in [dialect, session(), json2()] {
            let shown = format!("{dialect:?} {:?}", dialect.build(&call).unwrap());
            assert!(!shown.contains("k3y") && !shown.contains("c00kie"), "{shown}");
        }
    }
}
