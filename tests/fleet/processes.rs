//! The processes of a fleet in a test: started, killed, stopped and asked.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};

use super::catalogue::{Catalogue, Size};
use crate::place::Ran;

/// Whatever has not come about by then never will.
const PATIENCE: Duration = Duration::from_mins(2);

/// A catalogue, and everything that processes need to keep it in step.
pub(crate) struct Fleet {
    pub(crate) catalogue: Catalogue,
    pub(crate) prefix: String,
    started: std::cell::Cell<u32>,
    environment: Vec<(String, String)>,
}

/// A role that was started; killed when dropped.
pub(crate) struct Role {
    child: Child,
    pub(crate) log: PathBuf,
}

impl Fleet {
    /// On the broker and the Redis that all tests share.
    pub(crate) async fn new(size: Size) -> Self {
        Self::at(size, services::broker().addr(), services::redis().addr()).await
    }

    /// On these.
    pub(crate) async fn at(size: Size, broker: SocketAddr, redis: SocketAddr) -> Self {
        let catalogue = Catalogue::new(size).await;
        let prefix = services::prefix();
        let fleet = Self { catalogue, prefix, started: std::cell::Cell::default(), environment: Vec::new() };
        fleet.configure(broker, redis);
        fleet
    }

    /// With these variables in the environment of each process.
    pub(crate) fn with<const N: usize>(mut self, variables: [(&str, &str); N]) -> Self {
        self.environment.extend(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    /// Writes the configuration; what runs already keeps its own.
    pub(crate) fn configure(&self, broker: SocketAddr, redis: SocketAddr) {
        let (user, prefix) = (services::USER, &self.prefix);
        let text = format!(
            "[fleet]\nbroker = \"amqp://{broker}/%2f\"\nbroker_user = \"{user}\"\nredis = \"redis://{redis}/0\"\n\
             redis_user = \"{user}\"\nprefix = \"{prefix}\"\nlost_after = \"5s\"\ngrace = \"10s\"\n{}",
            self.catalogue.configuration()
        );
        std::fs::write(self.path("catalog-sync.toml"), text).unwrap();
    }

    pub(crate) fn reconfigure(&self, from: &str, to: &str) {
        let path = self.path("catalog-sync.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in the configuration");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// The broker gives those up in seconds who show no sign of life, and not in half a minute.
    pub(crate) fn notices_soon(&self) {
        self.reconfigure("/%2f\"", "/%2f?heartbeat=2\"");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.catalogue.shop.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.catalogue.shop.command(arguments);
        command
            .envs(self.catalogue.secrets())
            .env("CATALOG_SYNC_BROKER_PASSWORD", services::PASSWORD)
            .env("CATALOG_SYNC_REDIS_PASSWORD", services::PASSWORD)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn producer(&self) -> Role {
        self.start(&["producer", "-v"], &[])
    }

    pub(crate) fn worker(&self) -> Role {
        self.start(&["worker", "-v"], &[])
    }

    /// One for one pipeline alone.
    pub(crate) fn worker_of(&self, pipeline: &str) -> Role {
        self.start(&["worker", "-v", pipeline], &[])
    }

    /// A role that dies by itself at a point, when it passes it for the n-th time.
    pub(crate) fn doomed(&self, role: &str, point: &str, times: u32) -> Role {
        self.start(&[role, "-v"], &[("CATALOG_SYNC_CRASH", &format!("{point}:{times}"))])
    }

    /// With other variables than the others have.
    pub(crate) fn start(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Role {
        self.started.set(self.started.get() + 1);
        let log = self.log(&format!("{}-{}", arguments[0], self.started.get()));
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        command.envs(variables.iter().copied());
        Role { child: command.spawn().unwrap(), log }
    }

    /// With the logs of the whole test run, where there is such a folder.
    fn log(&self, name: &str) -> PathBuf {
        let folder =
            std::env::var_os("CATALOG_SYNC_TEST_LOGS").map_or_else(|| self.path("logs"), PathBuf::from);
        let folder = folder.join(&self.prefix);
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(format!("{name}.log"))
    }

    /// A command that ends by itself.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[]).await
    }

    /// The same with other variables.
    pub(crate) async fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::time::timeout(PATIENCE, command.envs(variables.iter().copied()).output()).await;
        let output = output.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap();
        Ran {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `status --json` of one pipeline.
    pub(crate) async fn status(&self, pipeline: &str) -> Value {
        let mut status = self.run(&["status", "--json"]).await.json();
        let pipelines = status["pipelines"].as_array_mut().unwrap();
        pipelines.iter_mut().find(|known| known["pipeline"] == pipeline).unwrap().take()
    }

    /// Waits until both sinks hold exactly their sources, by their own rows.
    pub(crate) async fn in_step(&self) -> Duration {
        let began = Instant::now();
        loop {
            let faults = self.catalogue.faults().await;
            if faults.is_empty() {
                return began.elapsed();
            }
            if began.elapsed() > PATIENCE {
                let status = self.run(&["status"]).await;
                panic!("{}\n{faults:#?}\n{}{}", self.prefix, status.stdout, status.stderr);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits for a condition.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, mut holds: impl FnMut() -> F) {
        let began = Instant::now();
        while !holds().await {
            assert!(began.elapsed() < PATIENCE, "{}: {what} does not come about", self.prefix);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until nothing is outstanding, by `status`; then the ledger of each run must balance.
    pub(crate) async fn settled(&self) {
        self.until("nothing outstanding", || async {
            let mut all = 0;
            for pipeline in ["items", "customers"] {
                let status = self.status(pipeline).await;
                let records = &status["records"];
                all += records["outstanding"].as_u64().unwrap()
                    + records["images"]["outstanding"].as_u64().unwrap();
            }
            all == 0
        })
        .await;
    }

    /// How long it takes from a user's change until both sinks show it.
    pub(crate) async fn flow(&self, mark: &str) -> Duration {
        self.catalogue.edit(1, mark);
        self.in_step().await
    }

    /// Something happens while jobs flow; afterwards they flow again, and how soon is printed.
    pub(crate) async fn flows_after(&self, what: &str, happens: impl AsyncFnOnce()) {
        for number in 0..30 {
            self.catalogue.edit(number, &format!("before {what}"));
        }
        happens().await;
        let flow = self.flow(&format!("after {what}")).await;
        println!("{what}: jobs flow again after {:.1} s", flow.as_secs_f64());
        self.settled().await;
    }
}

impl Role {
    /// As `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = std::process::Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Stands still, as in a debugger or on a machine that swaps.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// SIGTERM, and waits for its end: the exit code.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        self.signal("-TERM");
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends when it is told to").unwrap().code()
    }

    /// Waits until it has died by itself.
    pub(crate) async fn died(mut self) {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it lives, see {}", self.log.display())).unwrap();
        assert!(!status.success(), "it ended well");
    }

    /// It has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}
