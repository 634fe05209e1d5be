//! What the two roles of a database may do, asked of Postgres itself.

use local::testing;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// The SQLSTATE that a statement is refused with.
async fn refusal(db: &mut PgConnection, statement: &str) -> Option<String> {
    let refused = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(db).await.err()?;
    refused.as_database_error()?.code().map(|code| code.into_owned())
}

#[tokio::test]
async fn the_owner_changes_the_schema_and_the_application_cannot() {
    let servers = testing::servers().await.unwrap();
    let database = servers.fresh_database("roles").await.unwrap();
    let mut owner = connect(&database.owner_url).await;
    for statement in [
        "create schema flotilla".to_owned(),
        "create table flotilla.things (id bigint primary key)".to_owned(),
        format!("grant usage on schema flotilla to {}", database.app_role),
        format!("grant select, insert, update, delete on flotilla.things to {}", database.app_role),
    ] {
        assert_eq!(refusal(&mut owner, &statement).await, None, "{statement}");
    }

    let mut app = connect(&database.app_url).await;
    for statement in [
        "insert into flotilla.things values (1), (2)",
        "update flotilla.things set id = 3 where id = 2",
        "delete from flotilla.things where id = 3",
    ] {
        assert_eq!(refusal(&mut app, statement).await, None, "{statement}");
    }
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    for statement in [
        "create table public.mine (id bigint)",
        "create table flotilla.mine (id bigint)",
        "create temporary table mine (id bigint)",
        "create schema mine",
        "create role mine",
        "create database mine",
        "alter table flotilla.things add column more text",
        "truncate flotilla.things",
        "drop table flotilla.things",
        "copy flotilla.things to program 'cat'",
    ] {
        let refused = refusal(&mut app, statement).await;
        assert_eq!(refused.as_deref(), Some(INSUFFICIENT_PRIVILEGE), "{statement}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_another_services_role_are_refused() {
    let servers = testing::servers().await.unwrap();
    let mine = servers.fresh_database("mine").await.unwrap();
    let other = servers.fresh_database("other").await.unwrap();

    let guessed = mine.app_url.replace("_app:", "_app:guessed");
    assert!(PgConnection::connect(&guessed).await.is_err());

    let (address, _) = mine.app_url.rsplit_once('/').unwrap();
    let (_, name) = other.app_url.rsplit_once('/').unwrap();
    assert!(PgConnection::connect(&format!("{address}/{name}")).await.is_err());
}

#[tokio::test]
async fn a_database_that_is_asked_for_again_is_the_same() {
    let servers = testing::servers().await.unwrap();
    let first = servers.environment().database("payment").await.unwrap();
    let second = servers.environment().database("payment").await.unwrap();
    assert_eq!(first.owner_url, second.owner_url);
    connect(&second.app_url).await.close().await.unwrap();
}

#[tokio::test]
async fn committed_rows_are_safe_from_a_power_cut() {
    let servers = testing::servers().await.unwrap();
    for service in local::SERVICES {
        let url = servers.environment().superuser_url(service).unwrap();
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let value: String = sqlx::query_scalar("select current_setting($1)")
                .bind(setting)
                .fetch_one(&mut connect(&url).await)
                .await
                .unwrap();
            assert_eq!(value, "on", "{setting} of {service}");
        }
    }
}

#[tokio::test]
async fn secrets_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let servers = testing::servers().await.unwrap();
    let folder = servers.environment().settings().root.join("secrets");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 5, "a superuser for each server: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
