//! The manifests: built by kustomize, read as Kubernetes reads them, and in agreement with each other.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{content, tool, yaml};

/// The objects of a folder; `None` where kubectl is missing, or too old for kustomize.
fn built(folder: &str) -> Option<Vec<Value>> {
    let ran = tool("kubectl", &["kustomize", "."], &format!("deploy/kubernetes/{folder}"));
    let old = |said: &[u8]| String::from_utf8_lossy(said).contains("unknown command");
    let Some(output) = ran.filter(|output| !old(&output.stderr)) else {
        println!("there is no kubectl with kustomize: the manifests of {folder} were NOT built");
        return None;
    };
    content(&output);
    let text = String::from_utf8(output.stdout).unwrap();
    let objects = text.split("\n---\n").map(|object| serde_saphyr::from_str(object).unwrap());
    Some(objects.collect())
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// A key that the type does not know is lost on the way through it.
fn round_trip<T: DeserializeOwned + Serialize>(object: &Value) {
    let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
    let typed: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let back = serde_json::to_value(&typed).unwrap();
    assert_kept(object, &back, &name);
}

fn assert_kept(before: &Value, after: &Value, at: &str) {
    match before {
        Value::Object(fields) => {
            for (key, value) in fields {
                // What is empty may be left out.
                let is_empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                let kept = after.get(key);
                assert!(kept.is_some() || is_empty, "{at}.{key} is none that Kubernetes knows");
                if let Some(kept) = kept {
                    assert_kept(value, kept, &format!("{at}.{key}"));
                }
            }
        }
        Value::Array(values) => {
            assert_eq!(values.len(), after.as_array().unwrap().len(), "{at}");
            for (number, value) in values.iter().enumerate() {
                assert_kept(value, &after[number], &format!("{at}[{number}]"));
            }
        }
        _ => assert_eq!(before, after, "{at}"),
    }
}

#[test]
fn both_build_and_every_object_is_one_that_kubernetes_knows() {
    for folder in ["base", "keda"] {
        let Some(objects) = built(folder) else { return };
        for object in &objects {
            match object["kind"].as_str().unwrap() {
                "Deployment" => round_trip::<Deployment>(object),
                "StatefulSet" => round_trip::<StatefulSet>(object),
                "Service" => round_trip::<Service>(object),
                "ServiceAccount" => round_trip::<ServiceAccount>(object),
                "ConfigMap" => round_trip::<ConfigMap>(object),
                "Namespace" => round_trip::<Namespace>(object),
                "NetworkPolicy" => round_trip::<NetworkPolicy>(object),
                "PodDisruptionBudget" => round_trip::<PodDisruptionBudget>(object),
                // KEDA's own, which no library here knows.
                "ScaledObject" | "TriggerAuthentication" => assert_eq!(folder, "keda"),
                other => panic!("nobody looks at a {other}"),
            }
        }
        assert_eq!(of_kind(&objects, "Deployment").len(), 2, "producer and worker");
        assert_eq!(of_kind(&objects, "StatefulSet").len(), 1, "the writer of files");
    }
}

/// Everything that has pods.
fn pods(objects: &[Value]) -> Vec<&Value> {
    [of_kind(objects, "Deployment"), of_kind(objects, "StatefulSet")].concat()
}

fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().unwrap().iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn selectors_ports_and_names_agree() {
    let Some(objects) = built("base") else { return };
    let config = of_kind(&objects, "ConfigMap")[0]["metadata"]["name"].clone();
    for pod in pods(&objects) {
        let (spec, template) = (&pod["spec"], &pod["spec"]["template"]);
        let labels = &template["metadata"]["labels"];
        assert!(selects(&spec["selector"]["matchLabels"], labels), "{}", pod["metadata"]["name"]);
        let others = pods(&objects).into_iter().filter(|other| other["metadata"] != pod["metadata"]);
        for other in others {
            let labels = &other["spec"]["template"]["metadata"]["labels"];
            assert!(!selects(&spec["selector"]["matchLabels"], labels), "they take each other's pods");
        }
        let volume = &template["spec"]["volumes"][0];
        assert_eq!(volume["configMap"]["name"], config, "the generated name reaches the pods");
    }
    for service in of_kind(&objects, "Service") {
        let mut chosen = pods(&objects);
        chosen.retain(|pod| {
            selects(&service["spec"]["selector"], &pod["spec"]["template"]["metadata"]["labels"])
        });
        assert_eq!(chosen.len(), 1, "{}", service["metadata"]["name"]);
        let port = &chosen[0]["spec"]["template"]["spec"]["containers"][0]["ports"][0];
        assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
        assert_eq!(service["spec"]["ports"][0]["port"], port["containerPort"]);
    }
    for budget in of_kind(&objects, "PodDisruptionBudget") {
        let selector = &budget["spec"]["selector"]["matchLabels"];
        let chosen = pods(&objects)
            .into_iter()
            .filter(|pod| selects(selector, &pod["spec"]["template"]["metadata"]["labels"]));
        assert_eq!(chosen.count(), 1, "{budget}");
    }
    let policy = &of_kind(&objects, "NetworkPolicy")[0]["spec"];
    for pod in pods(&objects) {
        let labels = &pod["spec"]["template"]["metadata"]["labels"];
        assert!(selects(&policy["podSelector"]["matchLabels"], labels), "the policy is about all of ours");
    }
    let dns = &policy["egress"][0]["to"][0]["podSelector"]["matchLabels"];
    assert_eq!(*dns, serde_json::json!({ "k8s-app": "kube-dns" }), "the name server has no label of ours");
}

#[test]
fn pods_are_restricted_probed_and_given_time() {
    let Some(objects) = built("base") else { return };
    for pod in pods(&objects) {
        let name = &pod["metadata"]["name"];
        let spec = &pod["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL", "{name}");
        assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
        assert!(
            spec["terminationGracePeriodSeconds"].as_u64().unwrap() > 25 + 15,
            "{name}: grace and closing"
        );
        for (probe, page) in
            [("livenessProbe", "/livez"), ("readinessProbe", "/readyz"), ("startupProbe", "/livez")]
        {
            assert_eq!(container[probe]["httpGet"]["path"], page, "{name}");
            assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"], "{name}");
        }
        assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        let example = yaml("deploy/kubernetes/base/secret.example.yaml");
        for variable in container["env"].as_array().unwrap() {
            let value = variable["value"].as_str().unwrap();
            if let Some(key) = value.strip_prefix("/run/secrets/") {
                assert!(example["stringData"][key].is_string(), "{name}: {key} is in no Secret");
            }
        }
    }
    let files = of_kind(&objects, "StatefulSet")[0];
    assert_eq!(files["spec"]["replicas"], 1, "a file has one writer");
    assert_eq!(files["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "files");
}

#[test]
fn keda_counts_what_is_in_hand_and_alone_sets_the_number_of_workers() {
    let Some(objects) = built("keda") else { return };
    let scaled = &of_kind(&objects, "ScaledObject")[0]["spec"];
    let target = &scaled["scaleTargetRef"];
    let deployment = of_kind(&objects, "Deployment")
        .into_iter()
        .find(|deployment| deployment["metadata"]["name"] == target["name"])
        .unwrap();
    assert!(deployment["spec"]["replicas"].is_null(), "each apply would set it back");
    for trigger in scaled["triggers"].as_array().unwrap() {
        let metadata = &trigger["metadata"];
        assert_eq!(
            (&metadata["protocol"], &metadata["excludeUnacknowledged"]),
            (&"http".into(), &"false".into())
        );
        let pipeline = metadata["queueName"].as_str().unwrap().split('.').nth(1).unwrap();
        let works = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
        assert!(works.iter().any(|argument| argument == pipeline), "{pipeline} is not what it works on");
    }
}
