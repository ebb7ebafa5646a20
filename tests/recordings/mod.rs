//! The stand-in Odoo against recordings of real ones: every recorded request is sent again, in order, and the answer
//! compared.
//!
//! The stand-in starts empty and gets its records from the recordings' own writes; what was done beside them is done
//! through its controls. Ids differ where the real database held other records before, so they are translated.

mod compare;
mod exceptions;
mod pictures;
mod preparation;
mod replay;
mod secrets;

use replay::Replay;
use sandbox::{OdooSandbox, OdooSettings, OdooVersion};
use tests::recordings::{Recording, recordings};

async fn agreement(label: &str, version: OdooVersion) {
    let recorded: Vec<Recording> = recordings().into_iter().filter(|one| one.version == label).collect();
    let settings = OdooSettings { version, customers: 0, products: 0, ..OdooSettings::default() };
    let server = OdooSandbox::start(settings).await.unwrap();
    let mut replay = Replay::new(&server, label);
    let mut failures = Vec::new();
    let mut agreed = 0;
    for one in &recorded {
        let difference = replay.differs(one).await;
        match (exceptions::not_modelled(label, &one.name), difference) {
            (None, None) => agreed += 1,
            (None, Some(difference)) => failures.push(format!("{}: {difference}", one.name)),
            (Some(_), Some(_)) => {}
            (Some(_), None) => failures.push(format!("{} agrees and must leave the list", one.name)),
        }
    }
    println!("{label}: {agreed}/{} agree", recorded.len());
    for one in &recorded {
        if let Some(reason) = exceptions::not_modelled(label, &one.name) {
            println!("  not modelled: {} ({reason})", one.name);
        }
    }
    let (total, few) = (recorded.len(), recorded.len() * 95 / 100);
    assert!(failures.is_empty(), "{} of {total} disagree:\n{}", failures.len(), failures.join("\n"));
    assert!(agreed > few, "only {agreed} of {total} agree");
}

#[tokio::test]
async fn odoo_17_is_answered_as_recorded() {
    agreement("17", OdooVersion::V17).await;
}

#[tokio::test]
async fn odoo_18_is_answered_as_recorded() {
    agreement("18", OdooVersion::V18).await;
}

#[tokio::test]
async fn odoo_19_is_answered_as_recorded() {
    agreement("19", OdooVersion::V19).await;
}

#[tokio::test]
async fn json_2_is_answered_as_recorded() {
    agreement("19-json2", OdooVersion::V19).await;
}
