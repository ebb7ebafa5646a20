//! Another worker that does the same work, by its own runner: `run.sh JOBS PROCESSES`, told where to go by `PEER_AMQP` and
//! `PEER_REDIS_PORT`. Its last line is `...: N jobs in S s = R jobs/s; CPU C s = P CPU-s per 1,000 jobs; largest process M MiB`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use services::Broker;

/// Who it is.
pub(crate) const NAME: &str = "Celery";

/// One process per core is the usual number.
const PROCESSES: &str = "2";

/// A Redis without a password, as the peer expects it; ends when dropped.
struct OpenRedis(Child, u16);

impl OpenRedis {
    fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "Redis does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(child, port)
    }
}

impl Drop for OpenRedis {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Jobs per second, CPU seconds per 1,000 jobs, and MiB of its largest process.
pub(crate) fn run(folder: &Path, broker: &Broker, jobs: usize) -> [f64; 3] {
    let redis = OpenRedis::start();
    let amqp = format!("amqp://{}:{}@{}//", services::USER, services::PASSWORD, broker.addr());
    let output = Command::new(folder.join("run.sh"))
        .args([&jobs.to_string(), PROCESSES])
        .env("PEER_AMQP", amqp)
        .env("PEER_REDIS_PORT", redis.1.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaint}");
    let line = said.lines().last().unwrap_or_default();
    let before = |words: &str| -> f64 {
        let number = line.split(words).next().and_then(|text| text.split_whitespace().last());
        number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {words:?} in {line:?}"))
    };
    [before(" jobs/s"), before(" CPU-s"), before(" MiB")]
}
