//! Running the program, keeping in mind what was run, and stopping its fleet at the end.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Seek, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use local::Settings;
use local::testing::{OwnFolder, own_folder};
use serde_json::Value;

/// A state folder whose name has everything that somewhere means something else: a space, a letter
/// beyond ASCII, a comma, a backslash.
const FOLDER: &str = "test cli ü, \\";

/// The downloads of this user, by a name of the same kind.
const CACHE: &str = "cache ü, \\";

/// What a shell may hold that is meant for other programs, and would break ours if it reached them.
const HOSTILE: [(&str, &str); 9] = [
    ("JAVA_TOOL_OPTIONS", "-XX:+NoSuchOption"),
    ("_JAVA_OPTIONS", "-Xmx1m"),
    ("CLASSPATH", "/nowhere"),
    ("QUARKUS_HTTP_PORT", "1"),
    ("PGSSLMODE", "require"),
    ("PGOPTIONS", "-c statement_timeout=1"),
    ("PGHOST", "nowhere.invalid"),
    ("CARGO_TARGET_DIR", "/nowhere"),
    ("LC_ALL", "POSIX"),
];

/// Far longer than anything takes that tests wait for.
const PATIENCE: Duration = Duration::from_secs(120);

/// One fleet at a time: two are more than a small machine carries, and would be late for each other.
static TURN: Mutex<()> = Mutex::new(());

/// A fleet of this test's own, which ends with it.
pub(crate) struct Fleet {
    pub(crate) settings: Settings,
    lines: RefCell<Vec<String>>,
    _folder: OwnFolder,
    /// The last to go.
    _turn: MutexGuard<'static, ()>,
}

/// What a run of the program said.
pub(crate) struct Said {
    line: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Looks until there is something.
pub(crate) fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Where the programs of this build are.
pub(crate) fn programs() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_flotilla")).parent().unwrap().to_owned()
}

/// The program, with no setting of the environment.
pub(crate) fn flotilla() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_flotilla")))
}

/// A command that no setting of the one who tests reaches.
pub(crate) fn clean(mut command: Command) -> Command {
    let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("FLOTILLA_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
        if name != "FLOTILLA_CACHE" {
            command.env_remove(name);
        }
    }
    command
}

/// Where downloads are when nobody says otherwise; tests fetch nothing twice.
fn cache_of_user() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = variable("FLOTILLA_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("flotilla")))
        .unwrap_or_else(|| std::env::home_dir().unwrap().join(".cache/flotilla"));
    std::fs::create_dir_all(&cache).unwrap();
    cache
}

impl Fleet {
    /// Nothing runs yet; what an earlier run of the test left does not, either.
    pub(crate) fn new() -> Self {
        // What made another test fail is its own matter.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = own_folder(FOLDER).unwrap();
        let settings = Settings::on_free_ports(folder.path()).unwrap();
        let fleet = Fleet { settings, lines: RefCell::default(), _folder: folder, _turn: turn };
        fleet.forget();
        // The clone that `script` made in it.
        std::fs::remove_dir_all(fleet.root().join("clone")).ok();
        let cache = fleet.root().join(CACHE);
        if !cache.exists() {
            symlink(cache_of_user(), cache).unwrap();
        }
        fleet
    }

    fn forget(&self) {
        self.command().args(["local", "reset"]).output().unwrap();
    }

    /// The program on this fleet, in a folder where nothing lies.
    pub(crate) fn command(&self) -> Command {
        let mut command = flotilla();
        command.env("FLOTILLA_STATE", self.root()).current_dir("/");
        command.env("FLOTILLA_CACHE", self.root().join(CACHE));
        command.env("XDG_CONFIG_HOME", self.root().join("config"));
        command.env("XDG_STATE_HOME", self.root().join("state"));
        command.envs(HOSTILE).env_remove("HOME");
        command
    }

    pub(crate) fn root(&self) -> &Path {
        &self.settings.root
    }

    /// Runs a command line, the words of which stand between spaces.
    pub(crate) fn run(&self, line: &str) -> Said {
        self.run_command(line, self.command())
    }

    /// The same with a wish for the ports.
    pub(crate) fn run_on_ports_from(&self, base: u16, line: &str) -> Said {
        let mut command = self.command();
        command.env("FLOTILLA_BASE_PORT", base.to_string());
        self.run_command(line, command)
    }

    /// The same in a folder where something lies.
    pub(crate) fn run_in(&self, folder: &Path, line: &str) -> Said {
        let mut command = self.command();
        command.current_dir(folder);
        self.run_command(line, command)
    }

    fn run_command(&self, line: &str, mut command: Command) -> Said {
        self.lines.borrow_mut().push(line.to_owned());
        said(line, command.args(line.split(' ')))
    }

    /// The same in a folder, with a text to read.
    pub(crate) fn run_with(&self, folder: &Path, line: &str, input: &str) -> Said {
        self.lines.borrow_mut().push(line.to_owned());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input.as_bytes()).unwrap();
        file.rewind().unwrap();
        let mut command = self.command();
        let output =
            command.args(line.split(' ')).current_dir(folder).stdin(file).output().unwrap();
        Said::of(line, output)
    }

    /// Starts what has to be stopped.
    pub(crate) fn start_in(&self, folder: &Path, line: &str) -> Child {
        let mut command = self.command();
        command
            .args(line.split(' '))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.spawn().unwrap()
    }

    /// Runs it; it must succeed.
    pub(crate) fn ok(&self, line: &str) -> Said {
        self.run(line).with_code(0)
    }

    /// Runs what has no end until it has printed something, and stops it; `stir` makes something happen
    /// that it can print.
    pub(crate) fn until(&self, line: &str, wanted: &str, mut stir: impl FnMut()) -> String {
        self.lines.borrow_mut().push(line.to_owned());
        until(line, self.command().args(line.split(' ')), wanted, &mut stir)
    }

    /// Every command line that was run.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Runs a command to its end.
pub(crate) fn said(line: &str, command: &mut Command) -> Said {
    Said::of(line, command.stdin(Stdio::null()).output().unwrap())
}

/// Runs a command until a line of its output contains what is wanted, and returns that line.
pub(crate) fn until(
    line: &str,
    command: &mut Command,
    wanted: &str,
    stir: &mut dyn FnMut(),
) -> String {
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (found, printed) = std::sync::mpsc::channel();
    let wanted_line = wanted.to_owned();
    std::thread::spawn(move || {
        let mut lines = stdout.lines().map_while(Result::ok);
        // The reader of the answer may have given up.
        let _gone = found.send(lines.find(|line| line.contains(&wanted_line)));
    });
    // Until it listens, what happens is not seen: it happens again until it is.
    let found = (0..60).find_map(|_| {
        stir();
        printed.recv_timeout(std::time::Duration::from_secs(1)).ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    found.flatten().unwrap_or_else(|| panic!("flotilla {line} never printed {wanted}"))
}

impl Said {
    fn of(line: &str, output: Output) -> Self {
        Said {
            line: line.to_owned(),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        let Said { line, stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "exit code of flotilla {line}:\n{stdout}\n{stderr}");
        self
    }

    /// The answer contains this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "{text} in flotilla {}:\n{}", self.line, self.stdout);
        self
    }

    /// The error contains this.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text} in flotilla {}:\n{}", self.line, self.stderr);
        self
    }

    /// Its answer, which is one JSON document.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        let read = serde_json::from_str(&self.stdout);
        read.unwrap_or_else(|error| panic!("flotilla {}: {error}:\n{}", self.line, self.stdout))
    }

    /// Its answer, which is a JSON document on each line.
    #[track_caller]
    pub(crate) fn documents(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
