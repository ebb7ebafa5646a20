//! A private RabbitMQ.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::place::Place;
use crate::{PASSWORD, USER, port, wait};

/// A start takes about five seconds of one core.
const START_LIMIT: Duration = Duration::from_mins(2);
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// Bytes of quorum queues' log that are kept in memory too: half a gigabyte by default.
const WRITTEN_AHEAD: u32 = 16 << 20;

/// Where RabbitMQ's own scripts are: Debian's and Red Hat's packages, the generic archive, Homebrew. What Debian has in
/// `/usr/sbin` are wrappers that switch the user.
const USUAL_FOLDERS: [&str; 4] = [
    "/usr/lib/rabbitmq/bin",
    "/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
];

/// A RabbitMQ without plugins, with one virtual host, `/`. One that was started here is killed when dropped, and its data
/// removed.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    own: Option<Mutex<Own>>,
}

#[derive(Debug)]
struct Own {
    place: Place,
    scripts: PathBuf,
    names: SocketAddr,
    distribution: SocketAddr,
}

impl Broker {
    /// Starts one with nothing in it.
    pub fn start() -> Self {
        wait::blocking(|| {
            let mut own = Own::new();
            let address = port::free();
            own.run(address);
            Self { address, own: Some(Mutex::new(own)) }
        })
    }

    /// One that others started.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, own: None }
    }

    /// Where it listens for AMQP.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The port of [`addr`](Self::addr).
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `amqp://host:port`, without credentials.
    pub fn url(&self) -> String {
        format!("amqp://{}", self.address)
    }

    /// Stops it in order.
    pub fn stop(&self) {
        wait::blocking(|| self.own().place.stop());
    }

    /// Kills it with SIGKILL.
    pub fn kill(&self) {
        wait::blocking(|| self.own().place.kill());
    }

    /// Starts it after a stop or kill: the same port and data.
    pub fn start_again(&self) {
        wait::blocking(|| {
            let mut own = self.own();
            assert!(!own.place.is_running(), "stop it first");
            own.run(self.address);
        });
    }

    /// What `rabbitmqctl --quiet` with these arguments prints. That it fails is a panic with what it says.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        wait::blocking(|| self.own().control(arguments))
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        let own = self.own.as_ref().expect("the shared broker is all tests': use Broker::start()");
        own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Own {
    fn new() -> Self {
        let scripts = scripts().unwrap_or_else(|| {
            panic!("no RabbitMQ in {} or PATH: ./test installs Debian's", USUAL_FOLDERS.join(", "))
        });
        let place = Place::new("broker");
        let settings = format!(
            "default_user = {USER}\ndefault_pass = {PASSWORD}\nloopback_users = none\n\
             raft.wal_max_size_bytes = {WRITTEN_AHEAD}\n"
        );
        place.write("rabbitmq.conf", &settings);
        place.write("enabled_plugins", "[].\n");
        Self { place, scripts, names: port::free(), distribution: port::free() }
    }

    /// Starts name service and broker, and waits until it answers.
    fn run(&mut self, address: SocketAddr) {
        // RabbitMQ would start the name service (epmd) itself, as a daemon that outlives all.
        let mut names = self.command(Path::new("epmd"));
        names.args(["-address", "127.0.0.1", "-port", &self.names.port().to_string()]);
        self.place.run("epmd", &names);
        let names = self.names;
        self.place.await_ready("epmd", START_LIMIT, || TcpStream::connect(names).is_ok());
        let mut server = self.command(&self.scripts.join("rabbitmq-server"));
        server
            .env("RABBITMQ_NODE_IP_ADDRESS", address.ip().to_string())
            .env("RABBITMQ_NODE_PORT", address.port().to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.port().to_string())
            // The script becomes the broker instead of waiting for it.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("ERL_CRASH_DUMP_SECONDS", "0")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "+S 2:2 +SDio 8 +A 4 -kernel inet_dist_use_interface {127,0,0,1}",
            );
        self.place.run("rabbitmq", &server);
        self.place.await_ready("rabbitmq", START_LIMIT, || speaks_amqp(address));
    }

    fn control(&self, arguments: &[&str]) -> String {
        let output = self.command(&self.scripts.join("rabbitmqctl")).arg("--quiet").args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("rabbitmqctl: {error}"));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {said}{complaint}");
        said
    }

    /// With everything that Erlang and RabbitMQ would look for outside our folder.
    fn command(&self, program: &Path) -> Command {
        let folder = self.place.folder();
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("LANG", "C.UTF-8")
            .env("HOME", folder) // of the cookie
            .env("ERL_EPMD_PORT", self.names.port().to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("test-{}@localhost", self.distribution.port()))
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("rabbitmq-env.conf"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("advanced.config"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", folder.join("generated"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", self.place.logs())
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_CTL_DIST_PORT_MIN", "0")
            .env("RABBITMQ_CTL_DIST_PORT_MAX", "0");
        command
    }
}

fn scripts() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = USUAL_FOLDERS.iter().map(PathBuf::from);
    usual.chain(std::env::split_paths(&path)).find(|folder| folder.join("rabbitmq-server").is_file())
}

/// Whether a connection is answered with a frame of AMQP 0-9-1: type 1 (a method), channel 0.
fn speaks_amqp(address: SocketAddr) -> bool {
    let answer = || {
        let mut connection = TcpStream::connect_timeout(&address, LOOK_LIMIT)?;
        connection.set_read_timeout(Some(LOOK_LIMIT))?;
        connection.write_all(b"AMQP\x00\x00\x09\x01")?;
        let mut start = [0; 3];
        connection.read_exact(&mut start)?;
        Ok::<_, std::io::Error>(start)
    };
    answer().is_ok_and(|start| start == [1, 0, 0])
}
