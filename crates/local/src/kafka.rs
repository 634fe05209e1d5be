//! Apache Kafka: one node, or three that keep copies of each other's records. Each is both broker and controller.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use uuid::Uuid;

use crate::process::{Lifetime, Process, ProcessSpec, surroundings};
use crate::settings::{Compiler, Settings};
use crate::{cache, java};

const POM: &str = include_str!("../servers/kafka/pom.xml");
const LOGGING: &str = include_str!("../servers/kafka/log4j2.properties");
/// The name of the file with its settings.
const PROPERTIES: &str = "server.properties";
/// Where a node keeps which cluster it belongs to, from its folder on.
const META: &str = "data/meta.properties";
/// Three nodes share the cores that they start on.
const READY: Duration = Duration::from_secs(120);
/// A controlled shutdown flushes logs and hands over what others can lead. Where all nodes stop at once, the last
/// waits some seconds for a majority that is gone.
pub(crate) const STOP: Duration = Duration::from_secs(20);

/// The nodes that there may be, in the order of their numbers, which begin with 1.
pub(crate) const NODES: [Node; 3] = [
    Node { name: "kafka", controller: "kafka-controller" },
    Node { name: "kafka-2", controller: "kafka-2-controller" },
    Node { name: "kafka-3", controller: "kafka-3-controller" },
];
/// `min.insync.replicas` where there are three copies: a record is acknowledged once two nodes have it, so that one
/// may be lost.
const IN_SYNC: u16 = 2;

/// A node: the name of its process, its folder and the port of its broker; and that of its controller's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) controller: &'static str,
}

/// The nodes of an environment.
pub(crate) fn nodes(settings: &Settings) -> &'static [Node] {
    &NODES[..usize::from(settings.brokers).min(NODES.len())]
}

/// Whether a process of this name is a node of any environment.
pub(crate) fn is_node(name: &str) -> bool {
    NODES.iter().any(|node| node.name == name)
}

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

/// Starts all nodes at once: the first to be ready waits for a majority.
pub(crate) async fn start(settings: &Settings, lifetime: Lifetime) -> Result<()> {
    let cluster = cluster_of(settings);
    let nodes = nodes(settings).iter();
    if nodes.len() > 1 && settings.kafka_elsewhere.is_some() {
        bail!("only one broker can have a further name: there is one port for it");
    }
    try_join_all(nodes.map(|node| start_node(settings, *node, &cluster, lifetime))).await?;
    Ok(())
}

async fn start_node(
    settings: &Settings,
    node: Node,
    cluster: &str,
    lifetime: Lifetime,
) -> Result<()> {
    let process = match Process::find(settings, node.name) {
        Some(process) => process,
        None => {
            // Formatting runs a Java for a second, in which the other servers should start.
            let (settings, cluster) = (settings.clone(), cluster.to_owned());
            let spawned =
                tokio::task::spawn_blocking(move || spawn(&settings, node, &cluster, lifetime));
            spawned.await.context("starting Kafka panicked")??
        }
    };
    // Clients that connect before this line find a broker that does not know itself yet.
    process.wait_ready(READY, async || process.output().contains("Kafka Server started")).await
}

/// Kafka works in its folder and finds its files there by names that we choose: a list of folders is
/// separated by commas and a properties file is Latin-1 with escapes, so few other names would work.
fn spawn(settings: &Settings, node: Node, cluster: &str, lifetime: Lifetime) -> Result<Process> {
    let java = java::find()?;
    let jars = download()?;
    let (classes, archive) = (format!("{}/*", jars.display()), java::archive_option(&jars));
    let folder = settings.root.join(node.name);
    let temporary = java::temporary_folder(settings, node.name)?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(PROPERTIES), configuration(settings, node))?;
    fs::write(folder.join("log4j2.properties"), LOGGING)?;
    if !folder.join(META).exists() {
        format(&java, &classes, &folder, &archive, (settings, cluster))?;
    }
    let compilers = match settings.kafka_compiler {
        Compiler::Quick => "-XX:TieredStopAtLevel=1",
        Compiler::Thorough => "-XX:+TieredCompilation",
    };
    let heap = match nodes(settings) {
        [_alone] => ["-Xms256m", "-Xmx512m"],
        _several => ["-Xms128m", "-Xmx320m"],
    };
    let spec = ProcessSpec::server(node.name, java, folder)
        .args(heap)
        .args(["-XX:+UseSerialGC", compilers])
        .args(["-XX:-UsePerfData", "-Xshare:auto"])
        // Written when a Kafka ends and there is none yet, or one of another Java.
        .args([archive.as_str(), "-XX:+AutoCreateSharedArchive"])
        .args([&java::temporary_option(&temporary), "-Dlog4j2.configurationFile=log4j2.properties"])
        .args(["-cp", &classes, "kafka.Kafka", PROPERTIES]);
    Process::start(settings, &spec, lifetime)
}

/// Small, durable, and with nothing created by accident.
fn configuration(settings: &Settings, node: Node) -> String {
    let port = |name: &str| settings.ports.get(name);
    let (broker, controller) = (port(node.name), port(node.controller));
    let nodes = nodes(settings);
    let number = number_of(node);
    let copies = nodes.len();
    let in_sync = IN_SYNC.min(settings.brokers);
    let quorum = quorum(nodes, port);
    let (mut listeners, mut advertised) = (String::new(), String::new());
    if let Some(host) = &settings.kafka_elsewhere {
        let port = port("kafka-elsewhere");
        listeners = format!(",ELSEWHERE://127.0.0.1:{port}");
        advertised = format!(",ELSEWHERE://{host}:{port}");
    }
    format!(
        "process.roles=broker,controller\n\
         node.id={number}\n\
         listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}{listeners}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{broker}{advertised}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,ELSEWHERE:PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         {quorum}\n\
         log.dirs=data\n\
         auto.create.topics.enable=false\n\
         min.insync.replicas={in_sync}\n\
         # As many copies as there are nodes.\n\
         offsets.topic.replication.factor={copies}\n\
         transaction.state.log.replication.factor={copies}\n\
         transaction.state.log.min.isr={in_sync}\n\
         share.coordinator.state.topic.replication.factor={copies}\n\
         share.coordinator.state.topic.min.isr={in_sync}\n\
         {ECONOMY}"
    )
}

/// The controller quorum. Of one node it is kept with its data. Of several it is said anew at every start: what
/// is kept are addresses too, and a fleet that is started on other ports would find none of them.
fn quorum(nodes: &[Node], port: impl Fn(&str) -> u16) -> String {
    let address = |node: &Node| format!("127.0.0.1:{}", port(node.controller));
    match nodes {
        [alone] => format!("controller.quorum.bootstrap.servers={}", address(alone)),
        several => {
            let voters =
                several.iter().map(|node| format!("{}@{}", number_of(*node), address(node)));
            format!("controller.quorum.voters={}", voters.collect::<Vec<_>>().join(","))
        }
    }
}

fn number_of(node: Node) -> usize {
    NODES.iter().take_while(|other| **other != node).count() + 1
}

/// Settings that keep a node small; the same for all.
const ECONOMY: &str = "\
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
    offsets.retention.minutes=43200\n";

fn format(
    java: &Path,
    classes: &str,
    folder: &Path,
    archive: &str,
    (settings, cluster): (&Settings, &str),
) -> Result<()> {
    // Several nodes read from their settings who has a say.
    let alone = (nodes(settings).len() == 1).then_some("--standalone");
    let mut command = surroundings::errand(java);
    surroundings::shelter(&mut command);
    let output = command
        .args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"])
        .args([archive, "-cp", classes, "kafka.tools.StorageTool", "format"])
        .args(alone)
        .args(["--ignore-formatted", "-t", cluster, "-c", PROPERTIES])
        .current_dir(folder)
        .output()?;
    if !output.status.success() {
        bail!("Kafka's storage cannot be formatted: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The id that all nodes have in common: that of those that were formatted earlier, or a new one.
fn cluster_of(settings: &Settings) -> String {
    let kept = nodes(settings).iter().find_map(|node| {
        let meta = fs::read_to_string(settings.root.join(node.name).join(META)).ok()?;
        meta.lines().find_map(|line| line.strip_prefix("cluster.id=")).map(str::to_owned)
    });
    kept.unwrap_or_else(cluster_id)
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
    use super::{NODES, cluster_id, quorum};

    #[test]
    fn a_cluster_id_has_the_22_digits_of_a_uuid_and_is_never_taken_for_an_option() {
        let ids: Vec<String> = (0..1_000).map(|_| cluster_id()).collect();
        assert!(ids.iter().all(|id| id.starts_with(|c: char| c.is_ascii_alphabetic())), "{ids:?}");
        let id = &ids[0];
        assert_eq!(id.len(), 22);
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{id}");
    }

    #[test]
    fn one_node_finds_itself_and_of_three_each_knows_all() {
        let port = |name: &str| if name == "kafka-controller" { 1 } else { 2 };
        let alone = quorum(&NODES[..1], port);
        assert_eq!(alone, "controller.quorum.bootstrap.servers=127.0.0.1:1");
        let three = quorum(&NODES, port);
        let voters = "1@127.0.0.1:1,2@127.0.0.1:2,3@127.0.0.1:2";
        assert_eq!(three, format!("controller.quorum.voters={voters}"));
    }
}
