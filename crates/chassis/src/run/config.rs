//! The settings that every service has, and what is wrong with them.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::env::Env;

/// The exit code for a configuration that cannot work (`EX_CONFIG` of sysexits.h): restarting does
/// not help, a supervisor should say so.
pub const EXIT_CONFIG: u8 = 78;

/// Messages in the outbox beyond which commands are refused: nothing has been published for a while,
/// and the table must not fill the disk. At 1,000 orders/s this is some eight minutes of events.
const OUTBOX_MESSAGES_MAX: i64 = 4_000_000;

/// How long published events stay in the outbox: long enough to notice that a topic lost its log, and to
/// do something about it.
const OUTBOX_KEEP_MINUTES: u32 = 60;
/// And at most this much of them, in megabytes: at 1,000 orders/s an hour of the order service is this much.
const OUTBOX_KEEP_MB: u32 = 4096;

/// Longer than a copy of an event may come after the first: see `docs/retention.md`.
const INBOX_KEEP_DAYS: u32 = 30;
/// As long as the dead letters' topic keeps its messages.
const DEAD_LETTERS_KEEP_DAYS: u32 = 30;

/// The settings that every service has.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) database_url: Secret,
    pub(crate) kafka_brokers: String,
    pub(crate) registry_url: String,
    pub(crate) http_address: SocketAddr,
    pub(crate) admin_address: SocketAddr,
    pub(crate) compression: String,
    pub(crate) session: Duration,
    pub(crate) shutdown: Duration,
    pub(crate) stop_delay: Duration,
    pub(crate) outbox_messages_max: i64,
    pub(crate) outbox_kept: Kept,
    pub(crate) inbox_kept: Duration,
    pub(crate) dead_letters_kept: Duration,
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) sampling: f64,
    pub(crate) instance: String,
    pub(crate) log: Targets,
}

/// How long published events are kept, and how much of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) time: Duration,
    pub(crate) bytes: i64,
}

/// Keeps a value out of logs.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl Config {
    pub(crate) fn read(env: &mut Env) -> Self {
        let database_url = database_url(env, "DATABASE_URL");
        let config = Config {
            database_url,
            kafka_brokers: env.required("KAFKA_BROKERS", "host:port of Kafka, comma separated"),
            registry_url: env
                .required("REGISTRY_URL", "URL of the schema registry's Confluent API"),
            http_address: env.address("HTTP_ADDRESS", 8080, "address of the public API"),
            admin_address: admin_address(env),
            compression: env.parsed("KAFKA_COMPRESSION", "none".to_owned(), "none, lz4 or zstd"),
            session: Duration::from_millis(env.parsed(
                "KAFKA_SESSION_TIMEOUT_MS",
                10_000,
                "how long a replica may be silent before its partitions are given to others",
            )),
            shutdown: Duration::from_millis(env.parsed(
                "SHUTDOWN_TIMEOUT_MS",
                20_000,
                "how long a graceful stop may take, in milliseconds",
            )),
            stop_delay: Duration::from_millis(env.parsed(
                "STOP_DELAY_MS",
                1_000,
                "how long a replica that was told to stop goes on serving while it reports that it is not ready, \
                 in milliseconds; part of FLOTILLA_SHUTDOWN_TIMEOUT_MS",
            )),
            outbox_messages_max: env.parsed(
                "OUTBOX_MESSAGES_MAX",
                OUTBOX_MESSAGES_MAX,
                "events that may wait to be published before commands are refused",
            ),
            outbox_kept: kept(env),
            inbox_kept: env.days(
                "INBOX_KEEP_DAYS",
                INBOX_KEEP_DAYS,
                "days that ids of processed events are kept, where a subscription keeps any",
            ),
            dead_letters_kept: env.days(
                "DEAD_LETTERS_KEEP_DAYS",
                DEAD_LETTERS_KEEP_DAYS,
                "days that the contents of a dead letter are kept after it was settled",
            ),
            otlp_endpoint: env.optional(
                "OTLP_ENDPOINT",
                "URL of a collector that takes traces and metrics by OTLP over HTTP (port 4318)",
            ),
            sampling: env.parsed("TRACE_SAMPLING", 0.01, "share of new traces recorded, 0 to 1"),
            instance: env
                .optional("INSTANCE", "name of this replica in logs and metrics")
                .unwrap_or_else(|| format!("pid-{}", std::process::id())),
            log: env.parsed(
                "LOG",
                Targets::new().with_default(LevelFilter::INFO),
                "level of logs, also by module: info, or warn,chassis::relay=debug",
            ),
        };
        config.check(env);
        config
    }

    fn check(&self, env: &mut Env) {
        let (whole, shutdown) = (env.variable("SHUTDOWN_TIMEOUT_MS"), self.shutdown.as_millis());
        let mut wrong = |name: &str, what: String| {
            env.problem(format!("{} {what}", env.variable(name)));
        };
        if !["none", "lz4", "zstd"].contains(&self.compression.as_str()) {
            let what = format!("is {:?}, but must be none, lz4 or zstd", self.compression);
            wrong("KAFKA_COMPRESSION", what);
        }
        if !(6_000..=300_000).contains(&self.session.as_millis()) {
            wrong("KAFKA_SESSION_TIMEOUT_MS", "is outside 6000 to 300000".to_owned());
        }
        if self.shutdown.is_zero() {
            wrong("SHUTDOWN_TIMEOUT_MS", "is 0, so no stop could be graceful".to_owned());
        } else if self.stop_delay > self.shutdown / 2 {
            let delay = self.stop_delay.as_millis();
            let what = format!(
                "is {delay}, more than half of {whole}, which is {shutdown}: shorten the delay, or \
                 raise {whole} to at least {}",
                delay * 2
            );
            wrong("STOP_DELAY_MS", what);
        }
        if self.outbox_messages_max < 1 {
            wrong("OUTBOX_MESSAGES_MAX", "must be at least 1".to_owned());
        }
        let no_broker = self.kafka_brokers.split(',').find(|one| !is_host_and_port(one.trim()));
        if let Some(broker) = no_broker.filter(|_| !self.kafka_brokers.is_empty()) {
            let what = "which is not host:port; several are separated by commas";
            wrong("KAFKA_BROKERS", format!("has {broker:?}, {what}"));
        }
        if let Some(endpoint) = self.otlp_endpoint.as_deref().filter(|url| !is_http_url(url)) {
            let what = "but must be a URL such as http://host:4318";
            wrong("OTLP_ENDPOINT", format!("is {endpoint:?}, {what}"));
        }
        if !(0.0..=1.0).contains(&self.sampling) {
            wrong("TRACE_SAMPLING", format!("is {}, outside 0 to 1", self.sampling));
        }
        if !self.registry_url.is_empty() && !is_http_url(&self.registry_url) {
            let what = "but must be a URL such as http://host:8081";
            wrong("REGISTRY_URL", format!("is {:?}, {what}", self.registry_url));
        }
        if self.http_address == self.admin_address && self.http_address.port() != 0 {
            env.problem(format!(
                "{} and {} are both {}: the admin routes must not be reachable where the public \
                 ones are",
                env.variable("HTTP_ADDRESS"),
                env.variable("ADMIN_ADDRESS"),
                self.http_address
            ));
        }
    }
}

/// Where the admin routes are served.
pub(crate) fn admin_address(env: &mut Env) -> SocketAddr {
    let what = "address of health, readiness, metrics and dead letters";
    env.address("ADMIN_ADDRESS", 9090, what)
}

fn kept(env: &mut Env) -> Kept {
    let minutes = env.parsed(
        "OUTBOX_KEEP_MINUTES",
        OUTBOX_KEEP_MINUTES,
        "how long published events are kept, to publish a lost topic again; 0 keeps none",
    );
    let megabytes = env.parsed(
        "OUTBOX_KEEP_MB",
        OUTBOX_KEEP_MB,
        "megabytes of published events that are kept at most",
    );
    Kept { time: Duration::from_secs(60) * minutes, bytes: i64::from(megabytes) * 1024 * 1024 }
}

fn is_http_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    !host.is_empty() && host.chars().all(plain) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Where `migrate` does its work, and the role that gets to read and write rows.
pub(crate) fn migration(env: &mut Env) -> (Secret, Option<String>) {
    let url = database_url(env, "OWNER_DATABASE_URL");
    (url, env.optional("APP_ROLE", "role that gets to read and write rows"))
}

/// A database URL given as a variable or, so that it need not be in the environment, as a file.
pub(crate) fn database_url(env: &mut Env, name: &str) -> Secret {
    let file_name = format!("{name}_FILE");
    let what = "postgres://role:password@host:port/database of this service";
    let url = env.secret(name, what, true);
    let file = env.optional(&file_name, "a file that holds it, in place of the variable");
    let (variable, file_variable) = (env.variable(name), env.variable(&file_name));
    let url = match (url, file) {
        (Some(_), Some(_)) => {
            env.problem(format!("{variable} and {file_variable} are both set: choose one"));
            return Secret(String::new());
        }
        (Some(url), None) => url,
        (None, Some(path)) => match std::fs::read_to_string(&path) {
            Ok(url) => url.trim().to_owned(),
            Err(error) => {
                env.problem(format!("{file_variable} names {path}, which cannot be read: {error}"));
                return Secret(String::new());
            }
        },
        (None, None) => {
            env.problem(format!("{variable} is not set: the URL of this service's Postgres"));
            return Secret(String::new());
        }
    };
    let scheme = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if !scheme || url.parse::<sqlx::postgres::PgConnectOptions>().is_err() {
        let shape = "postgres://role:password@host/db";
        env.problem(format!("{variable} is no Postgres URL ({shape})"));
    }
    Secret(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_reported_at_once() {
        let mut env = Env::from_fn(|name| match name {
            "FLOTILLA_DATABASE_URL" => Some("mysql://x".into()),
            "FLOTILLA_HTTP_ADDRESS" => Some("not an address".into()),
            "FLOTILLA_TRACE_SAMPLING" => Some("7".into()),
            "FLOTILLA_LOG" => Some("chassis=loud".into()),
            _unset => None,
        });
        Config::read(&mut env);
        let problems = env.problems().join("\n");
        for name in
            ["DATABASE_URL", "KAFKA_BROKERS", "REGISTRY_URL", "HTTP_ADDRESS", "SAMPLING", "LOG"]
        {
            assert!(problems.contains(name), "{name} is missing in:\n{problems}");
        }
    }

    #[test]
    fn a_delay_of_more_than_half_of_a_stop_is_refused_with_both_settings() {
        let refused = |shutdown: Option<&'static str>, delay: Option<&'static str>| {
            let mut env = Env::from_fn(move |name| match name {
                "FLOTILLA_SHUTDOWN_TIMEOUT_MS" => shutdown.map(str::to_owned),
                "FLOTILLA_STOP_DELAY_MS" => delay.map(str::to_owned),
                _unset => None,
            });
            Config::read(&mut env);
            env.problems().iter().find(|problem| problem.contains("STOP_DELAY_MS")).cloned()
        };
        for (shutdown, delay) in
            [(None, None), (Some("2000"), None), (None, Some("10000")), (Some("1"), Some("0"))]
        {
            assert_eq!(refused(shutdown, delay), None);
        }
        assert!(refused(None, Some("10001")).is_some());
        let said = "FLOTILLA_STOP_DELAY_MS is 1000, more than half of FLOTILLA_SHUTDOWN_TIMEOUT_MS, \
                    which is 1500: shorten the delay, or raise FLOTILLA_SHUTDOWN_TIMEOUT_MS to at \
                    least 2000";
        assert_eq!(refused(Some("1500"), None).as_deref(), Some(said));
    }

    #[test]
    fn a_url_given_twice_is_a_contradiction() {
        let mut env = Env::from_fn(|name| name.contains("DATABASE").then(|| "x".to_owned()));
        database_url(&mut env, "DATABASE_URL");
        assert_eq!(env.problems().len(), 1);
    }
}
