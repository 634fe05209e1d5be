//! A set of servers through stops, kills and moves. They take turns on one set of their own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Mutex as Steps;
use std::time::Duration;

use local::{Environment, Lifetime, Process, Settings, silent};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// A folder that is removed at the end would be removed under running servers, so it lies with the
/// others that a build leaves.
static TURN: Mutex<Option<Environment>> = Mutex::const_new(None);

/// A set of servers that runs. Each test leaves it running.
async fn mine(turn: &mut Option<Environment>) -> Environment {
    if let Some(environment) = turn {
        return environment.clone();
    }
    let servers = local::testing::Servers::own().await.unwrap();
    turn.insert(servers.environment().clone()).clone()
}

fn pids(environment: &Environment) -> Vec<(String, Option<u32>)> {
    let servers = environment.status().into_iter().take(7);
    servers.map(|status| (status.name, status.pid)).collect()
}

/// Asks Kafka which requests it knows: an answer comes from a broker, not just from an open port.
fn kafka_answers(environment: &Environment) -> bool {
    const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 77, 0xff, 0xff];
    let ask = || -> std::io::Result<[u8; 10]> {
        let mut stream = TcpStream::connect(environment.kafka_brokers())?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(&API_VERSIONS)?;
        let mut answer = [0; 10];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    // Four bytes of length, then our number, then no error.
    ask().is_ok_and(|answer| answer[4..] == [0, 0, 0, 77, 0, 0])
}

async fn register(environment: &Environment, subject: &str) -> Value {
    let url = format!("{}/subjects/{subject}/versions", environment.registry_url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let schema = json!({ "type": "record", "name": subject, "fields": [] }).to_string();
    let answer = http.post(url).json(&json!({ "schema": schema })).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["id"].clone()
}

async fn order_database(environment: &Environment) -> PgConnection {
    let database = environment.database("order").await.unwrap();
    PgConnection::connect(&database.owner_url).await.unwrap()
}

#[tokio::test]
async fn a_second_start_tells_its_steps_and_changes_nothing() {
    let mut turn = TURN.lock().await;
    let environment = mine(&mut turn).await;
    assert!(kafka_answers(&environment));
    let before = pids(&environment);
    assert!(before.iter().all(|(_, pid)| pid.is_some()), "{before:?}");

    let steps = Steps::new(Vec::new());
    let note = |step: &str, took: Option<Duration>| {
        steps.lock().unwrap().push((step.to_owned(), took.is_some()));
    };
    environment.start(&note).await.unwrap();

    assert_eq!(pids(&environment), before);
    let step = "start Postgres, Kafka and the registry".to_owned();
    assert_eq!(*steps.lock().unwrap(), [(step.clone(), false), (step, true)]);
}

#[tokio::test]
async fn servers_that_were_killed_are_started_again_with_what_was_committed() {
    let mut turn = TURN.lock().await;
    let environment = mine(&mut turn).await;
    let mut db = order_database(&environment).await;
    sqlx::query("create table kept (id bigint)").execute(&mut db).await.unwrap();
    sqlx::query("insert into kept values (7)").execute(&mut db).await.unwrap();

    let before = pids(&environment);
    for name in ["postgres-order", "kafka", "registry"] {
        Process::find(environment.settings(), name).unwrap().kill().await.unwrap();
    }
    environment.start(&silent).await.unwrap();

    assert!(kafka_answers(&environment));
    let mut db = order_database(&environment).await;
    let kept: Vec<i64> =
        sqlx::query_scalar("select id from kept").fetch_all(&mut db).await.unwrap();
    assert_eq!(kept, [7]);
    let changed = pids(&environment).iter().zip(&before).filter(|(new, old)| new != old).count();
    assert_eq!(changed, 3, "only what was killed is started again");
    sqlx::query("drop table kept").execute(&mut db).await.unwrap();
}

#[tokio::test]
async fn a_server_whose_pid_went_to_another_process_starts_all_the_same() {
    let mut turn = TURN.lock().await;
    let environment = mine(&mut turn).await;
    let server = Process::find(environment.settings(), "postgres-payment").unwrap();
    server.kill().await.unwrap();
    // After a restart of the machine any process may have the pid; here this one, which lives.
    let file = environment.settings().root.join("postgres/payment/data/postmaster.pid");
    let text = std::fs::read_to_string(&file).unwrap();
    let reused = text.replacen(&server.pid.to_string(), &std::process::id().to_string(), 1);
    std::fs::write(&file, reused).unwrap();

    environment.start(&silent).await.unwrap();
    assert!(Process::find(environment.settings(), "postgres-payment").is_some());
}

#[tokio::test]
async fn a_postgres_that_the_folder_forgot_is_not_started_twice() {
    let mut turn = TURN.lock().await;
    let environment = mine(&mut turn).await;
    let root = &environment.settings().root;
    let (record, aside) =
        (root.join("run/postgres-shipping.json"), root.join("postgres-shipping.aside"));
    std::fs::rename(&record, &aside).unwrap();
    // On other ports, or the taken port alone would prevent it.
    let elsewhere = Settings::on_free_ports(root).unwrap();
    std::fs::write(root.join("base-port"), elsewhere.ports.base().to_string()).unwrap();

    let error = Environment::new(elsewhere, Lifetime::WithParent).start(&silent).await.unwrap_err();
    let said = format!("{error:#}");
    std::fs::rename(&aside, &record).unwrap();
    let base = environment.settings().ports.base();
    std::fs::write(root.join("base-port"), base.to_string()).unwrap();
    let pid = Process::find(environment.settings(), "postgres-shipping").unwrap().pid;
    assert!(said.contains(&format!("kill -INT {pid}")), "{said}");
}

#[tokio::test]
async fn ids_and_rows_survive_a_stop_and_a_move_to_other_ports() {
    let mut turn = TURN.lock().await;
    let environment = mine(&mut turn).await;
    register(&environment, "First").await;
    let id = register(&environment, "Second").await;
    assert!(id.is_number(), "{id}");
    let mut db = order_database(&environment).await;
    sqlx::query("create table moved (id bigint)").execute(&mut db).await.unwrap();
    db.close().await.unwrap();

    let moved = Settings::on_free_ports(&environment.settings().root).unwrap();
    let moved = Environment::new(moved, Lifetime::WithParent);
    let error = moved.start(&silent).await.unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("stop them before you start them on ports from"), "{said}");

    environment.stop(&silent).await.unwrap();
    assert!(pids(&environment).iter().all(|(_, pid)| pid.is_none()), "{:?}", pids(&environment));
    moved.start(&silent).await.unwrap();
    *turn = Some(moved.clone());

    assert!(kafka_answers(&moved));
    assert_eq!(register(&moved, "Second").await, id);
    let mut db = order_database(&moved).await;
    sqlx::query("drop table moved").execute(&mut db).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named_before_anything_is_started() {
    let folder = TempDir::new().unwrap();
    let settings = Settings::on_free_ports(folder.path()).unwrap();
    let port = settings.ports.get("kafka-controller");
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();

    let environment = Environment::new(settings, Lifetime::WithParent);
    let error = environment.start(&silent).await.unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains(&format!("port {port}, which kafka-controller needs")), "{said}");
    assert!(said.contains("FLOTILLA_BASE_PORT="), "{said}");
    assert!(!folder.path().join("run").exists());
}

#[test]
fn every_port_of_an_environment_has_a_name_and_no_two_are_the_same() {
    let folder = TempDir::new().unwrap();
    let settings = Settings::new(folder.path(), 7400).unwrap();
    let ports: std::collections::BTreeSet<u16> = settings.ports.all().map(|(_, p)| p).collect();
    assert_eq!(ports.len(), settings.ports.all().count());
    assert_eq!((settings.ports.get("order"), settings.ports.get("kafka")), (7400, 7433));
}
