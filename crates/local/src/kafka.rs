//! Apache Kafka, one node that is both broker and controller.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use uuid::Uuid;

use crate::process::{Lifetime, Process, ProcessSpec, surroundings};
use crate::settings::{Compiler, Settings};
use crate::{cache, java};

const POM: &str = include_str!("../servers/kafka/pom.xml");
const LOGGING: &str = include_str!("../servers/kafka/log4j2.properties");
/// The name of the file with its settings.
const PROPERTIES: &str = "server.properties";
const READY: Duration = Duration::from_secs(60);
/// A controlled shutdown flushes logs and moves nothing, as there is only one node.
pub(crate) const STOP: Duration = Duration::from_secs(20);

/// The name in the cache depends on what the pom asks for, so a change of it is downloaded.
fn place() -> String {
    let mut hasher = DefaultHasher::new();
    POM.hash(&mut hasher);
    format!("kafka-{:016x}", hasher.finish())
}

pub(crate) fn is_downloaded() -> Result<bool> {
    Ok(cache::find(&place())?.is_some())
}

/// Downloads what is missing; returns the folder of jars.
pub(crate) fn download() -> Result<PathBuf> {
    let place = cache::once(&place(), |folder| {
        let pom = folder.join("pom.xml");
        fs::write(&pom, POM)?;
        let args = [
            "-f".to_owned(),
            pom.display().to_string(),
            format!("-DoutputDirectory={}", folder.join("libs").display()),
        ];
        cache::maven("Apache Kafka (54 MB)", "copy-dependencies", &args)
    })?;
    Ok(place.join("libs"))
}

pub(crate) async fn start(settings: &Settings, lifetime: Lifetime) -> Result<()> {
    let process = match Process::find(settings, "kafka") {
        Some(process) => process,
        None => {
            // Formatting runs a Java for a second, in which the other servers should start.
            let settings = settings.clone();
            let spawned = tokio::task::spawn_blocking(move || spawn(&settings, lifetime));
            spawned.await.context("starting Kafka panicked")??
        }
    };
    // Clients that connect before this line find a broker that does not know itself yet.
    process.wait_ready(READY, async || process.output().contains("Kafka Server started")).await
}

/// Kafka works in its folder and finds its files there by names that we choose: a list of folders is
/// separated by commas and a properties file is Latin-1 with escapes, so few other names would work.
fn spawn(settings: &Settings, lifetime: Lifetime) -> Result<Process> {
    let java = java::find()?;
    let jars = download()?;
    let (classes, archive) = (format!("{}/*", jars.display()), java::archive_option(&jars));
    let folder = settings.root.join("kafka");
    let temporary = java::temporary_folder(settings, "kafka")?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(PROPERTIES), configuration(settings))?;
    fs::write(folder.join("log4j2.properties"), LOGGING)?;
    if !folder.join("data/meta.properties").exists() {
        format(&java, &classes, &folder, &archive)?;
    }
    let compilers = match settings.kafka_compiler {
        Compiler::Quick => "-XX:TieredStopAtLevel=1",
        Compiler::Thorough => "-XX:+TieredCompilation",
    };
    let spec = ProcessSpec::server("kafka", java, folder)
        .args(["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", compilers])
        .args(["-XX:-UsePerfData", "-Xshare:auto"])
        // Written when a Kafka ends and there is none yet, or one of another Java.
        .args([archive.as_str(), "-XX:+AutoCreateSharedArchive"])
        .args([&java::temporary_option(&temporary), "-Dlog4j2.configurationFile=log4j2.properties"])
        .args(["-cp", &classes, "kafka.Kafka", PROPERTIES]);
    Process::start(settings, &spec, lifetime)
}

/// Small, durable, and with nothing created by accident.
fn configuration(settings: &Settings) -> String {
    let (broker, controller) =
        (settings.ports.get("kafka"), settings.ports.get("kafka-controller"));
    let (mut listeners, mut advertised) = (String::new(), String::new());
    if let Some(host) = &settings.kafka_elsewhere {
        let port = settings.ports.get("kafka-elsewhere");
        listeners = format!(",ELSEWHERE://127.0.0.1:{port}");
        advertised = format!(",ELSEWHERE://{host}:{port}");
    }
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}{listeners}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{broker}{advertised}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,ELSEWHERE:PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
         log.dirs=data\n\
         auto.create.topics.enable=false\n\
         # One node cannot replicate.\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         # The defaults of 50 partitions each cost seconds at every start.\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.num.partitions=4\n\
         share.coordinator.state.topic.num.partitions=4\n\
         # After a kill the node waits until its former self has been given up: 9 s by default.\n\
         broker.heartbeat.interval.ms=1000\n\
         broker.session.timeout.ms=4000\n\
         # A group of one service need not wait for more members.\n\
         group.initial.rebalance.delay.ms=0\n\
         # Two cores: more threads only take turns, which costs a tenth of it at 500 orders/s. Two for\n\
         # I/O, as one may wait for the disk.\n\
         num.network.threads=1\n\
         num.io.threads=2\n\
         background.threads=2\n\
         # The default buffer for compaction is a quarter of this heap.\n\
         log.cleaner.dedupe.buffer.size=4194304\n\
         log.segment.bytes=134217728\n\
         # Offsets outlive the longest time somebody leaves a fleet switched off.\n\
         offsets.retention.minutes=43200\n"
    )
}

fn format(java: &Path, classes: &str, folder: &Path, archive: &str) -> Result<()> {
    let mut command = surroundings::errand(java);
    surroundings::shelter(&mut command);
    let output = command
        .args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"])
        .args([archive, "-cp", classes, "kafka.tools.StorageTool", "format"])
        .args(["--standalone", "--ignore-formatted", "-t", &cluster_id(), "-c", PROPERTIES])
        .current_dir(folder)
        .output()?;
    if !output.status.success() {
        bail!("Kafka's storage cannot be formatted: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A UUID as Kafka writes it: URL-safe base64 without padding. Its first bit is zero, so its first digit is a
/// letter: an id that began with a dash would be taken for an option.
fn cluster_id() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = u128::from_be_bytes(*Uuid::new_v4().as_bytes()) >> 1;
    let digit = |place: u32| {
        let shifted = if place == 0 { bits << 4 } else { bits >> (place * 6 - 4) };
        char::from(ALPHABET[(shifted & 63) as usize])
    };
    (0..22).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::cluster_id;

    #[test]
    fn a_cluster_id_has_the_22_digits_of_a_uuid_and_is_never_taken_for_an_option() {
        let ids: Vec<String> = (0..1_000).map(|_| cluster_id()).collect();
        assert!(ids.iter().all(|id| id.starts_with(|c: char| c.is_ascii_alphabetic())), "{ids:?}");
        let id = &ids[0];
        assert_eq!(id.len(), 22);
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{id}");
    }
}
