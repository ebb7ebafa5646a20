//! No secret in what the program says or leaves behind.

use std::path::Path;

use sandbox::{Fault, FaultRule, OdooSandbox, OdooVersion};

use crate::place::{API_KEY, PASSWORD, Place};
use crate::truth::sandbox_with;

/// Every file below a folder, as bytes.
pub(crate) fn files_below(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found
}

/// Whether a text is anywhere in the bytes.
pub(crate) fn contains(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// A place whose secret is given in this variable, what was said there, and the secret.
struct Told {
    sandbox: OdooSandbox,
    place: Place,
    said: String,
    secret: String,
}

impl Told {
    async fn nothing_yet(variable: &'static str) -> Self {
        let version = if variable == API_KEY { OdooVersion::V19 } else { OdooVersion::V17 };
        let sandbox = sandbox_with(version, 60, 60).await;
        let secret = if variable == API_KEY { sandbox.api_key() } else { sandbox.password() }.to_owned();
        let place = Place::with_secret(&sandbox, variable, &secret);
        Self { sandbox, place, said: String::new(), secret }
    }

    /// A sync that fails over each.
    async fn failures(mut self, faults: [Fault; 3]) -> Self {
        for fault in faults {
            self.sandbox.control().fault(FaultRule::once(fault).method("search_read").times(8));
            let ran = self.place.run(&["-vv", "sync"]).await;
            assert_ne!(ran.code(), 0, "{ran:?}");
            self.said += &format!("{ran:?}");
            self.sandbox.control().clear_faults();
        }
        self
    }

    /// What works, too, and then everything that is there.
    async fn holds_no_secret(mut self) {
        for arguments in
            [&["-vv", "sync"][..], &["status"], &["status", "--json"], &["check"], &["counts"], &["--help"]]
        {
            self.said += &format!("{:?}", self.place.run(arguments).await);
        }
        let Self { said, secret, place, .. } = self;
        assert!(said.contains("Customers synced"), "{said}");
        assert!(!said.contains(&secret), "{said}");
        for (path, bytes) in files_below(&place.path("")) {
            assert!(!contains(&bytes, &secret), "{} holds the secret", path.display());
        }
    }
}

const OF_PROXIES: [Fault; 3] = [Fault::BadGateway, Fault::InvalidJson, Fault::CutAnswer];
const OF_ODOO: [Fault; 3] =
    [Fault::AccessError, Fault::SerializationFailure, Fault::TooManyRequests { retry_after: 1 }];

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_output_and_no_file_where_proxies_fail() {
    Told::nothing_yet(PASSWORD).await.failures(OF_PROXIES).await.holds_no_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_output_and_no_file_where_odoo_refuses() {
    Told::nothing_yet(PASSWORD).await.failures(OF_ODOO).await.holds_no_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_in_no_output_and_no_file_where_proxies_fail() {
    Told::nothing_yet(API_KEY).await.failures(OF_PROXIES).await.holds_no_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_in_no_output_and_no_file_where_odoo_refuses() {
    Told::nothing_yet(API_KEY).await.failures(OF_ODOO).await.holds_no_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_address_is_not_repeated() {
    let sandbox = sandbox_with(OdooVersion::V18, 10, 10).await;
    let place = Place::new(&sandbox);
    let with_password = sandbox.url().replace("http://", "http://someone:geheim@");
    place.reconfigure(&sandbox.url(), &with_password);
    for arguments in [&["-vv", "check"][..], &["-vv", "sync"], &["status", "--json"]] {
        let ran = place.run(arguments).await;
        assert!(!format!("{ran:?}").contains("geheim"), "{ran:?}");
    }
}
