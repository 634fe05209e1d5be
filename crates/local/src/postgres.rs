//! Postgres servers: one per service, with a superuser that only this crate uses, and databases with
//! two roles each: an owner that migrates, an application that cannot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use uuid::Uuid;

use crate::process::{Lifetime, Process, ProcessSpec, is_root};
use crate::settings::Settings;

/// Older ones lack what the services use.
const VERSION_MIN: u32 = 15;
const READY: Duration = Duration::from_secs(60);
/// A fast shutdown waits for its checkpoint.
pub(crate) const STOP: Duration = Duration::from_secs(30);

/// Settings for a small machine that is durable all the same: `fsync` and `synchronous_commit` stay on.
const CONFIGURATION: &str = "\
# One server of five on a small machine; the rows in use fit.
shared_buffers = '128MB'
# An executor, a relay, a sweep and eight readers per replica, and room for tools.
max_connections = 60
# Checkpoints by time rather than by volume: under load a checkpoint every few seconds doubles the WAL.
max_wal_size = '2GB'
checkpoint_timeout = '10min'
# The relay's queue is empty most of the time; parallel plans and the JIT only cost start-up time.
max_parallel_workers_per_gather = 0
jit = off
# Updated tables leave half of each page free for new versions; vacuum early and in small steps.
autovacuum_naptime = '20s'
autovacuum_vacuum_cost_delay = '1ms'
# Plain sockets on the loopback only.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
log_min_messages = 'warning'
";

/// A database with its two roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Database {
    /// The URL of the owner, who migrates.
    pub owner_url: String,
    /// The URL of the application, which reads and writes rows.
    pub app_url: String,
    /// The application's role.
    pub app_role: String,
}

/// One server.
pub(crate) struct Cluster<'a> {
    settings: &'a Settings,
    name: &'static str,
}

impl<'a> Cluster<'a> {
    pub(crate) fn new(settings: &'a Settings, name: &'static str) -> Self {
        Cluster { settings, name }
    }

    pub(crate) fn process_name(&self) -> String {
        format!("postgres-{}", self.name)
    }

    fn folder(&self) -> PathBuf {
        self.settings.root.join("postgres").join(self.name)
    }

    fn port(&self) -> u16 {
        self.settings.ports.get(&self.process_name())
    }

    /// Creates the data folder if there is none, starts the server and waits for it.
    pub(crate) async fn start(&self, lifetime: Lifetime) -> Result<()> {
        if Process::find(self.settings, &self.process_name()).is_some() {
            return Ok(());
        }
        self.settings.ports.check_free(&self.process_name())?;
        let programs = programs()?;
        let data = self.folder().join("data");
        if !data.join("PG_VERSION").exists() {
            self.initialise(&programs, &data)?;
        }
        // Of a server that was killed: it would refuse to start if the pid is in use by now.
        fs::remove_file(data.join("postmaster.pid")).ok();
        let mut spec = ProcessSpec::new(self.process_name(), programs.join("postgres")).args([
            "-D",
            path(&data)?,
            "-p",
            &self.port().to_string(),
        ]);
        spec.user = Some(user().to_owned());
        // A fast shutdown: open transactions are rolled back.
        spec.stop_signal = "INT";
        let process = Process::start(self.settings, &spec, lifetime)?;
        let url = self.superuser_url("postgres")?;
        process.wait_ready(READY, async || connect(&url).await.is_ok()).await
    }

    fn initialise(&self, programs: &Path, data: &Path) -> Result<()> {
        let folder = self.folder();
        fs::remove_dir_all(data).ok();
        fs::create_dir_all(&folder)?;
        let password = self.secret("superuser")?;
        let password_file = folder.join("initdb-password");
        fs::write(&password_file, &password)?;
        if is_root() {
            let mut chown = Command::new("chown");
            chown.arg("-R").arg(format!("{}:", user())).arg(&folder);
            if !chown.status()?.success() {
                bail!("cannot give {} to the user {}", folder.display(), user());
            }
        }
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user(), "--regid", user(), "--clear-groups"]);
                command.args(["--inh-caps", "+dac_read_search"]);
                command.args(["--ambient-caps", "+dac_read_search", "--"]);
                command.arg(programs.join("initdb"));
                command
            }
            false => Command::new(programs.join("initdb")),
        };
        let output = command
            .args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C"])
            .args(["--pwfile", path(&password_file)?, "-D", path(data)?])
            .current_dir("/")
            .output()?;
        fs::remove_file(&password_file).ok();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("initdb failed for {}: {said}", self.name);
        }
        let configuration = data.join("postgresql.conf");
        let mut text = fs::read_to_string(&configuration)?;
        text.push_str(CONFIGURATION);
        fs::write(&configuration, text)?;
        Ok(())
    }

    pub(crate) fn superuser_url(&self, database: &str) -> Result<String> {
        let password = self.secret("superuser")?;
        Ok(format!("postgres://postgres:{password}@127.0.0.1:{}/{database}", self.port()))
    }

    /// A database with its roles, created if there is none.
    pub(crate) async fn database(&self, name: &str) -> Result<Database> {
        let (owner, app) = (format!("{name}_owner"), format!("{name}_app"));
        let (owner_secret, app_secret) = (self.secret(&owner)?, self.secret(&app)?);
        let url = |role: &str, secret: &str| {
            format!("postgres://{role}:{secret}@127.0.0.1:{}/{name}", self.port())
        };
        let database = Database {
            owner_url: url(&owner, &owner_secret),
            app_url: url(&app, &app_secret),
            app_role: app.clone(),
        };
        let mut db = connect(&self.superuser_url("postgres")?).await?;
        let exists: bool =
            sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
                .bind(name)
                .fetch_one(&mut db)
                .await?;
        if !exists {
            // Names are ours, and secrets are hexadecimal digits; `order` is a word of SQL.
            for statement in [
                format!("create role \"{owner}\" login password '{owner_secret}'"),
                format!("create role \"{app}\" login password '{app_secret}'"),
                format!("create database \"{name}\" owner \"{owner}\""),
                format!("revoke all on database \"{name}\" from public"),
                format!("grant connect on database \"{name}\" to \"{app}\""),
            ] {
                let statement = sqlx::query(AssertSqlSafe(statement));
                statement.execute(&mut db).await.with_context(|| format!("creating {name}"))?;
            }
        }
        db.close().await?;
        Ok(database)
    }

    /// A secret that is made once and kept where only its owner can read it.
    fn secret(&self, name: &str) -> Result<String> {
        let folder = self.settings.root.join("secrets");
        let file = folder.join(format!("{}-{name}", self.name));
        if let Ok(secret) = fs::read_to_string(&file) {
            return Ok(secret);
        }
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        let secret = Uuid::new_v4().simple().to_string();
        fs::write(&file, &secret)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        Ok(secret)
    }
}

async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    options.disable_statement_logging().connect().await
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// The user that Postgres runs as where this process is root, which Postgres refuses to be.
fn user() -> &'static str {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    match users.lines().any(|line| line.starts_with("postgres:")) {
        true => "postgres",
        false => "nobody",
    }
}

/// The folder of the newest server programs.
pub(crate) fn programs() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        for entry in versions.flatten() {
            let version = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let programs = entry.path().join("bin");
            if let Some(version) = version
                && programs.join("initdb").exists()
            {
                found.push((version, programs));
            }
        }
    }
    match found.into_iter().max() {
        Some((version, programs)) if version >= VERSION_MIN => Ok(programs),
        Some((version, _)) => {
            bail!("Postgres {version} is installed; {VERSION_MIN} or newer is needed")
        }
        None => bail!("there is no Postgres server: apt-get install postgresql"),
    }
}
