//! Forms of the page and the ends of addresses: their fields, and the proof that they are ours.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, Uri};

use super::refusal::Refusal;
use super::session::Session;

/// The field with the session's token.
pub(super) const TOKEN: &str = "form_token";

/// What a form sent.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn read(body: Result<Bytes, BytesRejection>) -> Result<Self, Refusal> {
        let body = body.map_err(|_| Refusal::too_large())?;
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// What stands behind the `?` of an address.
    pub(super) fn of_query(uri: &Uri) -> Self {
        Self(form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Without white space around it; `None` where nothing is left.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|text| !text.is_empty())
    }
}

/// The fields, where they come from a form of this session.
pub(super) fn of_session(
    body: Result<Bytes, BytesRejection>,
    session: Option<&Session>,
) -> Result<Fields, Refusal> {
    let fields = Fields::read(body)?;
    match session {
        Some(session) if fields.get(TOKEN) == Some(session.form_token.as_str()) => Ok(fields),
        _ => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "This form is not from this session, or it is an old one. Load the page again and repeat what you did.",
        )),
    }
}
