//! A client for HTTP/1.1 with one connection and one request at a time, made for load: the request's
//! bytes are the caller's, and only the needed part of the response is read. A general client costs more
//! per request than a service of the fleet does per order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::targets::Targets;

/// Longer than the services let any answer wait.
const PATIENCE: Duration = Duration::from_secs(70);
/// A response's head is never longer.
const HEAD_MAX: usize = 16 * 1024;

/// A connection that is opened when first needed, and again after it broke.
pub struct Client {
    targets: Arc<Targets>,
    stream: Option<TcpStream>,
    /// Sent over this connection.
    requests: u32,
    buffer: Vec<u8>,
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub struct Response<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Client::of(Arc::new(Targets::fixed(vec![address])))
    }

    /// A client of whichever replica takes its connection.
    pub fn of(targets: Arc<Targets>) -> Self {
        Client { targets, stream: None, requests: 0, buffer: Vec::with_capacity(4_096) }
    }

    /// A request without a body.
    pub async fn get(&mut self, path: &str) -> io::Result<Response<'_>> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
        self.send(request.as_bytes()).await
    }

    /// A request with a JSON body.
    pub async fn send_json(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<Response<'_>> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n{headers}\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(request.as_bytes()).await
    }

    /// Sends a request unchanged and reads the response. After an error the outcome is unknown; a
    /// request that is to be repeated needs an idempotency key in it.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<Response<'_>> {
        let kept = self.stream.take().filter(|stream| {
            self.requests < self.targets.requests_of_a_connection && is_open(stream)
        });
        let mut stream = match kept {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.targets.next()).await?;
                stream.set_nodelay(true)?;
                self.requests = 0;
                stream
            }
        };
        self.requests = self.requests.saturating_add(1);
        self.buffer.clear();
        let exchange = async {
            stream.write_all(request).await?;
            read_response(&mut stream, &mut self.buffer).await
        };
        let head = timeout(PATIENCE, exchange).await.map_err(|_elapsed| {
            io::Error::new(io::ErrorKind::TimedOut, "the service does not answer")
        })??;
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(Response { status: head.status, body: &self.buffer[head.body_at..] })
    }
}

/// Whether the service has not closed the connection while nothing was asked over it. Every client looks.
fn is_open(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0]);
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

struct Head {
    status: u16,
    body_at: usize,
    body_bytes: usize,
    closes: bool,
}

async fn read_response(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Head> {
    let mut searched = 0;
    let head = loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(at) = find(&buffer[searched..], b"\r\n\r\n") {
            break parse_head(&buffer[..searched + at], searched + at + 4)?;
        }
        if buffer.len() > HEAD_MAX {
            return Err(malformed("the response's head is too long"));
        }
        // The end of the head may be split between two reads.
        searched = buffer.len().saturating_sub(3);
    };
    while buffer.len() < head.body_at + head.body_bytes {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    match buffer.len() == head.body_at + head.body_bytes {
        true => Ok(head),
        false => Err(malformed("the response is longer than it says")),
    }
}

fn parse_head(head: &[u8], body_at: usize) -> io::Result<Head> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("the head is no text"))?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| malformed("no HTTP/1.1 response"))?;
    let mut body_bytes = match status {
        204 | 304 => Some(0),
        _with_body => None,
    };
    let mut closes = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            body_bytes = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.trim().eq_ignore_ascii_case("close");
        }
    }
    let body_bytes = body_bytes.ok_or_else(|| malformed("the response does not say its length"))?;
    Ok(Head { status, body_at, body_bytes, closes })
}

/// Where `needle` begins in `bytes`.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each connection with the given pieces, written one by one after a request was read.
    async fn serve(connections: Vec<Vec<&'static str>>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(listener.local_addr().unwrap());
        tokio::spawn(async move {
            for pieces in connections {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                for piece in pieces {
                    match piece {
                        "" => assert!(stream.read(&mut request).await.unwrap() > 0),
                        piece => stream.write_all(piece.as_bytes()).await.unwrap(),
                    }
                    tokio::task::yield_now().await;
                }
            }
        });
        client
    }

    #[tokio::test]
    async fn a_connection_is_used_again_and_a_response_may_come_in_pieces() {
        let mut client = serve(vec![vec![
            "",
            "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r",
            "\nhe",
            "llo",
            "",
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        ]])
        .await;
        assert_eq!(client.get("/").await.unwrap(), Response { status: 201, body: b"hello" });
        assert_eq!(client.get("/").await.unwrap(), Response { status: 503, body: b"" });
    }

    #[tokio::test]
    async fn a_closed_connection_is_made_again() {
        let mut client = serve(vec![
            vec!["", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\na"],
            vec!["", "HTTP/1.1 204 No Content\r\n\r\n"],
            vec!["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbroken"],
            vec!["", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb"],
        ])
        .await;
        assert_eq!(client.get("/").await.unwrap().body, b"a");
        assert_eq!(client.get("/").await.unwrap().status, 204);
        // The server closes after the answer without having said so.
        client.stream.as_ref().unwrap().readable().await.unwrap();
        assert!(client.get("/").await.is_err(), "half an answer");
        assert_eq!(client.get("/").await.unwrap().body, b"b");
    }

    #[tokio::test]
    async fn a_connection_is_opened_anew_after_as_many_requests_as_it_may_carry() {
        let answer = "HTTP/1.1 204 No Content\r\n\r\n";
        let connection = vec!["", answer, "", answer];
        let client = serve(vec![connection, vec!["", "HTTP/1.1 200 OK\r\n\r\n"]]).await;
        let targets = Targets::renewed_after(2, vec![client.targets.next()]);
        let mut client = Client::of(Arc::new(targets));
        for _ in 0..2 {
            assert_eq!(client.get("/").await.unwrap().status, 204);
        }
        client.get("/").await.unwrap_err();
    }

    #[tokio::test]
    async fn what_is_no_response_is_an_error() {
        for response in [
            "SSH-2.0-something\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
        ] {
            let mut client = serve(vec![vec!["", response]]).await;
            let error = client.get("/").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{response}");
        }
    }
}
