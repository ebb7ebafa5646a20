//! The proxy's faults, between a client and a server that says everything back.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use services::Proxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Long enough for bytes that are not held back.
const MOMENT: Duration = Duration::from_millis(200);
const DELAY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = client.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

async fn through(proxy: &Proxy) -> TcpStream {
    timeout(PATIENCE, TcpStream::connect(proxy.addr())).await.unwrap().unwrap()
}

async fn says_back(connection: &mut TcpStream, text: &str) {
    connection.write_all(text.as_bytes()).await.unwrap();
    assert_eq!(heard(connection, text.len()).await, text);
}

async fn heard(connection: &mut TcpStream, bytes: usize) -> String {
    let mut said = vec![0; bytes];
    timeout(PATIENCE, connection.read_exact(&mut said)).await.unwrap().unwrap();
    String::from_utf8(said).unwrap()
}

/// Closed by the other side: the end, or a reset where bytes were on their way.
async fn is_closed(connection: &mut TcpStream) -> bool {
    match timeout(PATIENCE, connection.read(&mut [0; 16])).await.unwrap() {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[tokio::test]
async fn it_carries_both_ways_and_the_end_of_each_side() {
    let proxy = Proxy::to(echo().await);
    let mut connection = through(&proxy).await;
    says_back(&mut connection, "one").await;
    let long = "0123456789".repeat(50_000);
    let (mut from, mut to) = connection.split();
    let (sent, said) = tokio::join!(
        async {
            to.write_all(long.as_bytes()).await.unwrap();
            to.shutdown().await
        },
        async {
            let mut said = String::new();
            timeout(PATIENCE, from.read_to_string(&mut said)).await.unwrap().unwrap();
            said
        }
    );
    sent.unwrap();
    assert!(said == long, "{} bytes came back", said.len());
}

#[tokio::test]
async fn cut_closes_all_connections_and_new_ones_are_carried() {
    let proxy = Proxy::to(echo().await);
    let mut connections = [through(&proxy).await, through(&proxy).await];
    for connection in &mut connections {
        says_back(connection, "before").await;
    }
    proxy.cut();
    for connection in &mut connections {
        assert!(is_closed(connection).await);
    }
    says_back(&mut through(&proxy).await, "after").await;
}

#[tokio::test]
async fn refuse_keeps_new_clients_out_and_carries_on_what_stands() {
    let proxy = Proxy::to(echo().await);
    let mut connection = through(&proxy).await;
    says_back(&mut connection, "before").await;
    proxy.refuse();
    let refused = TcpStream::connect(proxy.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    says_back(&mut connection, "meanwhile").await;
    proxy.cut();
    assert!(is_closed(&mut connection).await);
    proxy.accept();
    says_back(&mut through(&proxy).await, "after").await;
}

#[tokio::test]
async fn freeze_lets_nothing_through_until_thaw() {
    let proxy = Proxy::to(echo().await);
    let mut old = through(&proxy).await;
    says_back(&mut old, "before").await;
    proxy.freeze();
    let mut new = through(&proxy).await;
    for connection in [&mut old, &mut new] {
        connection.write_all(b"frozen").await.unwrap();
        assert!(timeout(MOMENT, connection.read_u8()).await.is_err(), "a byte came through");
    }
    proxy.thaw();
    for connection in [&mut old, &mut new] {
        assert_eq!(heard(connection, 6).await, "frozen");
    }
    proxy.freeze();
    proxy.cut();
    assert!(is_closed(&mut old).await);
}

#[tokio::test]
async fn delay_holds_back_each_way_until_it_is_taken_away() {
    let proxy = Proxy::to(echo().await);
    let mut connection = through(&proxy).await;
    proxy.delay(DELAY);
    let start = Instant::now();
    says_back(&mut connection, "slow").await;
    assert!(start.elapsed() >= 2 * DELAY, "{:?}", start.elapsed());
    proxy.delay(Duration::ZERO);
    let start = Instant::now();
    says_back(&mut connection, "fast").await;
    assert!(start.elapsed() < 2 * DELAY, "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_end_of_the_proxy_is_the_end_of_its_connections() {
    let proxy = Proxy::to(echo().await);
    let mut connection = through(&proxy).await;
    says_back(&mut connection, "before").await;
    let address = proxy.addr();
    drop(proxy);
    assert!(is_closed(&mut connection).await);
    assert!(TcpStream::connect(address).await.is_err());
}
