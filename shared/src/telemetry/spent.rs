//! What this process has spent so far: the difference of two looks is what a run took.

use std::collections::BTreeMap;

use prometheus::IntCounterVec;
use prometheus::core::Collector;
use serde::{Deserialize, Serialize};

use super::Telemetry;
use crate::record::PipelineName;

/// Counts by label. Calls are of the process, the rest is of one pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// Calls by system: "odoo", "zoho".
    pub calls: BTreeMap<String, u64>,
    /// Bytes of images by direction: "fetched", "written".
    pub image_bytes: BTreeMap<String, u64>,
    /// Attempts that failed, by reason.
    pub failures: BTreeMap<String, u64>,
}

impl Spent {
    /// What came since then.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let less = |now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>| {
            let count = |(label, count): (&String, &u64)| {
                let more = count.saturating_sub(then.get(label).copied().unwrap_or(0));
                (more > 0).then(|| (label.clone(), more))
            };
            now.iter().filter_map(count).collect()
        };
        Self {
            calls: less(&self.calls, &before.calls),
            image_bytes: less(&self.image_bytes, &before.image_bytes),
            failures: less(&self.failures, &before.failures),
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, more: &Self) -> Self {
        let add = |all: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>| {
            for (label, count) in more {
                *all.entry(label.clone()).or_default() += count;
            }
        };
        add(&mut self.calls, &more.calls);
        add(&mut self.image_bytes, &more.image_bytes);
        add(&mut self.failures, &more.failures);
        self
    }
}

impl Telemetry {
    /// What was spent since the process began.
    pub fn spent(&self, pipeline: &PipelineName) -> Spent {
        let families = self.families();
        let of = Some(pipeline.as_str());
        Spent {
            calls: sums(&families.calls, "system", None),
            image_bytes: sums(&families.image_bytes, "direction", of),
            failures: sums(&families.failures, "reason", of),
        }
    }
}

impl Telemetry {
    /// Jobs of all pipelines that this process has settled.
    pub fn settled(&self) -> u64 {
        sums(&self.families().settled, "outcome", None).into_values().sum()
    }

    /// Jobs of one pipeline that this process has settled.
    pub fn settled_of(&self, pipeline: &PipelineName) -> u64 {
        sums(&self.families().settled, "outcome", Some(pipeline.as_str())).into_values().sum()
    }

    /// Jobs of all pipelines that this process is working on.
    pub fn in_flight(&self) -> u64 {
        let mut sum = 0;
        for family in self.families().in_flight.collect() {
            for metric in family.get_metric() {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number")]
                let jobs = metric.get_gauge().get_value().max(0.0) as u64;
                sum += jobs;
            }
        }
        sum
    }
}

/// A counter's sums by one of its labels, of one pipeline or of all.
fn sums(counter: &IntCounterVec, label: &str, pipeline: Option<&str>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for family in counter.collect() {
        for metric in family.get_metric() {
            let value = |name: &str| {
                metric.get_label().iter().find(|pair| pair.name() == name).map(|pair| pair.value().to_owned())
            };
            if pipeline.is_some_and(|pipeline| value("pipeline").as_deref() != Some(pipeline)) {
                continue;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the counter is of whole numbers and grows"
            )]
            let count = metric.get_counter().get_value() as u64;
            *sums.entry(value(label).unwrap_or_default()).or_default() += count;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Failure, Reason};
    use crate::job::JobKind;

    #[test]
    fn the_difference_of_two_looks_is_what_came_between() {
        let telemetry = Telemetry::new("test");
        let (ours, others) = ("ours".parse().unwrap(), "others".parse().unwrap());
        let timeout = Failure::transient(Reason::Timeout, "too slow");
        telemetry.meter(&ours).failed(JobKind::Record, &timeout, 2);
        telemetry.calls("odoo", "erp").called(std::time::Instant::now(), None);
        let before = telemetry.spent(&ours);
        telemetry.meter(&ours).failed(JobKind::Image, &timeout, 3);
        telemetry.meter(&others).failed(JobKind::Record, &timeout, 7);
        telemetry.meter(&ours).image_fetched(1_000);
        telemetry.calls("odoo", "erp").called(std::time::Instant::now(), Some(&timeout));
        telemetry.calls("zoho", "shop").called(std::time::Instant::now(), None);
        let came = telemetry.spent(&ours).since(&before);
        let one = |label: &str, count| BTreeMap::from([(label.to_owned(), count)]);
        let mut calls = one("odoo", 1);
        calls.extend(one("zoho", 1));
        let expected = Spent { calls, image_bytes: one("fetched", 1_000), failures: one("timeout", 3) };
        assert_eq!(came, expected);
        assert_eq!(before.plus(&came), telemetry.spent(&ours));
    }
}
