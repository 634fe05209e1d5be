//! What docs/operating.md tells people to run, run as it is written there, with real addresses and passwords in the
//! place of its dots: a database, topics, schemas, tables, and then a service that becomes ready and stops.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::cli::{command, finish};

/// Far longer than a service takes to be ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The blocks of the section that brings a service up: first SQL, then what is for a shell, the service last. What else
/// the page has is run where a fleet is (tests/live).
fn blocks() -> (String, Vec<String>) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut sections = page.split("\n## ");
    let section = sections.find(|section| section.starts_with("In which order")).unwrap();
    let mut blocks = section.split("```").skip(1).step_by(2).map(str::to_owned);
    let sql = blocks.next().unwrap().strip_prefix("sql\n").unwrap().to_owned();
    (sql, blocks.collect())
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_service_is_run_anywhere_as_the_page_for_operators_says() {
    let servers = local::testing::servers().await.unwrap();
    // A server that has no roles of the order service yet.
    let superuser = servers.environment().superuser_url("payment").unwrap();
    let (server, _) = superuser.rsplit_once('/').unwrap();
    let host = server.rsplit_once('@').unwrap().1;
    let (sql, shell) = blocks();

    let mut db = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    for statement in sql.replace("'...'", "'secret'").split(';').filter(|s| !s.trim().is_empty()) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut db).await.unwrap();
    }

    let filled = |text: &str| {
        text.replace(":...@host/", &format!(":secret@{host}/"))
            .replace("KAFKA_BROKERS=...", &format!("KAFKA_BROKERS={}", servers.kafka_brokers()))
            .replace("REGISTRY_URL=...", &format!("REGISTRY_URL={}", servers.registry_url()))
            // One broker keeps one copy.
            .replace("--replication 3", "--replication 1")
    };
    let [commands @ .., service] = &shell[..] else { panic!("the page has no commands") };
    assert!(!commands.is_empty());
    for block in commands {
        let said = finish(bash(&format!("set -e\n{}", filled(block)))).await;
        assert_eq!(said.code, 0, "{block}{}{}", said.stdout, said.stderr);
    }
    let settings = finish(bash("order settings")).await;
    assert!(settings.stdout.contains("FLOTILLA_DATABASE_URL"), "{}", settings.stdout);

    let admin = free_address();
    let mut command = bash(filled(service).trim());
    command.env("FLOTILLA_ADMIN_ADDRESS", &admin).env("FLOTILLA_HTTP_ADDRESS", free_address());
    let mut running = command.spawn().unwrap();
    until_ready(&admin, &mut running).await;
    let asked = finish(with_admin(bash("order ready"), &admin)).await;
    assert_eq!(asked.code, 0, "{}", asked.stderr);
    let stopped = Command::new("kill").arg(running.id().to_string()).status().unwrap();
    assert!(stopped.success());
    let waited = tokio::task::spawn_blocking(move || running.wait().unwrap());
    assert_eq!(tokio::time::timeout(PATIENCE, waited).await.unwrap().unwrap().code(), Some(0));
    let asked = finish(with_admin(bash("order ready"), &admin)).await;
    assert_eq!(asked.code, 1, "{}", asked.stderr);
    assert!(asked.stderr.contains("order is not ready: nobody answers on"), "{}", asked.stderr);
}

fn with_admin(mut command: Command, admin: &str) -> Command {
    command.env("FLOTILLA_ADMIN_ADDRESS", admin);
    command
}

/// A shell that finds the programs of this build, and has no setting of its own.
fn bash(text: &str) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_flotilla")).parent().unwrap();
    let others = std::env::var("PATH").unwrap();
    let nowhere = TempDir::new().unwrap();
    let clean = command(nowhere.path(), &[]);
    let mut bash = Command::new("bash");
    for (name, value) in clean.get_envs() {
        if value.is_none() {
            bash.env_remove(name);
        }
    }
    bash.args(["-c", text]).env("PATH", format!("{}:{others}", programs.display()));
    bash
}

async fn until_ready(admin: &str, running: &mut Child) {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let started = Instant::now();
    loop {
        assert_eq!(running.try_wait().unwrap(), None, "the service ended");
        let answer = http.get(format!("http://{admin}/readyz")).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => return,
            other => assert!(started.elapsed() < PATIENCE, "not ready: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
