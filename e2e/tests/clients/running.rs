//! A consumer that runs, and what it has printed so far.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use e2e::shop::Shop;
use serde_json::Value;

use crate::languages::Language;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A consumer; killed when dropped.
pub(crate) struct Running {
    pub(crate) language: Language,
    child: Child,
    printed: PathBuf,
    complained: PathBuf,
}

impl Running {
    /// Starts one in a group, which ends after some seconds without an event.
    pub(crate) fn start(
        shop: &Shop,
        language: Language,
        group: &str,
        idle: u32,
        order: Option<&str>,
    ) -> Self {
        let number = NUMBER.fetch_add(1, Relaxed);
        let file = |what: &str| {
            let name = format!("{language:?}-{number}.{what}");
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
        };
        let (printed, complained) = (file("printed"), file("complained"));
        let mut command: Command = language.consumer(shop);
        // Options first, as Go's flags end with the first word that is none.
        command.args(["--group", group, "--idle", &idle.to_string()]).args(order);
        command.stdout(File::create(&printed).unwrap());
        command.stderr(File::create(&complained).unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running { language, child, printed, complained }
    }

    /// The lines that are complete.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.printed).unwrap();
        let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let line = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|why| panic!("{:?}: {line}: {why}", self.language))
        };
        complete.lines().map(line).collect()
    }

    /// Waits until it has printed this many lines. More are a fault.
    pub(crate) async fn prints(&mut self, shop: &Shop, lines: usize) -> Vec<Value> {
        let waited = shop
            .wait("a consumer's lines", async || Ok((self.lines().len() >= lines).then_some(())));
        waited.await.unwrap_or_else(|why| panic!("{why}: {}", self.state()));
        let printed = self.lines();
        assert_eq!(printed.len(), lines, "{}", self.state());
        printed
    }

    /// Waits for its end, which must be a good one. Returns all that it printed.
    pub(crate) async fn ends(mut self, shop: &Shop) -> Vec<Value> {
        let waited = shop.wait("a consumer to end", async || Ok(self.child.try_wait()?)).await;
        let status = waited.unwrap_or_else(|why| panic!("{why}: {}", self.state()));
        assert!(status.success(), "{status}: {}", self.state());
        self.lines()
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines()
    }

    /// For whoever looks for the reason of a failure.
    pub(crate) fn state(&self) -> String {
        let read = |file: &PathBuf| fs::read_to_string(file).unwrap_or_default();
        format!("{:?}\n{}{}", self.language, read(&self.printed), read(&self.complained))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
