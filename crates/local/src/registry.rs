//! The schema registry, with its schemas in a Postgres of its own: ids are in every message, so they
//! must never change.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::postgres::Cluster;
use crate::process::{Lifetime, Process, ProcessSpec, surroundings};
use crate::settings::Settings;
use crate::{cache, java};

const VERSION: &str = "3.3.3";
const READY: Duration = Duration::from_secs(90);
pub(crate) const STOP: Duration = Duration::from_secs(10);

fn place() -> String {
    format!("apicurio-{VERSION}")
}

pub(crate) fn is_downloaded() -> Result<bool> {
    Ok(cache::find(&place())?.is_some())
}

/// Downloads what is missing; returns the folder of the application.
pub(crate) fn download() -> Result<PathBuf> {
    cache::once(&place(), |folder| {
        let args = [
            format!("-Dartifact=io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"),
            format!("-DoutputDirectory={}", folder.display()),
        ];
        cache::maven("the schema registry (159 MB)", "copy", &args)?;
        let archive = folder.join(format!("apicurio-registry-app-{VERSION}-all.tar.gz"));
        let unpacked =
            surroundings::errand("tar").arg("xzf").arg(&archive).arg("-C").arg(folder).status()?;
        if !unpacked.success() {
            bail!("cannot unpack {}", archive.display());
        }
        std::fs::remove_file(archive)?;
        Ok(())
    })
}

/// Where services find it.
pub(crate) fn url(settings: &Settings) -> String {
    format!("http://127.0.0.1:{}/apis/ccompat/v7", settings.ports.get("registry"))
}

pub(crate) async fn start(settings: &Settings, lifetime: Lifetime) -> Result<()> {
    let process = match Process::find(settings, "registry") {
        Some(process) => process,
        None => spawn(settings, lifetime).await?,
    };
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
    let subjects = format!("{}/subjects", url(settings));
    process
        .wait_ready(READY, async || {
            http.get(&subjects).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await
}

async fn spawn(settings: &Settings, lifetime: Lifetime) -> Result<Process> {
    let application = download()?.join("quarkus-run.jar");
    let database = Cluster::new(settings, "registry").database("registry").await?;
    let (role, secret, address) =
        parts(&database.owner_url).context("the registry's database has no such URL")?;
    let port = |name: &str| settings.ports.get(name).to_string();
    let temporary = java::temporary_folder(settings, "registry")?;
    // It answers few and small requests: a quick start matters, the last tier of the compiler does not.
    // It works in an empty folder, as it reads settings from files in its working folder.
    let spec = ProcessSpec::server("registry", java::find()?, &temporary)
        .args(["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"])
        .args(["-Xshare:auto".to_owned(), java::temporary_option(&temporary)])
        .args(["-jar".to_owned(), application.display().to_string()])
        .env("QUARKUS_HTTP_HOST", "127.0.0.1")
        .env("QUARKUS_HTTP_PORT", port("registry"))
        .env("QUARKUS_MANAGEMENT_HOST", "127.0.0.1")
        .env("QUARKUS_MANAGEMENT_PORT", port("registry-management"))
        .env("APICURIO_STORAGE_KIND", "sql")
        .env("APICURIO_STORAGE_SQL_KIND", "postgresql")
        .env("APICURIO_DATASOURCE_URL", format!("jdbc:postgresql://{address}"))
        .env("APICURIO_DATASOURCE_USERNAME", role)
        .env("APICURIO_DATASOURCE_PASSWORD", secret)
        // The default is twenty connections, each a process of Postgres.
        .env("APICURIO_DATASOURCE_JDBC_INITIAL_SIZE", "2")
        .env("APICURIO_DATASOURCE_JDBC_MIN_SIZE", "2");
    Process::start(settings, &spec, lifetime)
}

/// Role, secret and the rest of a database's URL, which Java wants separately.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (credentials, address) = url.strip_prefix("postgres://")?.split_once('@')?;
    let (role, secret) = credentials.split_once(':')?;
    Some((role, secret, address))
}
