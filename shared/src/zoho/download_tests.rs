//! Images from servers that redirect, stall, lie about lengths and send what is no image.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{header_exists, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::client_tests::config;
use super::{CallClass, Image, ImageFormat, ImageRoute, ZohoClient, ZohoConfig};
use crate::failure::{Class, Failure, Reason};

const TOKEN: &str = "/oauth/v2/token";
const IMAGE: &str = "/inventory/v1/items/1/image";
const DOCUMENT: &str = "/inventory/v1/documents/9";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";

fn jpeg() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(JPEG, "image/jpeg")
}

fn moved(to: &str) -> ResponseTemplate {
    ResponseTemplate::new(302).insert_header("Location", to)
}

fn refused(status: u16, code: u64) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"code": code, "message": "no"}))
}

async fn mount(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(path(at)).respond_with(answer).mount(server).await;
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    let token = json!({"access_token": "1000.acc3ss", "expires_in": 3600});
    mount(&server, TOKEN, ResponseTemplate::new(200).set_body_json(token)).await;
    server
}

async fn requests(server: &MockServer) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|request| request.url.path() != TOKEN).count()
}

async fn image(config: ZohoConfig) -> Result<Image, Failure> {
    let client = ZohoClient::connect(config).await.unwrap();
    client.image("1", Some("9"), CallClass::Backfill).await
}

fn class<T: std::fmt::Debug>(result: Result<T, Failure>) -> (Class, Reason) {
    let failure = result.unwrap_err();
    assert!(!format!("{failure:?}").contains("acc3ss"));
    (failure.class, failure.reason)
}

#[tokio::test]
async fn image_is_had_from_the_first_route_that_has_it() {
    let server = server().await;
    mount(&server, IMAGE, refused(404, 1002)).await;
    mount(&server, DOCUMENT, jpeg()).await;
    let found = image(config(&server.uri())).await.unwrap();
    assert_eq!((found.format, found.route), (ImageFormat::Jpeg, ImageRoute::InventoryDocument));
    let mut turned = config(&server.uri());
    turned.image_routes.reverse();
    let before = requests(&server).await;
    image(turned).await.unwrap();
    assert_eq!(requests(&server).await - before, 1);
}

#[tokio::test]
async fn route_without_rights_is_told_only_where_no_other_helps() {
    let server = server().await;
    mount(&server, IMAGE, refused(401, 57)).await;
    mount(&server, DOCUMENT, refused(404, 5)).await;
    assert_eq!(class(image(config(&server.uri())).await), (Class::Systemic, Reason::Rights));
    let client = ZohoClient::connect(config(&server.uri())).await.unwrap();
    assert_eq!(class(client.image("1", None, CallClass::Backfill).await), (Class::Systemic, Reason::Rights));
}

#[tokio::test]
async fn item_without_an_image_is_missing_one() {
    let server = server().await;
    mount(&server, IMAGE, ResponseTemplate::new(200).set_body_json(json!({"code": 0}))).await;
    assert_eq!(class(image(config(&server.uri())).await), (Class::Permanent, Reason::Missing));
}

#[tokio::test]
async fn redirect_to_a_named_host_is_followed_without_the_token() {
    let (server, files) = (server().await, MockServer::start().await);
    mount(&server, IMAGE, moved(&format!("{}/file", files.uri()))).await;
    Mock::given(header_exists("authorization"))
        .respond_with(ResponseTemplate::new(500))
        .expect(0)
        .mount(&files)
        .await;
    mount(&files, "/file", jpeg()).await;
    let mut named = config(&server.uri());
    named.redirect_hosts = vec![files.address().to_string()];
    named.private_hosts.clone_from(&named.redirect_hosts);
    assert_eq!(image(named).await.unwrap().bytes, JPEG);
}

#[tokio::test]
async fn token_comes_along_only_on_the_way_back() {
    let (server, files) = (server().await, MockServer::start().await);
    mount(&server, IMAGE, moved(&format!("{}/file", files.uri()))).await;
    mount(&files, "/file", moved(&format!("{}/back", server.uri()))).await;
    Mock::given(path("/back")).and(header_exists("authorization")).respond_with(jpeg()).mount(&server).await;
    let mut named = config(&server.uri());
    named.redirect_hosts = vec![files.address().to_string()];
    named.private_hosts.clone_from(&named.redirect_hosts);
    image(named).await.unwrap();
    for request in files.received_requests().await.unwrap() {
        assert!(!request.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn words_of_another_host_are_not_taken_for_zohos() {
    for (status, class) in [(401, Class::Transient), (429, Class::Throttled), (200, Class::Permanent)] {
        let (server, files) = (server().await, MockServer::start().await);
        mount(&server, IMAGE, moved(&format!("{}/file", files.uri()))).await;
        let answer = refused(status, 45).insert_header("Retry-After", "60");
        mount(&files, "/file", answer).await;
        let mut named = config(&server.uri());
        named.redirect_hosts = vec![files.address().to_string()];
        named.private_hosts.clone_from(&named.redirect_hosts);
        named.image_routes = vec![ImageRoute::Inventory];
        let client = ZohoClient::connect(named).await.unwrap();
        let failure = client.image("1", None, CallClass::Backfill).await.unwrap_err();
        assert_eq!(failure.class, class, "{status}: {failure}");
        assert_eq!(client.limits().blocked_until, None);
        assert_eq!(client.calls().token, 1);
    }
}

#[tokio::test]
async fn redirect_to_another_host_is_refused() {
    let (server, files) = (server().await, MockServer::start().await);
    mount(&server, IMAGE, moved(&format!("{}/file", files.uri()))).await;
    mount(&files, "/file", jpeg()).await;
    let configuration = (Class::Systemic, Reason::Configuration);
    assert_eq!(class(image(config(&server.uri())).await), configuration);
    let mut named = config(&server.uri());
    named.redirect_hosts = vec![files.address().to_string()];
    assert_eq!(class(image(named).await), configuration, "plain http to a private address");
    assert_eq!(requests(&files).await, 0);
}

#[tokio::test]
async fn named_host_that_leads_inside_is_refused() {
    let server = server().await;
    mount(&server, IMAGE, moved("https://localhost:9/file")).await;
    let mut named = config(&server.uri());
    named.redirect_hosts = vec!["localhost:9".to_owned()];
    let failure = image(named.clone()).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Configuration);
    assert!(failure.to_string().contains("private_hosts"), "{failure}");
    named.private_hosts.clone_from(&named.redirect_hosts);
    assert_eq!(class(image(named).await), (Class::Transient, Reason::Unreachable));
}

#[tokio::test]
async fn redirects_without_end_are_given_up() {
    let server = server().await;
    mount(&server, IMAGE, moved(IMAGE)).await;
    assert_eq!(class(image(config(&server.uri())).await), (Class::Permanent, Reason::Protocol));
    assert_eq!(requests(&server).await, 4);
}

/// Answers every connection with these bytes and closes it, or holds it open until the test ends.
async fn raw(answer: Vec<u8>, hold: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            // The client may be gone before all of it is written.
            stream.write_all(&answer).await.ok();
            if hold {
                held.push(stream);
            }
        }
    });
    url
}

/// A client whose tokens come from one server and whose images from another.
async fn image_at(api: String, change: impl FnOnce(&mut ZohoConfig)) -> Result<Image, Failure> {
    let accounts = server().await;
    let mut config = config(&accounts.uri());
    config.api_url = Some(api);
    change(&mut config);
    image(config).await
}

fn too_large() -> (Class, Reason) {
    (Class::Permanent, Reason::BadRecord)
}

#[tokio::test]
async fn image_that_says_it_is_too_large_is_not_read() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 10737418240\r\n\r\n";
    let api = raw(head.to_vec(), true).await;
    assert_eq!(class(image_at(api, |_| ()).await), too_large());
}

#[tokio::test]
async fn image_that_grows_too_large_is_broken_off() {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n".to_vec();
    answer.extend([0xff; 0x400]);
    answer.extend(b"\r\n400\r\n");
    answer.extend([0xff; 0x400]);
    let api = raw(answer, true).await;
    let result = image_at(api, |config| config.max_image_bytes = 0x600).await;
    assert_eq!(class(result), too_large());
}

#[tokio::test]
async fn image_that_stalls_runs_into_its_time() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\n".to_vec();
    answer.extend(JPEG);
    let api = raw(answer, true).await;
    let result = image_at(api, |config| config.image_timeout = Duration::from_millis(200)).await;
    assert_eq!(class(result), (Class::Transient, Reason::Timeout));
}

#[tokio::test]
async fn image_that_is_cut_off_is_none() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\n".to_vec();
    answer.extend(JPEG);
    let api = raw(answer, false).await;
    assert_eq!(class(image_at(api, |_| ()).await), (Class::Transient, Reason::Unreachable));
}
