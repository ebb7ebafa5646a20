//! What a web server may answer, and what becomes of it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

fn images(server: &str) -> HttpImages {
    HttpImages::new(&format!("{server}/items/{{key}}?document={{reference}}"), []).unwrap()
}

async fn fetch(server: &str, limit: usize) -> Result<Fetched, Failure> {
    let reference = "7 / front.jpg".parse().unwrap();
    images(server).fetch(&RecordKey::from(42), &reference, limit).await
}

/// A server that answers one request with these bytes and closes the connection, or leaves it open.
async fn raw(answer: Vec<u8>, close: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4_096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(&answer).await.unwrap();
        if !close {
            std::future::pending::<()>().await;
        }
    });
    format!("http://{address}")
}

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn key_and_reference_are_put_into_the_address() {
    let server = MockServer::start().await;
    Mock::given(path("/items/42"))
        .and(query_param("document", "7 / front.jpg"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes("bytes"))
        .mount(&server)
        .await;
    let fetched = fetch(&server.uri(), 5).await.unwrap();
    assert_eq!(fetched, Fetched { bytes: b"bytes".to_vec(), framed: true });
    assert!(!format!("{fetched:?}").contains("[98"));
}

/// Answers, and what is to become of them: class, reason and seconds to wait.
fn answers() -> Vec<(ResponseTemplate, Class, Reason, Option<u64>)> {
    let plain = ResponseTemplate::new;
    let waits = |status: u16, wait: &str| ResponseTemplate::new(status).insert_header("retry-after", wait);
    let throttled = |answer, wait| (answer, Class::Throttled, Reason::Throttled, wait);
    let refused = |status, reason| (plain(status), Class::Permanent, reason, None);
    let transient = |status, reason| (plain(status), Class::Transient, reason, None);
    let systemic = |status, reason| (plain(status), Class::Systemic, reason, None);
    vec![
        refused(404, Reason::Missing),
        refused(410, Reason::Missing),
        refused(204, Reason::Protocol),
        refused(400, Reason::Protocol),
        throttled(waits(429, "7"), Some(7)),
        throttled(plain(429), None),
        throttled(waits(503, "120"), Some(120)),
        throttled(waits(429, "99999999"), Some(86_400)),
        throttled(waits(429, "Sat, 21 Nov 2020 22:39:23 GMT"), Some(0)),
        transient(503, Reason::ServerError),
        transient(500, Reason::ServerError),
        transient(408, Reason::Timeout),
        systemic(401, Reason::Credentials),
        systemic(403, Reason::Rights),
    ]
}

#[tokio::test]
async fn answer_has_the_class_of_its_evidence() {
    for (answer, class, reason, wait) in answers() {
        let server = answering(answer).await;
        let failure = fetch(&server.uri(), 100).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (class, reason), "{failure}");
        assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), wait, "{failure}");
    }
}

#[tokio::test]
async fn body_is_never_read_beyond_the_limit() {
    let told = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n".to_vec(), false).await;
    let mut endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..3 {
        endless.extend(b"a\r\n0123456789\r\n");
    }
    let untold = raw(endless, false).await;
    for server in [told, untold] {
        let failure = fetch(&server, 25).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord));
        assert_eq!(failure.what(), "the image is larger than 25 bytes");
    }
    let server = answering(ResponseTemplate::new(200).set_body_bytes([7; 25])).await;
    assert_eq!(fetch(&server.uri(), 25).await.unwrap().bytes, [7; 25]);
}

#[tokio::test]
async fn connection_that_breaks_is_tried_again() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n",
        "HTTP/1.1 200",
    ] {
        let server = raw(cut.into(), true).await;
        let failure = fetch(&server, 1_000).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Unreachable), "{cut}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failure = fetch(&format!("http://{nobody}"), 1_000).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Unreachable));
}

#[tokio::test]
async fn end_that_is_only_the_end_of_the_connection_is_told() {
    let server = raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nperhaps all".to_vec(), true).await;
    let fetched = fetch(&server, 1_000).await.unwrap();
    assert_eq!(fetched, Fetched { bytes: b"perhaps all".to_vec(), framed: false });
}

#[tokio::test]
async fn redirect_into_a_private_network_is_refused_unless_it_is_allowed() {
    let inside = answering(ResponseTemplate::new(200).set_body_bytes("secret")).await;
    let port = inside.address().port();
    for host in ["127.0.0.2", "localhost"] {
        let there = format!("http://{host}:{port}/status?token=s3cret");
        let outside = answering(ResponseTemplate::new(302).insert_header("location", there)).await;
        let failure = fetch(&outside.uri(), 100).await.unwrap_err();
        assert_eq!(failure.class, Class::Permanent, "{failure:#}");
        assert!(failure.what().contains(host), "{failure:#}");
        assert!(!format!("{failure:#}").contains("s3cret"), "{failure:#}");
    }
    let there = format!("http://localhost:{port}/image");
    let outside = answering(ResponseTemplate::new(302).insert_header("location", there)).await;
    let template = format!("{}/{{key}}", outside.uri());
    let allowed = HttpImages::new(&template, ["localhost".to_owned()]).unwrap();
    let fetched = allowed.fetch(&RecordKey::from(1), &"a".parse().unwrap(), 100).await;
    // Where `localhost` is ::1 first, nobody listens there; that it was tried is enough.
    match fetched {
        Ok(fetched) => assert_eq!(fetched.bytes, b"secret"),
        Err(failure) => assert_eq!(failure.reason, Reason::Unreachable, "{failure:#}"),
    }
}

#[tokio::test]
async fn redirects_in_circles_end() {
    let server = answering(ResponseTemplate::new(302).insert_header("location", "/again")).await;
    let failure = fetch(&server.uri(), 100).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::Protocol));
    assert_eq!(server.received_requests().await.unwrap().len(), 6);
}

#[test]
fn template_is_an_address_with_a_fixed_host() {
    let reason = |template: &str| HttpImages::new(template, []).map_err(|failure| failure.reason).err();
    assert_eq!(reason("https://shop.example/{key}/{reference}.jpg"), None);
    for wrong in [
        "shop.example/{key}",
        "ftp://shop.example/{key}",
        "https://{reference}/",
        "https://{key}.shop.example/",
    ] {
        assert_eq!(reason(wrong), Some(Reason::Configuration), "{wrong}");
    }
}

#[test]
fn reference_cannot_leave_its_place_in_the_address() {
    assert_eq!(encoded("a/../b?c#d%é {key}"), "a%2F..%2Fb%3Fc%23d%25%C3%A9%20%7Bkey%7D");
    assert_eq!([encoded("."), encoded("..")], ["%2E", "%2E%2E"]);
    assert_eq!(filled("/{key}/{reference}", "{reference}", "x"), "/%7Breference%7D/x");
}
