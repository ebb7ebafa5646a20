//! Many processes: a producer, workers, a private RabbitMQ and Redis between them, and what happens to them. What is
//! true is read from the stand-ins and the files alone, never from our state.

mod bad_input;
mod broker;
mod catalogue;
mod dead_letters;
mod first_run;
mod killed;
mod processes;
mod quota;
mod redis;
mod remote;
mod secrets;
mod stranger;
mod strays;
mod sweep;
mod told;
mod traces;
mod visible;

/// The port at which a process tells its metrics, by its log in JSON.
pub(crate) fn port_of(log: &str) -> u16 {
    port_in(log, "metrics are served")
}

/// The port of the line that says so.
pub(crate) fn port_in(log: &str, says: &str) -> u16 {
    let line = log.lines().find(|line| line.contains(says)).unwrap();
    let told: serde_json::Value = serde_json::from_str(line).unwrap();
    told["address"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}
