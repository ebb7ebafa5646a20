//! docker-compose.yml: what it says of each service.

use serde_json::Value;

use super::{file, text, yaml};

fn services() -> Vec<(String, Value)> {
    let compose = yaml("docker-compose.yml");
    compose["services"].as_object().unwrap().iter().map(|(name, it)| (name.clone(), it.clone())).collect()
}

fn service(name: &str) -> Value {
    services().into_iter().find(|(known, _)| known == name).unwrap().1
}

#[test]
fn every_service_has_limits_and_a_health_check_and_publishes_on_loopback_only() {
    for (name, service) in services() {
        let limits = &service["deploy"]["resources"]["limits"];
        assert!(limits["memory"].is_string() && limits["cpus"].is_string(), "{name}: {limits}");
        let is_stand_in = service["profiles"] == serde_json::json!(["demo"]);
        assert!(is_stand_in || service["healthcheck"]["test"].is_array(), "{name} is not looked after");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name} publishes {port}");
        }
        let image = service["image"].as_str().unwrap();
        assert!(
            !image.ends_with(":latest") && image.contains(':'),
            "{name}: {image} may be another one tomorrow"
        );
    }
}

#[test]
fn no_password_stands_in_the_files_and_each_that_is_named_is_a_secret() {
    let compose = yaml("docker-compose.yml");
    let made = text("deploy/compose/secrets.sh");
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        assert_eq!(secret["file"], format!("deploy/compose/secrets/{name}"));
        assert!(made.contains(&format!("keep {name} ")), "secrets.sh does not make {name}");
    }
    assert!(text(".gitignore").contains("/deploy/compose/secrets/"));
    assert!(!file("deploy/compose/secrets").join(".gitkeep").exists());
    for (name, service) in services() {
        let held: Vec<&str> = service["secrets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|secret| secret.as_str().unwrap())
            .collect();
        for (variable, value) in service["environment"].as_object().into_iter().flatten() {
            let is_secret = ["PASSWORD", "SECRET", "TOKEN", "KEY"].iter().any(|word| variable.contains(word));
            if is_secret {
                let secret = value.as_str().unwrap().strip_prefix("/run/secrets/");
                let secret = secret.unwrap_or_else(|| panic!("{name}: {variable} is {value}"));
                assert!(variable.ends_with("_FILE") && held.contains(&secret), "{name}: {variable}");
            }
        }
    }
    for name in ["broker_password", "redis_password", "grafana_password", "page_token"] {
        assert!(made.contains(&format!("keep {name} \"$(random)\"")), "{name} is the same everywhere");
    }
}

#[test]
fn redis_keeps_everything_and_evicts_nothing_and_its_default_user_stays() {
    let command =
        service("redis")["command"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
    for option in ["--appendonly yes", "--maxmemory-policy noeviction", "requirepass"] {
        assert!(command.contains(option), "{option} is not in {command}");
    }
    assert!(!command.contains("default off"));
}

#[test]
fn our_services_are_nobody_s_and_write_to_their_volumes_only() {
    for name in ["producer", "worker", "zoho", "shop", "erp"] {
        let service = service(name);
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["user"], "65532:65532", "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
    }
    let worker = service("worker");
    assert_eq!(worker["deploy"]["replicas"], 2);
    assert!(worker["container_name"].is_null() && worker["ports"].is_null(), "--scale needs both away");
    let grace: u64 = worker["stop_grace_period"].as_str().unwrap().trim_end_matches('s').parse().unwrap();
    assert!(grace > 25, "below the usual `grace` of the configuration");
    assert_eq!(service("prometheus")["profiles"], serde_json::json!(["metrics"]));
    assert_eq!(service("grafana")["profiles"], serde_json::json!(["metrics"]));
}

#[test]
fn what_is_mounted_exists() {
    let compose = yaml("docker-compose.yml");
    for config in compose["configs"].as_object().unwrap().values() {
        assert!(file(config["file"].as_str().unwrap()).exists(), "{config}");
    }
    for (name, service) in services() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let from = volume.as_str().unwrap().split(':').next().unwrap();
            let known = match from.strip_prefix("./") {
                Some(path) => file(path).exists(),
                None => compose["volumes"].get(from).is_some(),
            };
            assert!(known, "{name}: {from}");
        }
    }
}
