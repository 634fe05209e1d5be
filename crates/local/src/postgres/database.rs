//! Databases with two roles each: an owner that migrates, an application that cannot. Which rows the
//! application may touch is granted by the migration, as everywhere else.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use uuid::Uuid;

use super::Cluster;

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

/// Where a database is, and who may connect.
#[derive(Debug, Clone, Serialize)]
pub struct DatabasePlace {
    /// The port of its server, on the loopback.
    pub port: u16,
    /// Its name.
    pub database: String,
    /// The application's role.
    pub app_role: String,
    /// The file that holds this role's password.
    pub password_file: PathBuf,
}

impl Cluster<'_> {
    pub(crate) fn place(&self, database: &str) -> DatabasePlace {
        let app_role = app_role(database);
        let password_file = self.secret_file(&app_role);
        DatabasePlace { port: self.port(), database: database.to_owned(), app_role, password_file }
    }

    pub(crate) fn superuser_url(&self, database: &str) -> Result<String> {
        let password = self.secret("superuser")?;
        Ok(format!("postgres://postgres:{password}@127.0.0.1:{}/{database}", self.port()))
    }

    /// A database with its roles; whatever is missing is created.
    pub(crate) async fn database(&self, name: &str) -> Result<Database> {
        let (owner, app) = (format!("{name}_owner"), app_role(name));
        let (owner_secret, app_secret) = (self.secret(&owner)?, self.secret(&app)?);
        let mut db = connect(&self.superuser_url("postgres")?).await?;
        // Held until this connection closes: two callers at once would both create it.
        sqlx::query("select pg_advisory_lock(1)").execute(&mut db).await?;
        role(&mut db, &owner, &owner_secret).await?;
        role(&mut db, &app, &app_secret).await?;
        if !exists(&mut db, "select exists (select from pg_database where datname = $1)", name)
            .await?
        {
            // A name may be a keyword of SQL (`order` is), hence the quotes; the names are ours.
            run(&mut db, format!("create database \"{name}\" owner \"{owner}\"")).await?;
        }
        // The application gets to connect, and not to create temporary tables either.
        run(&mut db, format!("revoke all on database \"{name}\" from public")).await?;
        run(&mut db, format!("grant connect on database \"{name}\" to \"{app}\"")).await?;
        db.close().await?;
        let url = |role: &str, secret: &str| {
            format!("postgres://{role}:{secret}@127.0.0.1:{}/{name}", self.port())
        };
        Ok(Database {
            owner_url: url(&owner, &owner_secret),
            app_url: url(&app, &app_secret),
            app_role: app,
        })
    }

    pub(crate) fn was_started(&self) -> bool {
        self.secret_file("superuser").exists()
    }

    fn secret_file(&self, name: &str) -> PathBuf {
        self.settings.root.join("secrets").join(format!("{}-{name}", self.name))
    }

    /// A secret that is made once and kept where only its owner can read it.
    pub(super) fn secret(&self, name: &str) -> Result<String> {
        let folder = self.settings.root.join("secrets");
        let file = self.secret_file(name);
        if let Ok(secret) = fs::read_to_string(&file) {
            return Ok(secret);
        }
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        let secret = Uuid::new_v4().simple().to_string();
        // Whole or not at all: half a secret would be kept forever.
        let unfinished = folder.join(format!(".{}-{name}-{}", self.name, std::process::id()));
        let mut options = fs::File::options();
        let mut writing =
            options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        writing.write_all(secret.as_bytes())?;
        fs::rename(&unfinished, &file)?;
        Ok(secret)
    }
}

fn app_role(database: &str) -> String {
    format!("{database}_app")
}

pub(super) async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    options.disable_statement_logging().connect().await
}

/// A role that may log in, created if there is none.
async fn role(db: &mut PgConnection, name: &str, secret: &str) -> Result<()> {
    if !exists(db, "select exists (select from pg_roles where rolname = $1)", name).await? {
        // A secret is hexadecimal digits.
        run(db, format!("create role \"{name}\" login password '{secret}'")).await?;
    }
    Ok(())
}

async fn exists(db: &mut PgConnection, question: &'static str, name: &str) -> Result<bool> {
    Ok(sqlx::query_scalar(question).bind(name).fetch_one(db).await?)
}

async fn run(db: &mut PgConnection, statement: String) -> Result<()> {
    let what = statement.split(" password ").next().unwrap_or_default().to_owned();
    sqlx::query(AssertSqlSafe(statement))
        .execute(db)
        .await
        .with_context(|| format!("Postgres refused: {what}"))?;
    Ok(())
}
