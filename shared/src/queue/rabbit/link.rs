//! One connection to the broker.
//!
//! lapin's thread of a connection ends when its socket does. A connection that nobody answers on is therefore ended at
//! the socket, of which we keep a duplicate: lapin alone would wait for the other side's farewell for ever.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::Stream;
use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio::time::timeout;

use super::fault::{Fault, within};

/// For the TCP connection and TLS.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// For all of it, with AMQP's handshake: a broker that is starting takes its time.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// For a call that a healthy broker answers in milliseconds; creating a queue takes longer.
pub(super) const CALL_MAX: Duration = Duration::from_secs(10);

/// For the farewell.
const CLOSE_MAX: Duration = Duration::from_secs(3);

/// Seconds between two heartbeats at most: while the broker blocks a connection they are the only sign of life.
const HEARTBEAT_S: u16 = 10;

/// Opens connections to one broker.
#[derive(Debug)]
pub(super) struct Dialer {
    /// Without credentials.
    uri: AMQPUri,
    user: String,
    password: SecretString,
    name: String,
}

impl Dialer {
    pub(super) fn new(mut uri: AMQPUri, user: String, password: SecretString, name: String) -> Self {
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        Self { uri, user, password, name }
    }

    /// Host and port, for people.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.uri.authority.host, self.uri.authority.port)
    }

    /// Opens a connection; one try. `role` is added to its name.
    pub(super) async fn dial(&self, role: &str) -> Result<Link, Fault> {
        let mut uri = self.uri.clone();
        uri.authority.userinfo.username.clone_from(&self.user);
        self.password.expose_secret().clone_into(&mut uri.authority.userinfo.password);
        let properties = ConnectionProperties::default()
            .with_client_property("product".into(), "catalog-sync".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into())
            .with_connection_name(format!("{} ({role})", self.name).into());
        let socket = Socket::default();
        let kept = socket.clone();
        let runtime = lapin::runtime::default_runtime().map_err(Fault::Broken)?;
        let connecting = Connection::connector(
            uri,
            runtime,
            async move |uri, runtime| {
                let connecting = timeout(CONNECT_MAX, uri.connect_async(&runtime));
                let stream = connecting.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                let tcp = match &stream {
                    AsyncTcpStream::Plain(tcp) => tcp.get_ref(),
                    AsyncTcpStream::Rustls(tls) => tls.get_ref().0.get_ref(),
                    _ => return Err(io::Error::other("a stream that is neither plain nor rustls").into()),
                };
                kept.keep(duplicate(tcp)?);
                Ok(stream)
            },
            properties,
        );
        match within(HANDSHAKE_MAX, "connect", connecting).await {
            Ok(connection) => Ok(Link::new(connection, socket)),
            Err(fault) => {
                socket.end();
                Err(fault)
            }
        }
    }
}

/// An open connection. Dropped, its socket is shut; unsettled deliveries of it go back to their queues.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    socket: Socket,
    is_ended: AtomicBool,
    blocked: watch::Receiver<bool>,
}

impl Link {
    fn new(connection: Connection, socket: Socket) -> Self {
        let (sender, blocked) = watch::channel(connection.status().blocked());
        // One listener per connection: two would share the events between them.
        tokio::spawn(listen(Box::pin(connection.events_listener()), sender));
        Self { connection, socket, is_ended: AtomicBool::new(false), blocked }
    }

    /// Whether it is of use, as far as is known.
    pub(super) fn is_up(&self) -> bool {
        !self.is_ended.load(Ordering::Acquire) && self.connection.status().connected()
    }

    /// Whether the broker has stopped to take jobs on it (memory or disk alarm). lapin writes nothing at all then.
    pub(super) fn blocked(&self) -> watch::Receiver<bool> {
        self.blocked.clone()
    }

    pub(super) async fn channel(&self) -> Result<Channel, Fault> {
        within(CALL_MAX, "open a channel", self.connection.create_channel()).await
    }

    /// Whether the broker answers on it.
    pub(super) async fn answers(&self, limit: Duration) -> bool {
        self.is_up() && matches!(timeout(limit, self.connection.create_channel()).await, Ok(Ok(_)))
    }

    /// Ends it at once, without a farewell; whether it was not ended before.
    pub(super) fn end(&self) -> bool {
        let is_first = !self.is_ended.swap(true, Ordering::AcqRel);
        self.socket.end();
        is_first
    }

    /// Ends it after what was written before, with a farewell.
    pub(super) async fn close(&self) {
        let farewell = self.connection.close(200, "OK".into());
        if let Err(fault) = within(CLOSE_MAX, "close the connection", farewell).await {
            tracing::debug!("a connection to RabbitMQ ended without a farewell: {}", fault.words());
        }
        self.end();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end();
    }
}

/// Follows what the broker says about a connection until nobody asks any more.
async fn listen(mut events: Pin<Box<dyn Stream<Item = Event> + Send>>, blocked: watch::Sender<bool>) {
    loop {
        let event = tokio::select! {
            () = blocked.closed() => return,
            event = next(&mut events) => event,
        };
        match event {
            Some(Event::ConnectionBlocked(reason)) => {
                tracing::warn!("RabbitMQ takes no jobs for now: {reason}; publishing waits");
                blocked.send_replace(true);
            }
            Some(Event::ConnectionUnblocked) => {
                tracing::info!("RabbitMQ takes jobs again");
                blocked.send_replace(false);
            }
            Some(_) => {}
            None => return,
        }
    }
}

/// The next item of a stream.
pub(super) async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// A duplicate of a connection's socket.
#[derive(Debug, Clone, Default)]
struct Socket(Arc<Mutex<Duplicate>>);

#[derive(Debug, Default)]
enum Duplicate {
    /// There is no connection yet.
    #[default]
    None,
    Open(std::net::TcpStream),
    /// A connection that comes now comes too late.
    Ended,
}

impl Socket {
    fn keep(&self, socket: std::net::TcpStream) {
        let mut kept = self.lock();
        if matches!(*kept, Duplicate::Ended) {
            shut(&socket);
        } else {
            *kept = Duplicate::Open(socket);
        }
    }

    fn end(&self) {
        if let Duplicate::Open(socket) = std::mem::replace(&mut *self.lock(), Duplicate::Ended) {
            shut(&socket);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Duplicate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shut(socket: &std::net::TcpStream) {
    // It may have ended already.
    socket.shutdown(Shutdown::Both).ok();
}

#[cfg(unix)]
fn duplicate(socket: &tokio::net::TcpStream) -> io::Result<std::net::TcpStream> {
    use std::os::fd::AsFd;
    Ok(socket.as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn duplicate(socket: &tokio::net::TcpStream) -> io::Result<std::net::TcpStream> {
    use std::os::windows::io::AsSocket;
    Ok(socket.as_socket().try_clone_to_owned()?.into())
}
