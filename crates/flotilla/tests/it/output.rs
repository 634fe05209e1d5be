//! What is written where: to readers that go away, disks that are full, terminals of all kinds, and with
//! what strangers have written.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::cli::{Said, command, finish, flotilla, on_servers};

const PATIENCE: Duration = Duration::from_secs(60);

/// Ends by itself, or the test fails.
fn ends(mut child: Child, what: &str) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{what} does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs it for a reader who has gone away already. Returns its code and what it complained of.
fn without_reader(mut command: Command, what: &str) -> (Option<i32>, String) {
    let mut complaints = tempfile::tempfile().unwrap();
    command.stdout(Stdio::piped()).stderr(complaints.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let code = ends(child, what);
    let mut said = String::new();
    complaints.rewind().unwrap();
    complaints.read_to_string(&mut said).unwrap();
    (code, said)
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_ends_the_command_also_one_without_an_end() {
    let folder = TempDir::new().unwrap();
    for args in [&["completions", "bash"][..], &["--help"], &["local", "doctor"]] {
        let (code, said) = without_reader(command(folder.path(), args), args[0]);
        assert_eq!(code, Some(0), "{args:?}: {said}");
    }
    assert_eq!(flotilla(&["topics", "apply"]).await.code, 0);
    // Nothing comes: only the reader's going away can end it. The patience is longer than any clock.
    let tail = on_servers(&["events", "tail", "--idle-seconds", "18446744073709551615"]).await;
    let (code, said) = without_reader(tail, "events tail");
    assert_eq!(code, Some(0), "{said}");
    let logs = on_servers(&["local", "logs", "kafka", "--follow"]).await;
    let (code, said) = without_reader(logs, "logs");
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_disk_that_is_full_is_an_error() {
    let folder = TempDir::new().unwrap();
    for args in [&["completions", "bash"][..], &["--help"], &["local", "doctor"]] {
        let mut command = command(folder.path(), args);
        command.stdout(File::options().write(true).open("/dev/full").unwrap());
        let said = command.stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{args:?}");
        assert!(stderr.contains("the answer cannot be written: No space left"), "{stderr}");
    }
}

#[test]
fn colours_are_for_terminals_that_want_them_and_shift_no_column() {
    let folder = TempDir::new().unwrap();
    // `script` runs it on a terminal of its own.
    let doctor = format!("{} local doctor", env!("CARGO_BIN_EXE_flotilla"));
    let on_terminal = |term: &str, no_color: Option<&str>| {
        let mut command = Command::new("script");
        command.args(["-qec", &doctor, "/dev/null"]).env("TERM", term);
        command.env("FLOTILLA_STATE", folder.path()).env_remove("NO_COLOR");
        command.envs(no_color.map(|value| ("NO_COLOR", value))).stdin(Stdio::null());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let coloured = on_terminal("xterm", None);
    assert!(coloured.contains("\x1b[32mok     \x1b[0m"), "{coloured:?}");
    assert_eq!(on_terminal("xterm", Some("")), coloured, "an empty NO_COLOR says nothing");
    let plain = on_terminal("xterm", Some("1"));
    assert_eq!(on_terminal("dumb", None), plain);
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let unpainted =
        ["\x1b[0m", "\x1b[31m", "\x1b[32m"].iter().fold(coloured, |t, code| t.replace(code, ""));
    assert_eq!(unpainted, plain);
}

/// What the program says to one page of a service.
async fn told(service: &str, page: &Value, args: &[&str]) -> Said {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = TempDir::new().unwrap();
    let mut command = command(folder.path(), args);
    let base = format!("http://{}", listener.local_addr().unwrap());
    command.env(format!("FLOTILLA_{service}_URL"), base);
    let body = page.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _bytes = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream
    };
    tokio::join!(finish(command), serve).0
}

#[tokio::test]
async fn what_strangers_wrote_forges_no_line_and_moves_no_cursor() {
    let customer = "eve\n0199d2a4-0000-7000-8000-000000000002 completed\u{1b}[1A\u{202e}";
    let order = json!({ "order_id": "0199d2a4-0000-7000-8000-000000000001", "state": "placed",
                        "total_minor": 5, "currency": "EUR", "customer_id": customer });
    let said = told("ORDER", &json!({ "orders": [order] }), &["order", "list"]).await;
    assert_eq!(said.stdout.lines().count(), 1, "{}", said.stdout);
    assert!(said.stdout.contains("eve\\n0199d2a4") && said.stdout.contains("\\u{1b}[1A\\u{202e}"));
}

#[tokio::test]
async fn an_empty_list_says_that_it_is_empty() {
    let said = told("ORDER", &json!({ "orders": [] }), &["order", "list"]).await;
    assert_eq!((said.code, said.stdout.trim()), (0, "no orders"));
    let said = told("INVENTORY", &json!({ "items": [] }), &["stock", "list"]).await;
    assert!(said.stdout.starts_with("no items"), "{}", said.stdout);
    let said = told("INVENTORY", &json!({ "items": [] }), &["--json", "stock", "list"]).await;
    assert_eq!(said.stdout.trim(), r#"{"items":[]}"#);
}

#[test]
fn a_call_over_plain_http_reads_no_certificates() {
    let folder = TempDir::new().unwrap();
    // Whoever opened it would wait for ever, as nobody writes to it.
    let certificates = folder.path().join("certificates");
    assert!(Command::new("mkfifo").arg(&certificates).status().unwrap().success());
    let mut command = command(folder.path(), &["order", "list"]);
    command.env("SSL_CERT_FILE", &certificates).env("FLOTILLA_ORDER_URL", "http://127.0.0.1:1");
    assert_eq!(ends(command.stderr(Stdio::null()).spawn().unwrap(), "order list"), Some(6));
}
