//! What is around every page.

use crate::page::assets;
use crate::page::session::Session;

/// Which part of the page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::page) enum Tab {
    Overview,
    Runs,
    Failures,
    Records,
}

#[derive(Debug, Clone)]
pub(in crate::page) struct Frame {
    pub(in crate::page) title: String,
    pub(in crate::page) tab: Tab,
    /// What was done by the form that led here.
    pub(in crate::page) notice: Option<&'static str>,
    pub(in crate::page) form_token: String,
    /// Somebody is signed in and can sign out.
    pub(in crate::page) is_signed_in: bool,
    pub(in crate::page) assets: &'static str,
    pub(in crate::page) version: &'static str,
}

impl Frame {
    pub(in crate::page) fn new(
        title: &str,
        tab: Tab,
        session: Option<&Session>,
        notice: Option<&'static str>,
    ) -> Self {
        Self {
            title: title.to_owned(),
            tab,
            notice,
            form_token: session.map(|session| session.form_token.clone()).unwrap_or_default(),
            is_signed_in: session.is_some_and(|session| session.id.is_some()),
            assets: assets::version(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    pub(in crate::page) fn is_at(&self, tab: Tab) -> bool {
        self.tab == tab
    }
}
