//! Servers that redirect, stall, break off or are none.

use super::*;

#[tokio::test]
async fn redirect_is_not_followed_but_told() {
    let server = MockServer::start().await;
    let moved = ResponseTemplate::new(301).insert_header("Location", format!("https://erp.example{VERSION}"));
    mount(&server, VERSION, moved).await;
    let failure = failure(config(&server.uri())).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration));
    assert!(failure.to_string().contains("set `url` to https://erp.example if"), "{failure}");
}

#[tokio::test]
async fn web_site_that_is_no_odoo_is_told() {
    let server = MockServer::start().await;
    mount(&server, VERSION, ResponseTemplate::new(404).set_body_raw("<html>", "text/html")).await;
    let failure = failure(config(&server.uri())).await;
    assert_eq!(failure.reason, Reason::Configuration);
    assert!(failure.to_string().contains("does not look like an Odoo server"), "{failure}");
}

#[tokio::test]
async fn server_in_trouble_is_asked_again_but_a_write_is_sent_once() {
    let server = MockServer::start().await;
    mount_once(&server, VERSION, ResponseTemplate::new(502)).await;
    mount(&server, VERSION, version(17)).await;
    mount(&server, LOGIN, logged_in("one")).await;
    mount_once(&server, CALL, ResponseTemplate::new(503)).await;
    mount(&server, CALL, result(&json!(7))).await;
    let write = "/web/dataset/call_kw/res.partner/write";
    mount(&server, write, ResponseTemplate::new(502)).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    assert_eq!(count(&client).await.unwrap(), 7);
    let failure = client.write("res.partner", &[1], &Row::new()).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::ServerError));
    assert_eq!(requests(&server, write).await, 1);
}

#[tokio::test]
async fn answer_that_does_not_come_is_a_timeout_and_asked_for_once() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17).set_delay(Duration::from_mins(1))).await;
    let mut config = config(&server.uri());
    config.timeout = Duration::from_millis(100);
    let failure = failure(config).await;
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Timeout));
    assert_eq!(requests(&server, VERSION).await, 1);
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = failure(config(&format!("http://me:hunter2@{address}"))).await;
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Unreachable));
    assert!(failure.to_string().contains(&address.to_string()), "{failure}");
}

#[tokio::test]
async fn answer_over_the_limit_is_refused_by_its_length() {
    let server = MockServer::start().await;
    let body = vec![b' '; 3 << 20];
    mount(&server, VERSION, ResponseTemplate::new(200).set_body_raw(body, "application/json")).await;
    let mut config = config(&server.uri());
    config.max_answer_bytes = 2 << 20;
    let failure = failure(config).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Protocol));
    assert!(failure.to_string().contains("larger than 2 MiB"), "{failure}");
}

#[tokio::test]
async fn endless_answer_is_refused_while_it_comes() {
    let (address, server) =
        raw_server(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", true).await;
    let mut config = config(&format!("http://{address}"));
    config.max_answer_bytes = 1 << 20;
    let failure = failure(config).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Protocol));
    server.abort();
}

#[tokio::test]
async fn answer_that_breaks_off_is_unreachable() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"json";
    let (address, server) = raw_server(head, false).await;
    let failure = failure(config(&format!("http://{address}"))).await;
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Unreachable));
    server.abort();
}

#[tokio::test]
async fn tls_on_a_plain_port_is_a_wrong_address() {
    let (address, server) = raw_server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false).await;
    let failure = failure(config(&format!("https://{address}"))).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration));
    server.abort();
}

/// A server that reads a request, sends these bytes, goes on with spaces for ever if asked to, and hangs up.
async fn raw_server(
    head: &'static [u8],
    is_endless: bool,
) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_err() || stream.write_all(head).await.is_err() {
                continue;
            }
            while is_endless && stream.write_all(&[b' '; 4096]).await.is_ok() {}
        }
    });
    (address, server)
}
