//! Whether services are ready, whichever these are: asked by their admin addresses, without a fleet.

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::cli::{Said, command, finish};

/// Answers one question.
async fn answer(listener: TcpListener, answer: &str) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = [0; 4096];
    let read = stream.read(&mut request).await.unwrap();
    assert!(request[..read].starts_with(b"GET /readyz "));
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Asks these services, of each of which the answer is given; none listens where there is none.
async fn asked(answers: &[Option<&'static str>], json: bool) -> (Vec<String>, Said) {
    let (mut addresses, mut services) = (Vec::new(), Vec::new());
    for &answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(format!("http://{}", listener.local_addr().unwrap()));
        let Some(answer) = answer else { continue };
        services.push(tokio::spawn(self::answer(listener, answer)));
    }
    let folder = TempDir::new().unwrap();
    let mut args = vec!["ready"];
    args.extend(addresses.iter().map(String::as_str));
    if json {
        args.push("--json");
    }
    let said = finish(command(folder.path(), &args)).await;
    for service in services {
        service.await.unwrap();
    }
    (addresses, said)
}

const READY: Option<&str> = Some("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
const WAITS: Option<&str> = Some(
    "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n\
     {\"waits_for\":{\"kafka\":\"no broker answers\"}}",
);

#[tokio::test]
async fn services_that_all_say_so_are_ready() {
    let (addresses, said) = asked(&[READY, READY], false).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(addresses.iter().all(|address| said.stdout.contains(address)), "{}", said.stdout);
}

#[tokio::test]
async fn all_that_are_not_ready_are_named_with_what_they_wait_for() {
    let (addresses, said) = asked(&[WAITS, READY, None], true).await;
    assert_eq!(said.code, 1);
    let services = said.list("services");
    let expected = json!({
        "address": addresses[0], "ready": false, "waits_for": ["kafka: no broker answers"],
    });
    assert_eq!(services[0], expected);
    assert_eq!(services[1]["ready"], true);
    assert_eq!(services[2]["ready"], false);
    assert!(services[2]["waits_for"][0].to_string().contains("no answer from"), "{services:?}");
}

#[tokio::test]
async fn a_service_of_the_fleet_that_does_not_run_keeps_no_other_from_being_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let service = tokio::spawn(answer(listener, READY.unwrap()));
    let folder = TempDir::new().unwrap();
    let mut command = command(folder.path(), &["ready", "--json"]);
    // The last of four.
    command.env("FLOTILLA_SHIPPING_ADMIN_URL", &address);
    let said = finish(command).await;
    service.await.unwrap();
    assert_eq!(said.code, 1, "{}", said.stderr);
    let services = said.list("services");
    let ready: Vec<_> = services.iter().filter(|one| one["ready"] == true).collect();
    assert_eq!(ready, [&json!({ "address": address, "ready": true, "waits_for": [] })]);
    for other in services.iter().filter(|one| one["ready"] == false) {
        assert!(other["address"].is_null(), "{other}");
        assert!(other["waits_for"][0].to_string().contains("there is no fleet in"), "{other}");
    }
    assert_eq!(services.len(), 4);
}

#[tokio::test]
async fn whoever_waits_asks_again_until_all_are_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let service = tokio::spawn(async move {
        for answer in [WAITS, WAITS, READY] {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(answer.unwrap().as_bytes()).await.unwrap();
        }
    });
    let folder = TempDir::new().unwrap();
    let said = finish(command(folder.path(), &["ready", "--within", "60", &address])).await;
    assert_eq!(said.code, 0, "{}", said.stdout);
    service.await.unwrap();
}
