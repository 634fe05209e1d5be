//! Running the program, and the servers that it is run against.

use std::path::Path;
use std::process::{Command, Output};

use local::testing::Servers;
use serde_json::Value;
use tokio::sync::OnceCell;

static SERVERS: OnceCell<Servers> = OnceCell::const_new();

/// Servers of this test program alone: it registers schemas that would spoil a registry for others.
pub(crate) async fn servers() -> &'static Servers {
    SERVERS.get_or_init(async || Servers::own().await.unwrap()).await
}

/// What a run of the program said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// A list in the one document of `--json`.
    pub(crate) fn list(&self, name: &str) -> Vec<Value> {
        let document: Value = serde_json::from_str(&self.stdout).unwrap();
        document[name].as_array().unwrap().clone()
    }

    /// The documents of `--json` where things are told as they happen, one on each line.
    pub(crate) fn documents(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The program with a state folder, in a folder where nothing lies, and with no other setting.
pub(crate) fn command(state: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flotilla"));
    for (name, _) in
        std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("FLOTILLA_"))
    {
        command.env_remove(name);
    }
    // The contexts of the one who tests are not meant.
    command.env("XDG_CONFIG_HOME", "/nowhere").env("XDG_STATE_HOME", "/nowhere");
    command.args(args).env("FLOTILLA_STATE", state);
    command
}

/// Runs it to its end, off the test's thread.
pub(crate) async fn finish(mut command: Command) -> Said {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = output;
    Said {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// The program against the servers of this test program.
pub(crate) async fn on_servers(args: &[&str]) -> Command {
    command(&servers().await.environment().settings().root, args)
}

/// Runs it against the servers of this test program.
pub(crate) async fn flotilla(args: &[&str]) -> Said {
    finish(on_servers(args).await).await
}
