//! The desk at which somebody follows the page: a shell with its variables, and the page's blocks in their order.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use e2e::page;
use e2e::shop::Shop;
use local::Environment;

/// The services with databases that the page names.
pub(crate) const SERVICES: [&str; 4] = ["order", "payment", "inventory", "shipping"];
/// The password of the role that the page has created.
pub(crate) const PASSWORD: &str = "secret";

pub(crate) struct Desk {
    /// Where the commands are run: what they write stays there, and what they read of the repository is there too.
    folder: PathBuf,
    variables: BTreeMap<&'static str, String>,
    blocks: VecDeque<String>,
    /// How the recipe begins that is being followed.
    beginning: String,
    /// Of the backups so far.
    backups: u32,
}

impl Desk {
    pub(crate) fn at(shop: &Shop) -> Self {
        let folder = shop.fleet.environment().settings().root.join("desk");
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        symlink(root.join("services"), folder.join("services")).unwrap();
        let blocks = page::blocks("docs/disaster.md").into();
        let variables = BTreeMap::from([("ORDER_ADMIN", shop.fleet.admin_url("order"))]);
        Desk { folder, variables, blocks, beginning: String::new(), backups: 0 }
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.insert(name, value.into());
    }

    /// From now on the commands are about the fleet on these servers.
    pub(crate) async fn turn_to(&mut self, environment: &Environment) {
        let settings = environment.settings();
        self.set("FLOTILLA_STATE", settings.root.display().to_string());
        self.set("FLOTILLA_BASE_PORT", settings.ports.base().to_string());
        let registry = environment.registry_url();
        self.set("REGISTRY", registry.split_once("/apis").unwrap().0);
        self.set("WAL", self.folder.join("wal").display().to_string());
        let names = [
            ("ORDER_DATABASE", "ORDER_SERVER"),
            ("PAYMENT_DATABASE", "PAYMENT_SERVER"),
            ("INVENTORY_DATABASE", "INVENTORY_SERVER"),
            ("SHIPPING_DATABASE", "SHIPPING_SERVER"),
        ];
        let mut passwords = String::new();
        for (service, (database, server)) in SERVICES.into_iter().zip(names) {
            let port = environment.database_place(service).port;
            passwords += &format!("127.0.0.1:{port}:*:backup:{PASSWORD}\n");
            self.set(server, format!("postgres://backup@127.0.0.1:{port}/postgres"));
            let url = environment.database(service).await.unwrap().owner_url;
            let (owner, place) = url.strip_prefix("postgres://").unwrap().split_once('@').unwrap();
            let (owner, password) = owner.split_once(':').unwrap();
            passwords += &format!("127.0.0.1:{port}:*:{owner}:{password}\n");
            self.set(database, format!("postgres://{owner}@{place}"));
        }
        let file = self.folder.join("passwords");
        std::fs::write(&file, passwords).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        self.set("PGPASSFILE", file.display().to_string());
    }

    /// The folder of a new backup.
    pub(crate) fn begin_backup(&mut self) {
        self.backups += 1;
        let folder = self.folder.join(format!("backup-{}", self.backups));
        std::fs::create_dir(&folder).unwrap();
        self.set("BACKUPS", folder.display().to_string());
    }

    /// The next block of the page, in which this stands.
    pub(crate) fn next(&mut self, has: &str) -> String {
        let block = self.blocks.pop_front().unwrap_or_else(|| panic!("the page has no {has}"));
        assert!(block.contains(has), "{has} is expected in the next block:\n{block}");
        // One broker keeps one copy.
        block.replace("--replication 3", "--replication 1")
    }

    /// Begins a recipe: its first block comes before each that follows, as if all were typed into one shell.
    pub(crate) fn begin_recipe(&mut self) {
        self.beginning = self.next("set -euo pipefail");
    }

    /// Runs the next block, which lists partitions, until all of a topic are stopped; of all topics, where it is empty.
    pub(crate) async fn wait_for_stopped(&mut self, shop: &Shop, topic: &str) {
        let list = self.next("flotilla offsets list");
        shop.wait("partitions to be stopped", async || {
            let said = self.run(&list);
            let mut listed = said.lines().filter(|line| line.contains(topic)).peekable();
            let is_listed = listed.peek().is_some();
            Ok((is_listed && listed.all(|line| line.contains("stopped:"))).then_some(()))
        })
        .await
        .unwrap();
    }

    /// Runs the next block, by which somebody sees that a recipe worked.
    pub(crate) fn see_that_it_worked(&mut self) -> String {
        let said = self.run_next("flotilla ready");
        assert!(said.contains("no partition is stopped"), "{said}");
        said
    }

    /// Runs the next block; returns what it says.
    pub(crate) fn run_next(&mut self, has: &str) -> String {
        let block = self.next(has);
        self.run(&block)
    }

    /// Runs a block; each of its commands must succeed.
    pub(crate) fn run(&self, block: &str) -> String {
        let output = self.bash(&format!("{}\n{block}", self.beginning)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}\n{said}{complaint}");
        said
    }

    /// Starts a command that goes on by itself.
    pub(crate) fn start(&self, command: &str) -> Child {
        self.bash(&format!("exec {command}")).spawn().unwrap()
    }

    /// A shell that finds the programs of this build, and ends with this process.
    fn bash(&self, script: &str) -> Command {
        let program = std::env::current_exe().unwrap();
        let programs = program.ancestors().nth(2).unwrap();
        let others = std::env::var("PATH").unwrap();
        let mut bash = local::errand("bash");
        bash.args(["-c", script]).current_dir(&self.folder).envs(&self.variables);
        bash.env("PATH", format!("{}:{others}", programs.display()));
        bash
    }

    pub(crate) fn has_run_everything(&self) {
        assert!(self.blocks.is_empty(), "not run: {:?}", self.blocks);
    }
}
