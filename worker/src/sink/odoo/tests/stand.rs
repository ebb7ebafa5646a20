//! A stand-in server with a client, a sink and jobs for it.

use std::collections::BTreeMap;
use std::fmt::Display;

use sandbox::{Control, Counts, Fault, FaultRule, OdooSandbox, OdooSettings, OdooVersion};
use serde_json::{Value, json};
use shared::failure::Failure;
use shared::job::{FORMAT, Job, JobKind};
use shared::odoo::{OdooClient, OdooConfig, OdooSecret};
use shared::record::{Outcome, RecordKey, RunId, Version};

use super::super::{OdooSink, OdooSinkSettings};
use crate::sink::Upserted;

pub(super) const VERSIONS: [OdooVersion; 3] = [OdooVersion::V17, OdooVersion::V18, OdooVersion::V19];

/// The columns of most tests; all that a shop needs, of all kinds that differ on the wire.
pub(super) const COLUMNS: [&str; 8] =
    ["name", "default_code", "barcode", "list_price", "standard_price", "weight", "sale_ok", "uom_id"];

pub(super) struct Stand {
    pub(super) server: OdooSandbox,
    pub(super) version: OdooVersion,
}

impl Stand {
    /// An empty shop.
    pub(super) async fn new(version: OdooVersion) -> Self {
        let settings = OdooSettings { version, customers: 0, products: 0, ..OdooSettings::default() };
        Self { server: OdooSandbox::start(settings).await.unwrap(), version }
    }

    pub(super) fn control(&self) -> Control {
        self.server.control()
    }

    /// A session before 19, JSON-2 on 19.
    pub(super) async fn client(&self) -> OdooClient {
        OdooClient::connect(self.config()).await.unwrap()
    }

    pub(super) fn config(&self) -> OdooConfig {
        let secret = match self.version {
            OdooVersion::V19 => OdooSecret::ApiKey(self.server.api_key().into()),
            _ => OdooSecret::Password(self.server.password().into()),
        };
        let config = OdooConfig::new(self.server.url(), self.server.database(), secret);
        config.with_user(self.server.login())
    }

    pub(super) async fn open(
        &self,
        settings: OdooSinkSettings,
        columns: &[&str],
    ) -> Result<OdooSink, Failure> {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        OdooSink::open(self.client().await, settings, &columns).await
    }

    /// A sink of products with [`COLUMNS`].
    pub(super) async fn sink(&self) -> OdooSink {
        self.open(settings(), &COLUMNS).await.unwrap()
    }

    /// What was asked since the last time this was asked.
    pub(super) fn counts(&self) -> Counts {
        let counts = self.control().counts();
        self.control().reset_counts();
        counts
    }

    pub(super) fn fault(&self, fault: Fault, model: &str, method: &str) {
        self.control().fault(FaultRule::once(fault).model(model).method(method));
    }

    /// Field values of a product by key.
    pub(super) fn product(&self, key: &str, fields: &[&str]) -> Value {
        let id = self.named()[key];
        self.control().row("product.product", id, fields).unwrap().unwrap()
    }

    /// Ids of our products by key.
    pub(super) fn named(&self) -> BTreeMap<String, i64> {
        let names = self.control().external_ids("product.product");
        names
            .into_iter()
            .filter_map(|(name, id)| Some((name.strip_prefix("zoho.item_")?.to_owned(), id)))
            .collect()
    }

    /// Number of products and of templates: a record made twice shows here.
    pub(super) fn sizes(&self) -> (usize, usize) {
        let size = |model| self.control().ids(model).unwrap().len();
        (size("product.product"), size("product.template"))
    }

    pub(super) fn write_dates(&self) -> Vec<Value> {
        let stamp = |id: &i64| self.control().row("product.product", *id, &["write_date"]).unwrap().unwrap();
        self.named().values().map(stamp).collect()
    }
}

pub(super) fn settings() -> OdooSinkSettings {
    OdooSinkSettings::new("product.product", "zoho", "item")
}

/// Matching by the usual keys.
pub(super) fn matching() -> OdooSinkSettings {
    let match_by = ["default_code", "barcode", "name"].map(str::to_owned).to_vec();
    OdooSinkSettings { match_by, ..settings() }
}

/// A job of the first version.
pub(super) fn job(key: impl Display, values: Value) -> Job {
    job_of(key, values, 1)
}

pub(super) fn job_of(key: impl Display, values: Value, sequence: u64) -> Job {
    let Value::Object(values) = values else { panic!("{values} are no values") };
    Job {
        format: FORMAT,
        kind: JobKind::Record,
        pipeline: "products".parse().unwrap(),
        key: format!("{key}").parse().unwrap(),
        version: Version { epoch: 1, sequence },
        checksum: "ab".repeat(32).parse().unwrap(),
        run: RunId(1),
        place: 0,
        attempt: 1,
        values,
        image: None,
        sink_id: None,
        source_time: None,
        trace: None,
        failures: Vec::new(),
    }
}

/// A product with all of [`COLUMNS`].
pub(super) fn item(number: usize) -> Job {
    job(number, values(number))
}

pub(super) fn values(number: usize) -> Value {
    json!({
        "name": format!("Thing {number} \u{4e2d} & <b> "),
        "default_code": format!("SKU-{number}"),
        "barcode": format!("4006381{number:06}"),
        "list_price": serde_json::from_str::<Value>(&format!("{number}.345")).unwrap(),
        "standard_price": "1.5",
        "weight": null,
        "sale_ok": number.is_multiple_of(2),
        "uom_id": "Units",
    })
}

pub(super) fn items(count: usize) -> Vec<Job> {
    (1..=count).map(item).collect()
}

pub(super) async fn upsert(sink: &mut OdooSink, jobs: &[Job]) -> Vec<Result<Upserted, Failure>> {
    try_upsert(sink, jobs).await.unwrap()
}

pub(super) async fn try_upsert(
    sink: &mut OdooSink,
    jobs: &[Job],
) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
    let jobs: Vec<&Job> = jobs.iter().collect();
    sink.upsert(&jobs).await
}

/// The outcomes of a batch in which nothing failed.
pub(super) async fn outcomes(sink: &mut OdooSink, jobs: &[Job]) -> Vec<Outcome> {
    upsert(sink, jobs).await.into_iter().map(|answer| answer.unwrap().outcome).collect()
}

/// Whether all ended so.
pub(super) fn all(outcomes: &[Outcome], expected: Outcome) -> bool {
    outcomes.iter().all(|outcome| *outcome == expected)
}

pub(super) fn key(text: &str) -> RecordKey {
    text.parse().unwrap()
}
