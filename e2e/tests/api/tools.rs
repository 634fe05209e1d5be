//! Programs of other languages, which `./x api-tools` installs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the tools are, and the files of ours that they work with.
pub(crate) struct Tools {
    folder: PathBuf,
    sources: PathBuf,
}

/// A program with its arguments.
pub(crate) struct Tool(Command);

impl Tools {
    /// Asks `./x api-tools`, which installs what is missing.
    pub(crate) fn find() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = Command::new(here.join("../x")).arg("api-tools").output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        assert!(found.status.success(), "./x api-tools: {}", text(&found.stderr));
        Tools { folder: text(&found.stdout).into(), sources: here.join("api") }
    }

    /// A file of ours.
    pub(crate) fn source(&self, name: &str) -> String {
        self.sources.join(name).display().to_string()
    }

    pub(crate) fn copy(&self, name: &str, folder: &Path) -> String {
        let copy = folder.join(name);
        std::fs::copy(self.sources.join(name), &copy).unwrap();
        copy.display().to_string()
    }

    /// Lets programs in a folder find the packages that the tools brought.
    pub(crate) fn link_modules(&self, folder: &Path) {
        let modules = self.folder.join("node_modules");
        std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
    }

    pub(crate) fn python(&self, program: &str) -> Tool {
        self.tool(&self.folder.join("venv/bin").join(program))
    }

    pub(crate) fn node(&self, program: &str) -> Tool {
        self.tool(&self.folder.join("node_modules/.bin").join(program))
    }

    /// A program in JavaScript.
    pub(crate) fn script(&self, name: &str, folder: &Path) -> Tool {
        self.python("node").args(&[&folder.join(name).display().to_string()])
    }

    fn tool(&self, program: &Path) -> Tool {
        let mut command = Command::new(program);
        // Programs in JavaScript look for their Node, which pip brought.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.folder.join("venv/bin").display()));
        Tool(command)
    }
}

impl Tool {
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// In this folder, as some tools leave files where they are started.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs it, and expects it to find nothing wrong. Returns all that it said.
    pub(crate) fn passes(mut self) -> String {
        // The fleet is on this machine, and nobody is told how often a tool is used.
        self.0.env("NO_PROXY", "*").env("REDOCLY_TELEMETRY", "off").env("NO_COLOR", "1");
        let run = self.0.output().unwrap_or_else(|error| panic!("{:?}: {error}", self.0));
        let said = [run.stdout, run.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(run.status.success(), "{:?} found faults:\n{said}", self.0);
        said
    }
}
