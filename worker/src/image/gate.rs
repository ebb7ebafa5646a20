//! A web server for tests that answers when it is told to, and counts who is waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// A server whose answers have to be let out.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) uri: String,
    /// Paths of the requests that wait for their answer.
    waiting: Arc<watch::Sender<Vec<String>>>,
    answers: Arc<Semaphore>,
    most: Arc<AtomicUsize>,
}

impl Gate {
    /// Every answer is this whole HTTP response; the connection is closed behind it.
    pub(super) async fn start(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Self {
            uri: format!("http://{}", listener.local_addr().unwrap()),
            waiting: Arc::new(watch::Sender::new(Vec::new())),
            answers: Arc::new(Semaphore::new(0)),
            most: Arc::default(),
        };
        let (server, answer) = (gate.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().answer(stream, Arc::clone(&answer)));
            }
        });
        gate
    }

    async fn answer(self, mut stream: TcpStream, answer: Arc<Vec<u8>>) {
        let mut request = [0; 4_096];
        let length = stream.read(&mut request).await.unwrap();
        let head = String::from_utf8_lossy(&request[..length]).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.waiting.send_modify(|waiting| {
            waiting.push(path.clone());
            self.most.fetch_max(waiting.len(), Ordering::SeqCst);
        });
        self.answers.acquire().await.unwrap().forget();
        self.waiting.send_modify(|waiting| waiting.retain(|other| *other != path));
        // Whoever asked may have gone.
        drop(stream.write_all(&answer).await);
    }

    /// Waits until as many requests wait, and says which.
    pub(super) async fn waiting(&self, requests: usize) -> Vec<String> {
        let mut waiting = self.waiting.subscribe();
        let found = waiting.wait_for(|waiting| waiting.len() >= requests).await.unwrap();
        found.clone()
    }

    /// Waits until no request waits.
    pub(super) async fn none_waiting(&self) {
        let mut waiting = self.waiting.subscribe();
        drop(waiting.wait_for(Vec::is_empty).await.unwrap());
    }

    /// How many requests waited at once, at most.
    pub(super) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// Lets this many answers out.
    pub(super) fn open(&self, answers: usize) {
        self.answers.add_permits(answers);
    }
}

/// A whole response with a length, or one that ends with its connection.
pub(super) fn response(body: &[u8], is_framed: bool) -> Vec<u8> {
    let length = if is_framed { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
    let mut response = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{length}\r\n").into_bytes();
    response.extend(body);
    response
}
