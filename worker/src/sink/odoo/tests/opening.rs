//! What is wrong with settings, rights and columns is told before anything is written.

use shared::failure::{Class, Reason};
use shared::odoo::{OdooClient, OdooConfig, OdooSecret};

use super::super::{OdooSink, OdooSinkSettings};
use super::stand::{COLUMNS, Stand, VERSIONS, settings};

#[tokio::test]
async fn wrong_column_is_told_with_the_one_that_was_meant() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        for (column, says) in [
            ("list_prise", "did you mean 'list_price'?"),
            ("write_date", "computed by Odoo"),
            ("image_1920", "images travel on their own"),
        ] {
            let failure = stand.open(settings(), &["name", column]).await.unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Field), "{failure}");
            assert!(failure.to_string().contains(says), "{failure}");
        }
        let failure = stand.open(settings(), &["uom_id", "uom_id/id"]).await.unwrap_err();
        assert!(failure.to_string().contains("are both field 'uom_id'"), "{failure}");
    }
}

#[tokio::test]
async fn column_that_only_another_version_has_is_systemic() {
    let [old, _, new] = VERSIONS;
    for (version, column) in [(old, "is_storable"), (new, "detailed_type")] {
        let stand = Stand::new(version).await;
        let failure = stand.open(settings(), &["name", column]).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Field), "{failure}");
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_configuration_failures() {
    let stand = Stand::new(VERSIONS[2]).await;
    let with = |change: fn(&mut OdooSinkSettings)| {
        let mut changed = settings();
        change(&mut changed);
        changed
    };
    for (settings, says) in [
        (with(|settings| settings.prefix = "sale".to_owned()), "module of Odoo"),
        (with(|settings| settings.match_by = vec!["list_price".to_owned()]), "it is no text"),
        (with(|settings| settings.match_by = vec!["barcod".to_owned()]), "did you mean 'barcode'?"),
    ] {
        let failure = stand.open(settings, &COLUMNS).await.unwrap_err();
        assert_eq!(failure.reason, Reason::Configuration);
        assert!(failure.to_string().contains(says), "{failure}");
    }
    let failure =
        stand.open(with(|settings| settings.model = "no.model".to_owned()), &COLUMNS).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Model), "{failure}");
}

#[tokio::test]
async fn user_without_rights_is_told_which_one_is_missing() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let plain = stand.server.plain_user();
        let secret = match version {
            sandbox::OdooVersion::V19 => OdooSecret::ApiKey(plain.api_key.into()),
            _ => OdooSecret::Password(plain.password.into()),
        };
        let config =
            OdooConfig::new(stand.server.url(), stand.server.database(), secret).with_user(plain.login);
        let client = OdooClient::connect(config).await.unwrap();
        let columns = COLUMNS.map(str::to_owned);
        let failure = OdooSink::open(client, settings(), &columns).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Rights), "{failure}");
        assert!(failure.to_string().contains("may not create"), "{failure}");
    }
}
