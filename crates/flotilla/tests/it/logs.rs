//! Logs, which hold whatever a process wrote, and are put aside when they have grown.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::cli::{flotilla, on_servers, servers};

#[tokio::test]
async fn a_log_is_shown_whatever_bytes_it_holds_and_followed_to_where_it_goes_on() {
    let logs = servers().await.environment().settings().root.join("logs");
    // No service runs beside the servers of this program: the log is the test's.
    let log = logs.join("payment.log");
    fs::write(&log, b"first\nsecond \xff\x1b[2J\nwithout an end").unwrap();
    let said = flotilla(&["local", "logs", "payment"]).await;
    assert_eq!((said.code, said.stdout.lines().count()), (0, 3), "{}", said.stderr);
    assert!(said.stdout.contains("second \u{fffd}\\u{1b}[2J"), "{}", said.stdout);

    let mut follow = on_servers(&["local", "logs", "payment", "--follow"]).await;
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "first");
    assert!(next().starts_with("second"));

    let mut old = fs::File::options().append(true).open(&log).unwrap();
    fs::rename(&log, logs.join("payment.old.log")).unwrap();
    old.write_all(b", and its end\n").unwrap();
    fs::write(&log, "fresh\n").unwrap();
    assert_eq!((next().as_str(), next().as_str()), ("without an end, and its end", "fresh"));
    follow.kill().unwrap();
    follow.wait().unwrap();

    let line = "0123456789abcde\n";
    fs::write(&log, format!("cut off{}", line.repeat(2_000))).unwrap();
    let said = flotilla(&["local", "logs", "payment"]).await;
    assert!(said.stdout.lines().all(|shown| shown == line.trim()), "half a line is shown");
    fs::write(&log, "").unwrap();
    let said = flotilla(&["local", "logs", "payment"]).await;
    assert!(said.stderr.contains("the log of payment is empty"), "{}", said.stderr);
}
