//! What survives: the journal, read again by the same program after a kill, and what it refuses.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::StatusCode;
use sandbox::conduct::{Conduct, Settings};
use sandbox::journal::{Durability, JournalError};
use sandbox::simulator::Simulator;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Client, PATIENCE, authorization, intent, serve};

struct Program {
    child: Child,
    client: Client,
}

impl Program {
    fn start(ledger: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
        command.args(["--listen", "127.0.0.1:0", "--ledger"]).arg(ledger).args(more);
        Self::spawn(command)
    }

    /// On a disk that takes no more than a few acts.
    fn start_on_a_small_disk(ledger: &Path) -> Self {
        let mut command = Command::new("sh");
        // Without the trap the kernel kills who writes too much, with it the write fails.
        command.args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$@\"", "sh"]);
        command.args([env!("CARGO_BIN_EXE_sandbox"), "--listen", "127.0.0.1:0", "--ledger"]);
        command.arg(ledger);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("listening on ").expect("it says where it listens");
        Self { client: Client::new(base.into()), child }
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already gone when the test killed it.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn open(path: &Path) -> Result<Arc<Simulator>, JournalError> {
    let conduct = Conduct::new(Settings::default(), 0);
    Simulator::open(path, Durability::Written, conduct).map(|(simulator, _)| simulator)
}

#[tokio::test]
async fn what_a_refusal_changed_is_known_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.jsonl");
    let (broken, expired) = (Uuid::now_v7(), Uuid::now_v7());
    let form = authorization(broken, "tok_broken", 500);
    let program = Program::start(&ledger, &[]);
    program.client.authorize(broken, "tok_broken", 500).await;
    program.client.authorize(expired, "tok_hold_expires", 500).await;
    program.client.capture(expired).await;
    program.kill();
    let program = Program::start(&ledger, &[]);
    let replayed = program.client.authorize(broken, "tok_broken", 500).await;
    assert_eq!((replayed.status, replayed.replayed), (StatusCode::INTERNAL_SERVER_ERROR, true));
    let held = program.client.post("/v1/payment_intents", "another key", &form).await;
    assert_eq!(held.status, StatusCode::OK);
    let figures = &program.client.get(&format!("/ledger/{expired}")).await.body["payments"][0];
    assert_eq!(figures["held_minor"], 0);
    program.kill();
    let program = Program::start(&ledger, &[]);
    let held_again = program.client.post("/v1/payment_intents", "another key", &form).await;
    assert_eq!((held_again.status, held_again.replayed), (StatusCode::OK, true));
}

#[tokio::test]
async fn a_killed_simulator_knows_everything_that_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.jsonl");
    let program = Program::start(&ledger, &["--fsync"]);
    let orders: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    for (n, order) in orders.iter().enumerate() {
        let token = ["tok_visa", "tok_declined", "tok_error"][n % 3];
        program.client.authorize(*order, token, 500).await;
        program.client.book(*order, ["DE", "AQ"][n % 2]).await;
        program.client.cancel_shipment(Uuid::from_u128(n as u128)).await;
    }
    program.client.capture(orders[0]).await;
    let refund = format!("payment_intent={}&amount=100", intent(orders[0]));
    let refunded = program.client.post("/v1/refunds", "refund", &refund).await;
    let before = program.client.get("/ledger").await.body;
    let created = program.client.authorize(orders[3], "tok_visa", 500).await;
    program.kill();

    let program = Program::start(&ledger, &[]);
    assert_eq!(program.client.get("/ledger").await.body, before);
    assert_eq!(before["totals"]["orders"], 40);
    assert_eq!(program.client.authorize(orders[3], "tok_visa", 500).await, created);
    let again = program.client.post("/v1/refunds", "refund", &refund).await;
    assert_eq!((again.replayed, again.body), (true, refunded.body));
    let other = authorization(orders[3], "tok_visa", 501);
    let key = format!("{}-authorize", orders[3]);
    let refused = program.client.post("/v1/payment_intents", &key, &other).await;
    assert_eq!(refused.error("type"), "idempotency_error");
    // A lost answer was given to nobody, and the step is known all the same.
    assert_eq!(program.client.authorize(orders[2], "tok_error", 500).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_many_calls_loses_none_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.jsonl");
    let program = Program::start(&ledger, &[]);
    let answered = Arc::new(AtomicUsize::new(0));
    let callers = (0..16).map(|_| {
        let (client, answered) = (program.client.clone(), Arc::clone(&answered));
        tokio::spawn(async move {
            let mut mine = vec![];
            loop {
                let order = Uuid::now_v7();
                let Ok(answer) = client.try_book(order, "DE").await else { return mine };
                mine.push((order, answer.body));
                answered.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let started = std::time::Instant::now();
    while answered.load(Ordering::Relaxed) < 1_000 {
        assert!(started.elapsed() < PATIENCE, "the calls are not answered");
        tokio::task::yield_now().await;
    }
    program.kill();

    let program = Program::start(&ledger, &[]);
    for caller in callers {
        for (order, body) in caller.await.unwrap() {
            let known = program.client.get(&format!("/v1/shipments/{order}")).await;
            assert_eq!(known.body, body);
        }
    }
}

#[tokio::test]
async fn an_act_that_was_being_written_at_the_kill_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let order = Uuid::now_v7();
    let program = Program::start(&path, &[]);
    program.client.book(order, "DE").await;
    program.kill();
    let whole = std::fs::read(&path).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&whole[..whole.len() - 1]).unwrap();
    drop(file);

    let client = serve(open(&path).unwrap()).await;
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    assert!(client.book(order, "DE").await.replayed);
    client.book(Uuid::now_v7(), "DE").await;
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[tokio::test]
async fn a_damaged_journal_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let line = json!({ "shipment": { "step": "cancel", "order": Uuid::nil() } });
    for damage in ["nonsense".to_owned(), line.to_string()] {
        std::fs::write(&path, format!("{line}\n{damage}\n")).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { line: 2, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_simulator_that_cannot_write_ends_and_has_answered_nothing_that_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let mut program = Program::start_on_a_small_disk(&path);
    let mut booked = vec![];
    loop {
        let order = Uuid::now_v7();
        match program.client.try_book(order, "DE").await {
            Ok(answer) if answer.status == StatusCode::OK => booked.push(order),
            Ok(answer) => break assert_eq!(answer.error("type"), "api_error"),
            Err(_connection_closed) => break,
        }
        assert!(booked.len() < 1_000, "the disk is not small");
    }
    let ended = tokio::task::spawn_blocking(move || program.child.wait().unwrap());
    let ended = tokio::time::timeout(PATIENCE, ended).await.expect("it ends").unwrap();
    assert!(!ended.success() && !booked.is_empty());

    let client = serve(open(&path).unwrap()).await;
    assert_eq!(client.get("/ledger").await.body["totals"]["orders"], booked.len());
}

#[tokio::test]
async fn two_simulators_do_not_share_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let _first = open(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
}

#[tokio::test]
async fn it_ends_when_asked_to_even_while_an_answer_is_held_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(&folder.path().join("ledger.jsonl"), &[]);
    let client = program.client.clone();
    let order = Uuid::now_v7();
    let held = tokio::spawn(async move { client.try_book(order, "TT").await });
    let started = std::time::Instant::now();
    while program.client.get(&format!("/v1/shipments/{order}")).await.status != StatusCode::OK {
        assert!(started.elapsed() < PATIENCE, "the booking never arrived");
    }
    let status = Command::new("kill").arg(program.child.id().to_string()).status().unwrap();
    assert!(status.success());
    let ended = tokio::task::spawn_blocking(move || program.child.wait().unwrap());
    let ended = tokio::time::timeout(PATIENCE, ended).await.expect("it ends").unwrap();
    assert!(ended.success());
    assert!(held.await.unwrap().is_err());
}

#[test]
fn a_health_check_succeeds_while_the_program_serves_and_fails_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(&folder.path().join("ledger"), &[]);
    let mut check = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    check.args(["--ready", "--listen", program.client.address()]);
    assert!(check.status().unwrap().success());
    program.kill();
    let said = check.output().unwrap();
    assert!(!said.status.success());
    assert!(String::from_utf8_lossy(&said.stderr).contains("nobody listens on 127.0.0.1:"));
}

#[test]
fn settings_that_make_no_sense_are_refused_at_the_start() {
    let output = Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .args(["--listen", "127.0.0.1:0", "--failure-rate", "7"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("failure_rate must be between 0 and 1"), "{said}");
}
