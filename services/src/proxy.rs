//! A TCP proxy that breaks connections in the ways networks do.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc as answers;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::{port, wait};

const CHUNK: usize = 64 << 10;

/// Stands between clients and a server. It runs in a thread of its own: it goes on while a test blocks, and its clock is
/// the real one even where a test's clock is paused. Dropped, it closes all.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    orders: Option<mpsc::UnboundedSender<(Order, answers::Sender<()>)>>,
    thread: Option<JoinHandle<()>>,
}

/// What becomes of bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Weather {
    is_frozen: bool,
    delay: Duration,
}

#[derive(Debug)]
enum Order {
    Cut,
    Refuse,
    Accept,
}

impl Proxy {
    /// One that carries everything to this address.
    pub fn to(server: SocketAddr) -> Self {
        let address = port::free();
        let (weather, seen) = watch::channel(Weather::default());
        let (orders, taken) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for a proxy: {error}"));
        let serve = serve(address, server, seen, taken);
        let thread = std::thread::spawn(move || runtime.block_on(serve));
        let proxy = Self { address, weather, orders: Some(orders), thread: Some(thread) };
        proxy.accept();
        proxy
    }

    /// Where clients connect to instead.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections; new ones are accepted. On return all are closed.
    pub fn cut(&self) {
        self.order(Order::Cut);
    }

    /// From now on nobody listens: clients are refused. Connections that stand are carried on.
    pub fn refuse(&self) {
        self.order(Order::Refuse);
    }

    /// Ends [`refuse`](Self::refuse).
    pub fn accept(&self) {
        self.order(Order::Accept);
    }

    /// From now on connections are accepted and stay open, and not a byte (nor the end of a connection) comes through, as
    /// when a cable is pulled.
    pub fn freeze(&self) {
        self.weather.send_modify(|weather| weather.is_frozen = true);
    }

    /// Ends [`freeze`](Self::freeze): what was sent meanwhile comes through.
    pub fn thaw(&self) {
        self.weather.send_modify(|weather| weather.is_frozen = false);
    }

    /// From now on what is read, up to 64 KiB at a time, waits so long before it goes on, in both directions. Zero: not
    /// at all.
    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Returns when it is carried out.
    fn order(&self, order: Order) {
        let (done, is_done) = answers::channel();
        let ordered = self.orders.as_ref().map(|orders| orders.send((order, done)));
        assert!(matches!(ordered, Some(Ok(()))), "the proxy's thread has ended");
        let carried_out = wait::blocking(|| is_done.recv());
        assert!(carried_out.is_ok(), "the proxy's thread has ended");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Its panic has been printed already.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Accepts and obeys until there is nobody to give orders.
async fn serve(
    address: SocketAddr,
    server: SocketAddr,
    weather: watch::Receiver<Weather>,
    mut orders: mpsc::UnboundedReceiver<(Order, answers::Sender<()>)>,
) {
    let mut listener: Option<TcpListener> = None;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some((order, done)) = order else { return };
                match order {
                    Order::Cut => connections.shutdown().await,
                    Order::Refuse => listener = None,
                    Order::Accept => listener = Some(listen(address).await),
                }
                // Who gave the order waits for this.
                done.send(()).ok();
            }
            client = accepted(listener.as_ref()) => {
                connections.spawn(carry(client, server, weather.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn listen(address: SocketAddr) -> TcpListener {
    let listening = TcpListener::bind(address).await;
    listening.unwrap_or_else(|error| panic!("the proxy cannot listen at {address}: {error}"))
}

/// The next client; for ever pending while nobody listens.
async fn accepted(listener: Option<&TcpListener>) -> TcpStream {
    if let Some(listener) = listener {
        loop {
            // A client that has gone before it was accepted is an error of its own.
            if let Ok((client, _)) = listener.accept().await {
                return client;
            }
        }
    }
    std::future::pending().await
}

/// Ends when either side has ended and the other was told, or with the first error, which closes both.
async fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    thawed(&mut weather.clone()).await;
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(pump(from_client, to_server, weather.clone()), pump(from_server, to_client, weather))?;
    Ok(())
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        thawed(&mut weather).await;
        let read = from.read(&mut chunk).await?;
        let delay = weather.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        thawed(&mut weather).await;
        match chunk.get(..read) {
            None | Some([]) => return to.shutdown().await,
            Some(bytes) => to.write_all(bytes).await?,
        }
    }
}

async fn thawed(weather: &mut watch::Receiver<Weather>) {
    // Without a sender the proxy is being dropped, and this with it.
    drop(weather.wait_for(|weather| !weather.is_frozen).await);
}
