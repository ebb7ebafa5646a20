//! No secret in what the program says or leaves behind.

use std::path::Path;

use sandbox::{Fault, FaultRule, OdooVersion};

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

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_keys_are_in_no_output_and_no_file() {
    for (version, variable) in [(OdooVersion::V17, PASSWORD), (OdooVersion::V19, API_KEY)] {
        let sandbox = sandbox_with(version, 60, 60).await;
        let secret = if variable == API_KEY { sandbox.api_key() } else { sandbox.password() }.to_owned();
        let place = Place::with_secret(&sandbox, variable, &secret);
        let faults = [
            Fault::BadGateway,
            Fault::AccessError,
            Fault::InvalidJson,
            Fault::CutAnswer,
            Fault::SerializationFailure,
            Fault::TooManyRequests { retry_after: 1 },
        ];
        let mut said = String::new();
        for fault in faults {
            sandbox.control().fault(FaultRule::once(fault).method("search_read").times(8));
            let ran = place.run(&["-vv", "sync"]).await;
            assert_ne!(ran.code(), 0, "{ran:?}");
            said += &format!("{ran:?}");
            sandbox.control().clear_faults();
        }
        for arguments in
            [&["-vv", "sync"][..], &["status"], &["status", "--json"], &["check"], &["counts"], &["--help"]]
        {
            said += &format!("{:?}", place.run(arguments).await);
        }
        assert!(said.contains("Customers synced"), "{said}");
        assert!(!said.contains(&secret), "{said}");
        for (path, bytes) in files_below(&place.path("")) {
            assert!(!contains(&bytes, &secret), "{} holds the secret", path.display());
        }
    }
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
