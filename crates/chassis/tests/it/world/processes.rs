//! Processes of the example service: started, killed, frozen, asked.

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::{Answer, PATIENCE, Urls, World, wait};

pub(crate) struct Processes {
    urls: Urls,
    http: reqwest::Client,
    running: HashMap<&'static str, Process>,
}

struct Process {
    child: Child,
    public: u16,
    admin: u16,
}

/// A connection that waits for the rest of a request.
pub(crate) struct HalfRequest {
    stream: TcpStream,
}

impl HalfRequest {
    async fn send(port: u16, text: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        HalfRequest { stream }
    }

    /// Sends the rest of it.
    pub(crate) async fn send_rest(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The head of the next answer, whose body is read too, on a connection that stays open.
    pub(crate) async fn next_answer(&mut self) -> String {
        let read = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.expect("an answer says its length").parse().unwrap()];
            self.stream.read_exact(&mut body).await.unwrap();
            head
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an answer")
    }

    /// What is answered before the connection is closed.
    pub(crate) async fn answer(mut self) -> String {
        let mut answer = String::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_to_string(&mut answer)).await;
        read.expect("an answer").unwrap();
        answer
    }
}

/// How a command was rejected.
pub(crate) struct Rejection {
    pub(crate) status: u16,
    pub(crate) code: String,
    /// In seconds; zero where the answer does not say.
    pub(crate) retry_after: u64,
}

/// The example, which `cargo test` has built beside this test.
pub(crate) fn example() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples/tally")
}

pub(super) async fn migrate(urls: &Urls, app_role: &str) {
    let migrated = Command::new(example())
        .arg("migrate")
        .env("FLOTILLA_OWNER_DATABASE_URL", &urls.owner)
        .env("FLOTILLA_APP_ROLE", app_role)
        .output()
        .await
        .unwrap();
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Processes {
    pub(super) fn new(urls: Urls) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Processes { urls, http, running: HashMap::new() }
    }

    fn get(&self, name: &str) -> &Process {
        self.running.get(name).unwrap_or_else(|| panic!("{name} was not started"))
    }

    fn get_mut(&mut self, name: &str) -> &mut Process {
        self.running.get_mut(name).unwrap_or_else(|| panic!("{name} was not started"))
    }
}

impl World {
    /// Starts a replica without waiting for it.
    pub(crate) async fn spawn(&mut self, name: &'static str, extra: &[(&str, &str)]) {
        let (public, admin) = (free_port(), free_port());
        let child = self.replica(public, admin, extra).spawn().unwrap();
        self.processes.running.insert(name, Process { child, public, admin });
    }

    /// Runs a replica until it ends by itself; returns exit code and what it said.
    pub(crate) async fn run_to_its_end(&self, extra: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut replica = self.replica(free_port(), free_port(), extra);
        let ended = tokio::time::timeout(PATIENCE, replica.output()).await;
        let ended = ended.expect("the process should have ended").unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (ended.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    fn replica(&self, public: u16, admin: u16, extra: &[(&str, &str)]) -> Command {
        let urls = &self.processes.urls;
        let mut command = Command::new(example());
        command
            .env("FLOTILLA_DATABASE_URL", &urls.app)
            .env("FLOTILLA_KAFKA_BROKERS", &urls.brokers)
            .env("FLOTILLA_REGISTRY_URL", &urls.registry)
            .env("FLOTILLA_STOP_DELAY_MS", "0")
            .env("FLOTILLA_HTTP_ADDRESS", format!("127.0.0.1:{public}"))
            .env("FLOTILLA_ADMIN_ADDRESS", format!("127.0.0.1:{admin}"))
            .env("FLOTILLA_LOG", "warn")
            // The shortest that brokers allow: most tests kill somebody.
            .env("FLOTILLA_KAFKA_SESSION_TIMEOUT_MS", "6000")
            .envs(extra.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn start(&mut self, name: &'static str) {
        self.start_with(name, &[]).await;
    }

    /// Starts a replica with further variables, and waits until it is ready.
    pub(crate) async fn start_with(&mut self, name: &'static str, extra: &[(&str, &str)]) {
        self.spawn(name, extra).await;
        self.wait_until_ready(name).await;
    }

    pub(crate) async fn wait_until_ready(&self, name: &str) {
        wait(&format!("{name} to be ready"), async || {
            match self.try_admin(name, "GET", "/readyz").await {
                Some((200, _)) => Ok(()),
                Some((_, waits)) => Err(waits.to_string()),
                None => Err("it does not answer".to_owned()),
            }
        })
        .await;
    }

    /// Starts a replica that dies when it passes `window`.
    pub(crate) async fn start_crashing(&mut self, name: &'static str, window: &str) {
        self.spawn(name, &[("FLOTILLA_CRASH_AT", &format!("{window}:2"))]).await;
    }

    pub(crate) async fn wait_until_dead(&mut self, name: &str) {
        let child = &mut self.processes.get_mut(name).child;
        let died = tokio::time::timeout(PATIENCE, child.wait()).await;
        let status = died.expect("the process should have died in its window").unwrap();
        assert_eq!(status.code(), None, "it should have been aborted");
    }

    pub(crate) async fn kill(&mut self, name: &str) {
        self.processes.get_mut(name).child.kill().await.unwrap();
    }

    pub(crate) async fn stop(&mut self, name: &str) {
        self.signal(name, "TERM").await;
        assert_eq!(self.wait_for_exit(name).await, Some(0), "{name} should stop in good order");
    }

    pub(crate) async fn freeze(&mut self, name: &str) {
        self.signal(name, "STOP").await;
    }

    pub(crate) async fn thaw(&mut self, name: &str) {
        self.signal(name, "CONT").await;
    }

    pub(crate) async fn signal(&mut self, name: &str, signal: &str) {
        let pid = self.processes.get(name).child.id().expect("the process runs").to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().await.unwrap();
        assert!(sent.success());
    }

    pub(crate) async fn wait_for_exit(&mut self, name: &str) -> Option<i32> {
        let child = &mut self.processes.get_mut(name).child;
        let exited = tokio::time::timeout(PATIENCE, child.wait()).await;
        exited.expect("the process should have ended").unwrap().code()
    }

    /// Runs the service with only these variables; returns exit code and what it said.
    pub(crate) async fn run_with(&self, variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let ended = Command::new(example())
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .await
            .unwrap();
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    }

    /// Sends so much of a request, and keeps its connection open.
    pub(crate) async fn send_half(&self, name: &str, text: &str) -> HalfRequest {
        HalfRequest::send(self.processes.get(name).public, text).await
    }

    /// The same to the admin port.
    pub(crate) async fn send_half_to_admin(&self, name: &str, text: &str) -> HalfRequest {
        HalfRequest::send(self.processes.get(name).admin, text).await
    }

    /// Adds over HTTP; returns the new total, or the problem's status.
    pub(crate) async fn add(&self, name: &str, key: &str, amount: i64) -> Result<i64, u16> {
        let body = json!({ "key": key, "amount": amount }).to_string();
        match self.http(name, "POST", "/additions", &body).await {
            (200, total) => Ok(total.as_i64().unwrap()),
            (status, _) => Err(status),
        }
    }

    /// Adds one after the other until that is refused.
    pub(crate) async fn add_until_refused(&self, name: &str, key: &str) -> Rejection {
        let url = format!("http://127.0.0.1:{}/additions", self.processes.get(name).public);
        wait(&format!("{name} to refuse"), async || {
            let request = self.processes.http.post(&url).json(&json!({ "key": key, "amount": 1 }));
            let response = request.send().await.unwrap();
            if response.status() == 200 {
                return Err("it accepts".to_owned());
            }
            let retry_after = response.headers().get("retry-after").map(|v| v.to_str().unwrap());
            let retry_after = retry_after.unwrap_or("0").parse().unwrap();
            let status = response.status().as_u16();
            let problem: Value = response.json().await.unwrap();
            let code = problem["code"].as_str().unwrap_or_default().to_owned();
            Ok(Rejection { status, code, retry_after })
        })
        .await
    }

    pub(crate) async fn wait_until_accepted(&self, name: &str, key: &str) {
        wait(&format!("{name} to accept"), async || match self.add(name, key, 1).await {
            Ok(_total) => Ok(()),
            Err(status) => Err(format!("it answers {status}")),
        })
        .await;
    }

    /// Adds over HTTP as part of a trace.
    pub(crate) async fn add_traced(&self, name: &str, key: &str, amount: i64, parent: &str) {
        let url = format!("http://127.0.0.1:{}/additions", self.processes.get(name).public);
        let request = self.processes.http.post(url).header("traceparent", parent);
        // Two vendors before us, each in a header of its own.
        let request = request.header("tracestate", "congo=t61rcWkgMzE");
        let request = request.header("tracestate", "rojo=1");
        let request = request.json(&json!({ "key": key, "amount": amount }));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    pub(crate) async fn http(&self, name: &str, method: &str, path: &str, body: &str) -> Answer {
        let port = self.processes.get(name).public;
        wait(&format!("{name} to answer"), async || {
            self.ask(port, method, path, body).await.map_err(|error| error.to_string())
        })
        .await
    }

    pub(crate) async fn admin(&self, name: &str, method: &str, path: &str) -> Answer {
        self.try_admin(name, method, path).await.expect("the admin port answers")
    }

    /// When each dependency was last of use.
    pub(crate) async fn progress(&self, name: &str) -> BTreeMap<String, DateTime<Utc>> {
        let (_, answer) = self.admin(name, "GET", "/readyz").await;
        serde_json::from_value(answer["progress"].clone()).unwrap()
    }

    pub(crate) async fn ask_admin(
        &self,
        name: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Answer {
        let port = self.processes.get(name).admin;
        self.ask(port, method, path, &body.to_string()).await.expect("the admin port answers")
    }

    /// Waits until a topic that was to be published again is.
    pub(crate) async fn wait_until_nothing_is_republished(&self, name: &str) {
        wait("everything to be published again", async || {
            let (_, outbox) = self.admin(name, "GET", "/outbox").await;
            let done = outbox["republishing"] == json!([]) && outbox["set_apart"] == json!([]);
            if done { Ok(()) } else { Err(outbox.to_string()) }
        })
        .await;
    }

    async fn try_admin(&self, name: &str, method: &str, path: &str) -> Option<Answer> {
        self.ask(self.processes.get(name).admin, method, path, "").await.ok()
    }

    async fn ask(
        &self,
        port: u16,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Answer, reqwest::Error> {
        let url = format!("http://127.0.0.1:{port}{path}");
        let method = method.parse().unwrap();
        let request = self.processes.http.request(method, url);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// What a replica says of the part it waits for.
    pub(crate) async fn wait_until_waiting_for(&self, name: &str, part: &str) -> String {
        wait(&format!("{name} to wait for {part}"), async || {
            match self.try_admin(name, "GET", "/readyz").await {
                Some((_, answer)) => match answer["waits_for"][part].as_str() {
                    Some(reason) => Ok(reason.to_owned()),
                    None => Err(answer.to_string()),
                },
                None => Err("it does not answer".to_owned()),
            }
        })
        .await
    }

    /// What a replica says of a part, once it is about this.
    pub(crate) async fn wait_until_waiting_because(
        &self,
        name: &str,
        part: &str,
        about: &str,
    ) -> String {
        wait(&format!("{name} to wait because {about}"), async || {
            let says = self.wait_until_waiting_for(name, part).await;
            if says.contains(about) { Ok(says) } else { Err(says) }
        })
        .await
    }

    pub(crate) async fn wait_until_not_waiting_for(&self, name: &str, part: &str) {
        wait(&format!("{name} to have {part}"), async || {
            match self.try_admin(name, "GET", "/readyz").await {
                Some((_, answer)) if answer["waits_for"].get(part).is_none() => Ok(()),
                answer => Err(format!("{answer:?}")),
            }
        })
        .await;
    }

    pub(crate) async fn wait_for_leader(&self, name: &str) {
        self.wait_for_leader_within(name, PATIENCE).await;
    }

    /// Waits until a replica publishes, and checks that it did not take longer than promised.
    pub(crate) async fn wait_for_leader_within(&self, name: &str, limit: Duration) {
        let started = std::time::Instant::now();
        wait(&format!("{name} to publish"), async || {
            match self.try_admin(name, "GET", "/metrics").await {
                Some((200, Value::String(metrics))) => match is_leader(&metrics) {
                    true => Ok(()),
                    false => Err("it stands by".to_owned()),
                },
                answer => Err(format!("{answer:?}")),
            }
        })
        .await;
        assert!(started.elapsed() <= limit, "taking over took {:?}", started.elapsed());
    }
}

fn is_leader(metrics: &str) -> bool {
    let mut lines = metrics.lines();
    lines.any(|line| line.starts_with("flotilla_relay_leader{") && line.ends_with(" 1"))
}
