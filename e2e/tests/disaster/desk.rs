//! The desk at which somebody follows the page: a shell with its variables, and the page's blocks in their order.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use e2e::page;
use e2e::shop::Shop;
use local::Environment;

/// The services with databases that the page names.
const SERVICES: [&str; 4] = ["order", "payment", "inventory", "shipping"];
/// The password of the role that the page has created.
const PASSWORD: &str = "secret";

pub(crate) struct Desk {
    /// Where the commands are run: what they write stays there, and what they read of the repository is there too.
    folder: PathBuf,
    variables: BTreeMap<&'static str, String>,
    blocks: VecDeque<String>,
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
        Desk { folder, variables: BTreeMap::new(), blocks, backups: 0 }
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
        let port = environment.database_place("order").port;
        let backup = format!("postgres://backup:{PASSWORD}@127.0.0.1:{port}/postgres");
        self.set("BACKUP_DATABASE", backup);
        self.set("WAL", self.folder.join("wal").display().to_string());
        let names =
            ["ORDER_DATABASE", "PAYMENT_DATABASE", "INVENTORY_DATABASE", "SHIPPING_DATABASE"];
        for (service, name) in SERVICES.into_iter().zip(names) {
            let database = environment.database(service).await.unwrap();
            self.set(name, database.owner_url);
        }
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
        block
            .replace("--replication 3", "--replication 1")
            .replace("'...'", &format!("'{PASSWORD}'"))
    }

    /// Runs the next block; returns what it says.
    pub(crate) fn run_next(&mut self, has: &str) -> String {
        let block = self.next(has);
        self.run(&block)
    }

    /// Runs a block; each of its commands must succeed.
    pub(crate) fn run(&self, block: &str) -> String {
        let output = self.bash(&format!("set -euo pipefail\n{block}")).output().unwrap();
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
