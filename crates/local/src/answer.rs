//! Whether a server answers: the shortest question in each protocol, without a client library. If a process
//! hangs, or is frozen, the kernel still accepts connections for it.

use std::io::Result;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take; a busy server takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks which requests the broker knows; the correlation id 77 is ours.
pub(crate) async fn kafka(port: u16) -> bool {
    const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 77, 0xff, 0xff];
    // Four bytes of length, then our id, then no error.
    let answer = ask::<10>(port, &API_VERSIONS).await;
    answer.is_some_and(|answer| answer[4..] == [0, 0, 0, 77, 0, 0])
}

/// Asks whether the server speaks TLS: it says S or N.
pub(crate) async fn postgres(port: u16) -> bool {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
    let answer = ask::<1>(port, &SSL_REQUEST).await;
    answer.is_some_and(|answer| matches!(answer, [b'S' | b'N']))
}

/// Asks for a page that exists.
pub async fn http(port: u16, path: &str) -> bool {
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    let answer = ask::<12>(port, request.as_bytes()).await;
    answer.is_some_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}

/// The first bytes of the answer, unless there is none in time.
async fn ask<const N: usize>(port: u16, question: &[u8]) -> Option<[u8; N]> {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(question).await?;
        let mut answer = [0; N];
        stream.read_exact(&mut answer).await?;
        Result::Ok(answer)
    };
    timeout(PATIENCE, asked).await.ok()?.ok()
}
