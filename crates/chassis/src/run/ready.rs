//! Whether the service beside this process is ready, for supervisors that can only run a command: a container's
//! health check, where the image has no shell and no HTTP client. Separate from the service, which it does not
//! need: it reads one setting and asks one question.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long each step may take. A health check asks again soon, so that a late answer is of no use.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer names what is waited for, in a line each.
const ANSWER_MAX: u64 = 64 * 1024;

/// Asks `/readyz` on the admin address.
///
/// # Errors
///
/// What a person should know: why nobody was reached, or what the service waits for.
pub(super) fn ask(admin: SocketAddr) -> Result<(), String> {
    let address = reachable(admin);
    let answer =
        exchange(address).map_err(|error| format!("nobody answers on {address}: {error}"))?;
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let body = answer.split_once("\r\n\r\n").map_or(&*answer, |(_head, body)| body);
    Err(body.trim().to_owned())
}

/// A service that listens on all addresses is asked on the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn exchange(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one piece: a server that answers and closes before all of it has come resets the connection.
    let question = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Gives one answer to whoever comes first.
    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let read = stream.read(&mut asked).unwrap();
            assert!(asked[..read].starts_with(b"GET /readyz "));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        SocketAddr::from(([0, 0, 0, 0], address.port()))
    }

    #[test]
    fn a_service_that_says_so_is_ready() {
        assert_eq!(ask(answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")), Ok(()));
    }

    #[test]
    fn what_a_service_waits_for_is_passed_on() {
        let waiting =
            answering("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"waits_for\":\"kafka\"}\n");
        assert_eq!(ask(waiting), Err("{\"waits_for\":\"kafka\"}".to_owned()));
    }

    #[test]
    fn where_nobody_listens_nobody_is_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let said = ask(address).unwrap_err();
        assert!(said.starts_with(&format!("nobody answers on {address}: ")), "{said}");
    }
}
