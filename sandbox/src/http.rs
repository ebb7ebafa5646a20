//! A small HTTP/1.1 server: one request per connection, as Odoo's own server answers, or many as with a proxy in front.
//!
//! Written by hand because a stand-in must also answer wrongly on purpose: close before answering, stop in the
//! middle of a body, or never answer at all.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Longest request head that is read.
const MAX_HEAD: usize = 64 * 1024;
/// Longest request body that is read; Odoo's own server took 200 MiB.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// About what a record takes in an answer, in bytes.
const ROW: usize = 512;

/// A request, read to its end.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path without its query.
    pub(crate) path: String,
    pub(crate) query: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first header of this name, given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into() }
    }

    /// The text of a JSON value.
    pub(crate) fn json(status: u16, content_type: &'static str, answer: &Json) -> Self {
        // A page of records is long: at once, so that it is not copied again and again while it grows.
        let rows = answer.get("result").unwrap_or(answer).as_array().map_or(0, Vec::len);
        let mut body = Vec::with_capacity(256 + rows * ROW);
        serde_json::to_writer(&mut body, answer).expect("a value is text, and memory takes it");
        Self::new(status, content_type, body)
    }
}

/// What happens on the connection.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The answer, whole.
    Whole(Response),
    /// The head and half of the body, then the end of the connection.
    Cut(Response),
    /// The end of the connection.
    Close,
    /// Nothing until the client goes away.
    Hang,
}

/// Turns requests into replies.
pub(crate) trait Handler: Send + Sync + 'static {
    fn handle(self: Arc<Self>, request: Request) -> impl Future<Output = Reply> + Send;

    /// The value of the `Date` header.
    fn date(&self) -> String;

    /// Whether a connection is kept for the next request.
    fn keeps_connections(&self) -> bool;
}

/// Serves until the future is dropped; connections end with it.
pub(crate) async fn serve<H: Handler>(listener: TcpListener, handler: Arc<H>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(stream, Arc::clone(&handler)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection. A client that goes away is no error of ours, so failures to write are dropped.
async fn converse<H: Handler>(mut stream: TcpStream, handler: Arc<H>) {
    while let Some(request) = read(&mut stream).await {
        let is_head = request.method == "HEAD";
        let reply = Arc::clone(&handler).handle(request).await;
        let date = handler.date();
        let (response, sent) = match reply {
            Reply::Whole(response) => {
                let sent = if is_head { 0 } else { response.body.len() };
                (response, sent)
            }
            Reply::Cut(response) => {
                let half = response.body.len() / 2;
                (response, half)
            }
            Reply::Close => return,
            Reply::Hang => return wait_for_end(&mut stream).await,
        };
        let is_whole = is_head || sent == response.body.len();
        let keeps = is_whole && handler.keeps_connections();
        let mut bytes = head(&response, &date, keeps);
        bytes.extend(response.body.iter().take(sent));
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        if !keeps {
            return finish(&mut stream).await;
        }
    }
}

async fn finish(stream: &mut TcpStream) {
    if stream.shutdown().await.is_ok() {
        wait_for_end(stream).await;
    }
}

/// Reads and forgets until the client closes, so that closing here never resets an answer under way.
async fn wait_for_end(stream: &mut TcpStream) {
    let mut rest = [0; 1024];
    while let Ok(1..) = stream.read(&mut rest).await {}
}

fn head(response: &Response, date: &str, keeps: bool) -> Vec<u8> {
    let reason = reason(response.status);
    let mut head = format!(
        "HTTP/1.1 {} {reason}\r\nServer: Werkzeug/2.2.2 Python/3.11.7\r\nDate: {date}\r\nContent-Length: \
         {}\r\nContent-Type: {}\r\n",
        response.status,
        response.body.len(),
        response.content_type
    );
    for (name, value) in &response.headers {
        head.extend([name, ": ", value.as_str(), "\r\n"]);
    }
    let connection = if keeps { "keep-alive" } else { "close" };
    head.extend(["X-Content-Type-Options: nosniff\r\nConnection: ", connection, "\r\n\r\n"]);
    head.into_bytes()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        303 => "SEE OTHER",
        400 => "BAD REQUEST",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT FOUND",
        413 => "REQUEST ENTITY TOO LARGE",
        415 => "UNSUPPORTED MEDIA TYPE",
        422 => "UNPROCESSABLE ENTITY",
        429 => "TOO MANY REQUESTS",
        500 => "INTERNAL SERVER ERROR",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "UNKNOWN",
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut buffer = Vec::with_capacity(4096);
    let end = loop {
        if let Some(end) = find(&buffer, b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > MAX_HEAD || stream.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(buffer.get(..end)?).into_owned();
    let mut rest = buffer.split_off(end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request =
        Request { method, path: path.to_owned(), query: query.to_owned(), headers, body: Vec::new() };
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    if request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        request.body = chunked(stream, rest).await?;
        return Some(request);
    }
    let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
    if length > MAX_BODY {
        return None;
    }
    while rest.len() < length {
        if stream.read_buf(&mut rest).await.ok()? == 0 {
            return None;
        }
    }
    rest.truncate(length);
    request.body = rest;
    Some(request)
}

async fn chunked(stream: &mut TcpStream, mut rest: Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = find(&rest, b"\r\n") {
                break end;
            }
            if stream.read_buf(&mut rest).await.ok()? == 0 {
                return None;
            }
        };
        let line = String::from_utf8_lossy(rest.get(..end)?).into_owned();
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        if body.len() + size > MAX_BODY {
            return None;
        }
        while rest.len() < end + 2 + size + 2 {
            if stream.read_buf(&mut rest).await.ok()? == 0 {
                return None;
            }
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest.drain(..end + 2 + size + 2);
        if size == 0 {
            return Some(body);
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
