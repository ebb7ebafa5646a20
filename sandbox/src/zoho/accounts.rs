//! The accounts server: access tokens for a refresh token.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use serde_json::json;

use crate::zoho::http::Response;
use crate::zoho::params::Params;

/// Client id of the only client.
pub(crate) const CLIENT_ID: &str = "1000.SANDBOX0CLIENT0SANDBOX0CLIENT";
/// Its secret.
pub(crate) const CLIENT_SECRET: &str = "5a9db0c5ec7e7a9db0c5ec7e7a9db0c5ec7e7a9db0";
/// The only refresh token.
pub(crate) const REFRESH_TOKEN: &str =
    "1000.5a9db0f8e54705a9db0f8e5470aa5a9d.b0f8e54705a9db0f8e54705a9db0aa55";

/// Seconds that an access token is good for.
const LIFETIME: i64 = 3600;
/// Access tokens that are good at the same time; one more ends the oldest.
const MAX_ACTIVE: usize = 10;
/// Requests with one refresh token in a window.
const MAX_REQUESTS: u32 = 10;
/// Seconds of the window, counted from its first request.
const WINDOW: i64 = 600;
/// What the token endpoint grants by default: everything that is modelled, in both products.
const SCOPES: [&str; 5] = [
    "ZohoInventory.items.READ",
    "ZohoInventory.settings.READ",
    "ZohoInventory.contacts.READ",
    "ZohoBooks.settings.READ",
    "ZohoBooks.contacts.READ",
];

/// Grants and checks access tokens.
#[derive(Debug)]
pub(crate) struct Accounts {
    scopes: Vec<String>,
    is_revoked: bool,
    /// Active tokens, oldest first: the token and the second in which it ends.
    tokens: VecDeque<(String, i64)>,
    window_start: i64,
    requests: u32,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        Self {
            scopes: SCOPES.map(str::to_owned).to_vec(),
            is_revoked: false,
            tokens: VecDeque::new(),
            window_start: i64::MIN,
            requests: 0,
        }
    }

    /// Answers a token request. Refusals come with HTTP 200 and an error in the body, but for the throttle.
    pub(crate) fn grant(&mut self, params: &Params, now: i64, api_domain: &str) -> Response {
        let refused = |error: &str| Response::json(200, &json!({"error": error}));
        let presented = params.get("refresh_token").unwrap_or_default();
        if presented == REFRESH_TOKEN && !self.admit(now) {
            return throttled();
        }
        if params.get("client_id") != Some(CLIENT_ID) {
            return refused("invalid_client");
        }
        if params.get("client_secret") != Some(CLIENT_SECRET) {
            return refused("invalid_client_secret");
        }
        if params.get("grant_type") != Some("refresh_token") {
            // Other grants need a browser; how Zoho words an unknown one was not seen.
            return refused("unsupported_grant_type");
        }
        if presented != REFRESH_TOKEN || self.is_revoked {
            return refused("invalid_code");
        }
        let body = json!({
            "access_token": self.mint(now), "scope": self.scopes.join(" "), "api_domain": api_domain,
            "token_type": "Bearer", "expires_in": LIFETIME,
        });
        Response::json(200, &body)
    }

    /// Whether this token is good now.
    pub(crate) fn accepts(&self, token: &str, now: i64) -> bool {
        self.tokens.iter().any(|(known, end)| known == token && now < *end)
    }

    /// Whether tokens carry this scope, by itself or by full access to its product.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        let product = scope.split('.').next().unwrap_or_default();
        let full = format!("{product}.fullaccess.all");
        self.scopes.iter().any(|held| held == scope || held.eq_ignore_ascii_case(&full))
    }

    /// Ends every access token, as a revocation in the accounts page does.
    pub(crate) fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Whether the refresh token is refused from now on; active access tokens end with it.
    pub(crate) fn set_revoked(&mut self, is_revoked: bool) {
        self.is_revoked = is_revoked;
        if is_revoked {
            self.expire_tokens();
        }
    }

    /// Takes a scope from the refresh token and from all its access tokens.
    pub(crate) fn remove_scope(&mut self, scope: &str) {
        self.scopes.retain(|held| held != scope);
    }

    /// Adds a scope to the refresh token and to all its access tokens.
    pub(crate) fn add_scope(&mut self, scope: &str) {
        if !self.scopes.iter().any(|held| held == scope) {
            self.scopes.push(scope.to_owned());
        }
    }

    fn admit(&mut self, now: i64) -> bool {
        let is_open = self.window_start <= now && now < self.window_start.saturating_add(WINDOW);
        if !is_open {
            self.window_start = now;
            self.requests = 0;
        }
        self.requests += 1;
        self.requests <= MAX_REQUESTS
    }

    fn mint(&mut self, now: i64) -> String {
        // Random, so that no token of another server or of the time before a reset is good by accident.
        let [first, second, third, fourth] = [0, 1, 2, 3].map(|part: u8| RandomState::new().hash_one(part));
        let token = format!("1000.{first:016x}{second:016x}.{third:016x}{fourth:016x}");
        self.tokens.push_back((token.clone(), now.saturating_add(LIFETIME)));
        if self.tokens.len() > MAX_ACTIVE {
            self.tokens.pop_front();
        }
        token
    }
}

/// The throttle of the token endpoint. It is no refusal of the credentials, although it reads like one.
pub(crate) fn throttled() -> Response {
    let body = json!({
        "error_description": "You have made too many requests continuously. Please try again after some time.",
        "error": "Access Denied", "status": "failure",
    });
    Response::json(400, &body)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    fn form(secret: &str) -> Params {
        Params::read(&format!(
            "refresh_token={REFRESH_TOKEN}&client_id={CLIENT_ID}&client_secret={secret}&grant_type=refresh_token"
        ))
    }

    fn grant(accounts: &mut Accounts, now: i64) -> (u16, Json) {
        let response = accounts.grant(&form(CLIENT_SECRET), now, "http://x");
        (response.status, serde_json::from_slice(&response.body).unwrap())
    }

    #[test]
    fn a_token_is_good_for_an_hour() {
        let mut accounts = Accounts::new();
        let token = grant(&mut accounts, 1000).1["access_token"].as_str().unwrap().to_owned();
        assert!(accounts.accepts(&token, 1000) && accounts.accepts(&token, 4599));
        assert!(!accounts.accepts(&token, 4600) && !accounts.accepts("1000.other", 1000));
    }

    #[test]
    fn the_eleventh_request_in_ten_minutes_is_refused_with_400_until_they_are_over() {
        let mut accounts = Accounts::new();
        for _ in 0..10 {
            assert_eq!(grant(&mut accounts, 0).0, 200);
        }
        let (status, body) = grant(&mut accounts, 599);
        assert_eq!((status, &body["error"]), (400, &Json::from("Access Denied")));
        assert_eq!(grant(&mut accounts, 600).0, 200);
    }

    #[test]
    fn the_eleventh_active_token_ends_the_oldest() {
        let mut accounts = Accounts::new();
        let mut tokens = Vec::new();
        for now in (0..11).map(|number| number * 61) {
            tokens.push(grant(&mut accounts, now).1["access_token"].as_str().unwrap_or_default().to_owned());
        }
        assert!(tokens.iter().all(|token| !token.is_empty()), "{tokens:?}");
        assert!(!accounts.accepts(&tokens[0], 700) && accounts.accepts(&tokens[1], 700));
    }

    #[test]
    fn wrong_credentials_are_told_apart_in_bodies_of_http_200() {
        let mut accounts = Accounts::new();
        let response = accounts.grant(&form("wrong"), 0, "");
        assert_eq!(
            (response.status, response.body.as_slice()),
            (200, &br#"{"error":"invalid_client_secret"}"#[..])
        );
        accounts.set_revoked(true);
        assert_eq!(grant(&mut accounts, 0).1["error"], "invalid_code");
    }

    #[test]
    fn full_access_to_a_product_holds_all_its_scopes() {
        let mut accounts = Accounts::new();
        accounts.remove_scope("ZohoInventory.items.READ");
        assert!(!accounts.has_scope("ZohoInventory.items.READ"));
        accounts.add_scope("ZohoInventory.FullAccess.all");
        assert!(accounts.has_scope("ZohoInventory.items.READ"));
    }
}
