//! Following an order whose service goes away in the middle.

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::cli::{command, finish};

const ORDER: &str = "0199d2a4-0000-7000-8000-000000000001";

/// Reads a request; returns the id that it says was seen last.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    let mut seen = None;
    while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
        if let Some(id) = line.to_lowercase().strip_prefix("last-event-id:") {
            seen = Some(id.trim().to_owned());
        }
    }
    seen
}

/// Takes one request and answers it with these bytes, after which the connection is closed.
async fn serve(listener: &TcpListener, answer: &str) -> Option<String> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let seen = request(&mut stream).await;
    stream.write_all(answer.as_bytes()).await.unwrap();
    seen
}

fn entry(id: u32, event: &str) -> String {
    let data = format!(r#"{{"event":"{event}","at":"2026-11-24T10:00:00Z","detail":null}}"#);
    format!("id: {id}\nevent: {event}\ndata: {data}\n\n")
}

#[tokio::test]
async fn a_stream_that_is_cut_is_taken_up_after_the_last_entry_that_was_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let folder = TempDir::new().unwrap();
    let mut watch = command(folder.path(), &["order", "watch", ORDER]);
    watch.env("FLOTILLA_ORDER_URL", base);

    let ok = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    // The second entry is cut off in the middle: it was not seen.
    let placed = entry(1, "OrderPlaced");
    let cut = format!("{ok}{placed}id: 2\nevent: OrderConfirmed\ndata: {{\"ev");
    let rest = format!("{ok}{}{}", entry(2, "OrderConfirmed"), entry(3, "OrderCompleted"));
    let service = async {
        let asked = [
            serve(&listener, &cut).await,
            serve(&listener, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await,
            serve(&listener, &rest).await,
            serve(&listener, "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await,
            serve(&listener, &ended("completed", "null")).await,
        ];
        asked.map(Option::unwrap_or_default)
    };
    let (said, asked) = tokio::join!(finish(watch), service);

    assert_eq!(said.code, 0, "{}", said.stderr);
    let shown: Vec<&str> = said
        .stdout
        .lines()
        .map(|line| line.split_whitespace().nth(1).unwrap_or_default())
        .take(3)
        .collect();
    assert_eq!(shown, ["OrderPlaced", "OrderConfirmed", "OrderCompleted"]);
    assert_eq!(asked, ["", "1", "1", "3", ""]);
    let times: Vec<&str> =
        said.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(times[..3], ["2026-11-24T10:00:00.000Z"; 3], "with their zone");
}

fn ended(state: &str, reason: &str) -> String {
    let body = format!(r#"{{"order_id":"{ORDER}","state":"{state}","reason":{reason}}}"#);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
    format!("{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn an_order_that_ended_cancelled_is_told_with_its_reason_and_an_exit_code() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let folder = TempDir::new().unwrap();
    let mut watch = command(folder.path(), &["order", "watch", ORDER]);
    watch.env("FLOTILLA_ORDER_URL", base);
    let service = async {
        serve(&listener, "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
        serve(&listener, &ended("cancelled", "\"PAYMENT_DECLINED\"")).await
    };
    let (said, _) = tokio::join!(finish(watch), service);
    assert_eq!((said.code, said.stdout.trim()), (1, "cancelled, PAYMENT_DECLINED"));
}

#[tokio::test]
async fn an_order_that_does_not_exist_is_not_asked_for_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let folder = TempDir::new().unwrap();
    let mut watch = command(folder.path(), &["order", "watch", ORDER]);
    watch.env("FLOTILLA_ORDER_URL", base);
    let body = r#"{"title":"there is no such order"}"#;
    let head = "HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (said, _) = tokio::join!(finish(watch), serve(&listener, &answer));
    assert_eq!(said.code, 5);
    assert!(said.stderr.contains("there is no such order"), "{}", said.stderr);
}
