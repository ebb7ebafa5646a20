//! A small HTTP/1.1 server that keeps connections open, as Zoho's does.
//!
//! Written by hand because a stand-in must also answer wrongly on purpose: close before answering, stop in the
//! middle of a body, drip, or never answer at all.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Longest request head that is read.
const MAX_HEAD: usize = 64 * 1024;
/// Longest request body that is read; only the control takes bodies of any size.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// Pieces in which a slow body is sent.
const DRIPS: usize = 16;

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
    /// How the body is brought to the client.
    pub(crate) pace: Pace,
}

/// How a body is brought to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At once.
    Whole,
    /// Half of it, then the end of the connection.
    Cut,
    /// In pieces over this time.
    Slow(Duration),
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into(), pace: Pace::Whole }
    }

    pub(crate) fn json(status: u16, body: &Json) -> Self {
        let mut response = Self::new(status, "application/json;charset=UTF-8", body.to_string());
        // Live answers carry it even on JSON.
        response.headers.push(("Content-Disposition", "attachment;".to_owned()));
        response
    }

    pub(crate) fn html(status: u16, title: &str) -> Self {
        let body = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
        Self::new(status, "text/html", body)
    }
}

/// What happens on the connection.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An answer.
    Answer(Response),
    /// The end of the connection.
    Close,
    /// Nothing until the client goes away.
    Hang,
}

/// Turns requests into replies.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The second value is dropped once the answer is written.
    fn handle(self: Arc<Self>, request: Request) -> impl Future<Output = (Reply, Box<dyn Send>)> + Send;

    /// The value of the `Date` header.
    fn date(&self) -> String;
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

/// One connection. A client that goes away is no error of ours, so failures to write end it silently.
async fn converse<H: Handler>(mut stream: TcpStream, handler: Arc<H>) {
    let mut buffer = Vec::with_capacity(4096);
    while let Some(request) = read(&mut stream, &mut buffer).await {
        let is_head = request.method == "HEAD";
        let wants_close =
            request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let (reply, call) = Arc::clone(&handler).handle(request).await;
        let response = match reply {
            Reply::Answer(response) => response,
            Reply::Close => return,
            Reply::Hang => {
                let mut rest = [0; 1024];
                while let Ok(1..) = stream.read(&mut rest).await {}
                return;
            }
        };
        let written = write(&mut stream, &response, &handler.date(), is_head).await;
        drop(call);
        if written.is_err() || wants_close || response.pace == Pace::Cut {
            return;
        }
    }
}

async fn write(
    stream: &mut TcpStream,
    response: &Response,
    date: &str,
    is_head: bool,
) -> std::io::Result<()> {
    let mut bytes = head(response, date);
    let body = if is_head { &[][..] } else { response.body.as_slice() };
    match response.pace {
        Pace::Whole => bytes.extend_from_slice(body),
        Pace::Cut => {
            bytes.extend(body.iter().take(body.len() / 2));
            stream.write_all(&bytes).await?;
            return stream.shutdown().await;
        }
        Pace::Slow(time) => {
            stream.write_all(&bytes).await?;
            bytes.clear();
            let pause = time / u32::try_from(DRIPS).unwrap_or(1);
            for piece in body.chunks(body.len().div_ceil(DRIPS).max(1)) {
                tokio::time::sleep(pause).await;
                stream.write_all(piece).await?;
            }
        }
    }
    stream.write_all(&bytes).await?;
    stream.flush().await
}

fn head(response: &Response, date: &str) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 {} \r\nServer: ZGS\r\nDate: {date}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: \
         no-store, no-cache, must-revalidate\r\nSet-Cookie: zalb_sandbox=0; Path=/\r\n",
        response.status,
        response.content_type,
        response.body.len(),
    );
    for (name, value) in &response.headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The next request; what was read beyond it stays in the buffer. `None` at the end of the connection and for
/// what is no request.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > MAX_HEAD || stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(buffer.get(..end)?).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request =
        Request { method, path: path.to_owned(), query: query.to_owned(), headers, body: Vec::new() };
    let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
    if length > MAX_BODY || request.header("transfer-encoding").is_some() {
        return None;
    }
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    request.body = buffer.drain(..length).collect();
    Some(request)
}
