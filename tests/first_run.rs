//! The first run brings everything, the second one nothing.

use sandbox::{OdooSandbox, OdooSettings, OdooVersion};
use serde_json::Value;

use crate::place::{API_KEY, PASSWORD, Place};
use crate::truth::{assert_files_hold_the_source, sandbox_of};

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_odoo_17_arrives_over_a_session() {
    everything_arrives(OdooVersion::V17, PASSWORD, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_odoo_18_arrives_over_a_session() {
    everything_arrives(OdooVersion::V18, PASSWORD, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_odoo_18_arrives_with_an_api_key() {
    everything_arrives(OdooVersion::V18, API_KEY, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_odoo_19_arrives_over_json_2() {
    everything_arrives(OdooVersion::V19, API_KEY, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_odoo_19_arrives_over_a_session() {
    everything_arrives(OdooVersion::V19, PASSWORD, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_odoo_19_arrives_over_execute_kw() {
    everything_arrives(OdooVersion::V19, PASSWORD, "transport = \"execute_kw\"\n").await;
}

async fn everything_arrives(version: OdooVersion, variable: &'static str, setting: &str) {
    let sandbox = sandbox_of(version).await;
    let secret = if variable == API_KEY { sandbox.api_key() } else { sandbox.password() };
    let place = Place::with_secret(&sandbox, variable, secret);
    place.reconfigure("database =", &format!("{setting}database ="));

    let first = place.sync().await;
    let customers = sandbox.control().ids("res.partner").unwrap().len() as u64;
    let products = sandbox.control().ids("product.template").unwrap().len() as u64;
    for (pipeline, records) in [("customers", customers), ("products", products)] {
        assert!(first.is_full(pipeline));
        assert_eq!(first.count(pipeline, "seen"), records);
        assert_eq!(first.count(pipeline, "created"), records);
        assert_eq!(first.of(pipeline)["records_total"], records);
    }
    assert_files_hold_the_source(&place, &sandbox);

    let bytes = (std::fs::read(place.customers()).unwrap(), std::fs::read(place.products()).unwrap());
    let written = std::fs::metadata(place.customers()).unwrap().modified().unwrap();
    sandbox.control().reset_counts();
    let second = place.sync().await;
    for pipeline in ["customers", "products"] {
        assert!(!second.is_full(pipeline));
        assert_eq!(second.count(pipeline, "created") + second.count(pipeline, "updated"), 0);
        assert_eq!(second.of(pipeline)["bytes_written"], 0, "nothing is written for nothing");
    }
    assert!(sandbox.control().counts().model_calls <= 4, "{:?}", sandbox.control().counts());
    assert_eq!(bytes, (std::fs::read(place.customers()).unwrap(), std::fs::read(place.products()).unwrap()));
    assert_eq!(written, std::fs::metadata(place.customers()).unwrap().modified().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_a_version_lacks_is_left_out_and_decimals_keep_their_digits() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    let text = std::fs::read_to_string(place.customers()).unwrap();
    assert!(!text.contains("\"mobile\"") && !text.contains("\"title\""), "Odoo 19 has neither");
    let products: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(place.products()).unwrap()).unwrap();
    assert!(products.iter().all(|product| product.get("is_storable").is_some_and(Value::is_boolean)));
    let fractions = products.iter().filter(|product| product["list_price"].to_string().contains('.')).count();
    assert!(fractions > 0, "there are prices with cents");
    assert!(
        products.iter().all(|product| product["list_price"].to_string().len() < 12),
        "no price shows the dust of a float"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_odoo_gives_empty_files() {
    let settings =
        OdooSettings { version: OdooVersion::V17, customers: 0, products: 0, ..OdooSettings::default() };
    let sandbox = OdooSandbox::start(settings).await.unwrap();
    let place = Place::new(&sandbox);
    let first = place.sync().await;
    assert_eq!(first.count("products", "seen"), 0);
    assert_eq!(std::fs::read_to_string(place.products()).unwrap(), "[\n]\n");
    assert!(!place.sync().await.is_full("products"));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_model_is_read_by_configuration_alone() {
    let sandbox = sandbox_of(OdooVersion::V18).await;
    let place = Place::new(&sandbox);
    let configuration = Place::usual_configuration(&sandbox.url(), sandbox.database(), sandbox.login());
    place.configure(&format!(
        "{configuration}[pipeline.countries]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nmodel = \"res.country\"\n\
         file = \"countries.jsonl\"\nformat = \"jsonl\"\n[pipeline.countries.mapping]\niso = \"code\"\ntitle = \"name\"\n\
         origin = {{ constant = \"odoo\" }}\n"
    ));
    place.run(&["sync", "countries"]).await.expect(0, &["Countries synced"]);
    let text = std::fs::read_to_string(place.path("out/countries.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), sandbox.control().ids("res.country").unwrap().len());
    let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "iso", "title", "origin"]);
}
