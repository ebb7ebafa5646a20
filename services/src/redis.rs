//! A private Redis.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::place::Place;
use crate::{PASSWORD, USER, port, wait};

const START_LIMIT: Duration = Duration::from_mins(1);
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// A Redis on which only [`USER`] may do anything. One that was started here is killed when dropped, and its data
/// removed.
#[derive(Debug)]
pub struct RedisServer {
    address: SocketAddr,
    own: Option<Mutex<Place>>,
}

impl RedisServer {
    /// Starts an empty one, which keeps its data in memory alone: stopped, it has lost them.
    pub fn start() -> Self {
        Self::with("appendonly no")
    }

    /// Starts an empty one that writes each change to its file before it answers: stopped or killed and started again, it
    /// has what it had.
    pub fn start_durable() -> Self {
        Self::with("appendonly yes\nappendfsync always")
    }

    fn with(durability: &str) -> Self {
        wait::blocking(|| {
            let (mut place, address) = (Place::new("redis"), port::free());
            let folder = place.folder().display();
            // The default user keeps its rights, behind the password: loading its file, Redis 7.0 runs transactions as that
            // user, and drops without a word those that it may not run (seen with `user default off`).
            let settings = format!(
                "bind {}\nport {}\ndir \"{folder}\"\ndaemonize no\nsave \"\"\n{durability}\n\
                 user default on >{PASSWORD} ~* &* +@all\nuser {USER} on >{PASSWORD} ~* &* +@all\n",
                address.ip(),
                address.port(),
            );
            place.write("redis.conf", &settings);
            run(&mut place, address);
            Self { address, own: Some(Mutex::new(place)) }
        })
    }

    /// One that others started.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, own: None }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The port of [`addr`](Self::addr).
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `redis://host:port/0`, without credentials.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// Stops it in order.
    pub fn stop(&self) {
        wait::blocking(|| self.own().stop());
    }

    /// Kills it with SIGKILL.
    pub fn kill(&self) {
        wait::blocking(|| self.own().kill());
    }

    /// Starts it after a stop or kill: the same port, and the data if it is a durable one.
    pub fn start_again(&self) {
        wait::blocking(|| {
            let mut place = self.own();
            assert!(!place.is_running(), "stop it first");
            run(&mut place, self.address);
        });
    }

    /// Empties it, as `FLUSHALL` by hand.
    pub fn flush(&self) {
        const DONE: &[u8] = b"+OK\r\n+OK\r\n";
        drop(self.own());
        assert!(wait::blocking(|| answers(self.address, "FLUSHALL", DONE)), "FLUSHALL is not carried out");
    }

    fn own(&self) -> MutexGuard<'_, Place> {
        let own = self.own.as_ref().expect("the shared Redis is all tests': use RedisServer::start()");
        own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(place: &mut Place, address: SocketAddr) {
    let mut server = Command::new("redis-server");
    server.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("LANG", "C.UTF-8");
    server.arg(place.folder().join("redis.conf"));
    place.run("redis", &server);
    place.await_ready("redis", START_LIMIT, || is_loaded(address));
}

/// Whether our user is let in and the data are loaded.
fn is_loaded(address: SocketAddr) -> bool {
    answers(address, "PING", b"+OK\r\n+PONG\r\n")
}

/// Whether sign-in and a command are answered so.
fn answers(address: SocketAddr, command: &str, expected: &[u8]) -> bool {
    let answer = || {
        let mut connection = TcpStream::connect_timeout(&address, LOOK_LIMIT)?;
        connection.set_read_timeout(Some(LOOK_LIMIT))?;
        connection.write_all(format!("AUTH {USER} {PASSWORD}\r\n{command}\r\n").as_bytes())?;
        let mut said = vec![0; expected.len()];
        connection.read_exact(&mut said)?;
        Ok::<_, std::io::Error>(said)
    };
    answer().is_ok_and(|said| said == expected)
}
