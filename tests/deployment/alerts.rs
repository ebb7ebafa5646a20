//! Alerts and dashboard: each fires in its fault, and names nothing that does not exist.

use std::collections::BTreeSet;

use serde_json::Value;
use shared::telemetry::METRICS;

use super::{content, text, tool, yaml};

const FOLDER: &str = "deploy/prometheus";

fn alerts() -> Vec<Value> {
    let rules = yaml("deploy/prometheus/alerts.yml");
    rules["groups"][0]["rules"].as_array().unwrap().clone()
}

#[test]
fn each_alert_fires_in_its_fault_and_is_silent_in_a_clean_run() {
    for arguments in [&["check", "rules", "alerts.yml"][..], &["test", "rules", "alerts_test.yml"]] {
        let ran = tool("promtool", arguments, FOLDER);
        content(&ran.expect("promtool is of Debian's package prometheus: ./test installs it"));
    }
    let cases = yaml("deploy/prometheus/alerts_test.yml");
    let expects = |name: &str, fires: bool| {
        cases["tests"].as_array().unwrap().iter().any(|case| {
            case["alert_rule_test"].as_array().unwrap().iter().any(|expected| {
                let empty = expected["exp_alerts"].as_array().unwrap().is_empty();
                expected["alertname"] == name && empty != fires
            })
        })
    };
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        assert!(expects(name, true), "{name} is not seen to fire");
        assert!(expects(name, false), "{name} is not seen to be silent");
    }
}

#[test]
fn each_alert_has_a_paragraph_in_the_runbook() {
    let runbook = text("docs/runbook.md");
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let paragraph = runbook.split(&format!("\n## {name}\n")).nth(1).unwrap_or_else(|| panic!("{name}"));
        let paragraph = paragraph.split("\n## ").next().unwrap();
        assert!(paragraph.trim().len() > 80, "{name} has {paragraph:?}");
        let named = alert["annotations"]["runbook"].as_str().unwrap();
        assert_eq!(named, format!("docs/runbook.md#{}", name.to_lowercase()));
    }
}

/// All words of a text that are named like our metrics.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("catalog_"))
        .collect()
}

#[test]
fn every_metric_that_a_rule_or_a_panel_names_exists() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for metric in METRICS {
        known.insert(metric.name.to_owned());
        if metric.kind == "histogram" {
            known.extend(["bucket", "sum", "count"].map(|part| format!("{}_{part}", metric.name)));
        }
    }
    for name in
        ["deploy/prometheus/alerts.yml", "deploy/prometheus/alerts_test.yml", "deploy/grafana/dashboard.json"]
    {
        let text = text(name);
        let named = metrics_in(&text);
        assert!(named.len() > 8, "{name}");
        for metric in named {
            assert!(known.contains(metric), "{name}: there is no {metric}");
        }
    }
}

#[test]
fn labels_that_a_panel_asks_for_exist() {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(expressions.len() > 20);
    for expression in expressions {
        for metric in metrics_in(expression) {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|part| metric.strip_suffix(part));
            let known =
                METRICS.iter().find(|known| known.name == metric || Some(known.name) == base).unwrap();
            let selector = expression.split(metric).nth(1).unwrap();
            let Some(selector) = selector.strip_prefix('{') else { continue };
            for matcher in selector.split('}').next().unwrap().split("\",") {
                let label = matcher.split(['=', '!']).next().unwrap();
                assert!(known.labels.contains(&label), "{metric} has no label {label}: {expression}");
            }
        }
    }
}
