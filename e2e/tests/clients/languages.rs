//! The languages that there are examples in, and how a program of each is started, with the tools that
//! `./x client-tools` makes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use e2e::shop::Shop;

/// Where the tools are, and the programs that are built with them.
static TOOLS: LazyLock<Tools> = LazyLock::new(Tools::make);

/// A language, or a client of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Go,
    Java,
    Node,
    Kcat,
}

/// All of them.
pub(crate) const ALL: [Language; 5] =
    [Language::Python, Language::Go, Language::Java, Language::Node, Language::Kcat];

/// Those that are programs of ours, and can be told when a message is handled.
pub(crate) const PROGRAMS: [Language; 4] =
    [Language::Python, Language::Go, Language::Java, Language::Node];

/// The folder of the example that is no client but a job.
pub(crate) const STREAMS: &str = "streams";

struct Tools {
    installed: PathBuf,
    /// Where what is built of the examples is.
    built: PathBuf,
}

impl Language {
    /// The program that prints events.
    pub(crate) fn consumer(self, shop: &Shop) -> Command {
        self.program(shop, "consume")
    }

    /// The program that adjusts stock.
    pub(crate) fn producer(self, shop: &Shop) -> Command {
        self.program(shop, "adjust")
    }

    /// Its folder in `examples/clients`.
    pub(crate) fn folder(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Where its programs stand beside what its README has people install.
    pub(crate) fn workplace(self) -> PathBuf {
        match self {
            Language::Python | Language::Go | Language::Kcat => examples().join(self.folder()),
            Language::Java => TOOLS.built.join("java"),
            Language::Node => TOOLS.built.join("node"),
        }
    }

    fn program(self, shop: &Shop, name: &str) -> Command {
        let mut command = match self {
            Language::Python => with(installed("bin/python"), example("python", name, "py")),
            Language::Go => Command::new(TOOLS.built.join(name)),
            Language::Java => {
                let (first, rest) = name.split_at(1);
                let class = format!("{}{rest}", first.to_uppercase());
                let classes = self.workplace().join("target/dependency/*");
                let mut java = Command::new(installed("bin/java"));
                java.arg("-cp").arg(classes).arg(example("java", &class, "java"));
                java
            }
            Language::Node => {
                with(installed("bin/node"), self.workplace().join(name).with_extension("js"))
            }
            Language::Kcat => Command::new(example("kcat", name, "sh")),
        };
        for (name, value) in settings(shop) {
            command.env(name, value);
        }
        command
    }
}

/// What every example is told by its environment.
pub(crate) fn settings(shop: &Shop) -> [(&'static str, String); 2] {
    let environment = shop.fleet.environment();
    [
        ("FLOTILLA_KAFKA_BROKERS", environment.kafka_brokers()),
        ("FLOTILLA_REGISTRY_URL", environment.registry_url()),
    ]
}

/// A part of the tools.
pub(crate) fn installed(part: &str) -> PathBuf {
    TOOLS.installed.join(part)
}

/// Bash that runs what a README has people run, in the folder of its programs.
pub(crate) fn bash(shop: &Shop, commands: &str, folder: &Path) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut bash = Command::new("bash");
    bash.args(["-euc", commands]).current_dir(folder).envs(settings(shop));
    bash.env("PATH", format!("{}:{path}", installed("bin").display()));
    bash
}

/// Where the job stands beside what its README has people install.
pub(crate) fn streams() -> PathBuf {
    TOOLS.built.join(STREAMS)
}

/// A file of the examples.
fn example(folder: &str, name: &str, ending: &str) -> PathBuf {
    examples().join(folder).join(name).with_extension(ending)
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/clients")
}

fn with(program: PathBuf, argument: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.arg(argument);
    command
}

impl Tools {
    fn make() -> Self {
        let x = Path::new(env!("CARGO_MANIFEST_DIR")).join("../x");
        let installed = PathBuf::from(said(Command::new(x).arg("client-tools")).trim());
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
        // What an earlier run left.
        std::fs::remove_dir_all(&built).ok();
        std::fs::create_dir_all(&built).unwrap();
        let go = examples().join("go");
        let mut build = Command::new(installed.join("bin/go"));
        said(build.current_dir(go).arg("build").arg("-o").arg(&built).arg("./..."));
        // Node looks for packages beside the program, and Java where Maven puts them.
        for (folder, packages, place) in [
            ("node", "node_modules", "node_modules"),
            ("java", "java", "target/dependency"),
            (STREAMS, STREAMS, "target/dependency"),
        ] {
            let place = built.join(folder).join(place);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(installed.join(packages), place).unwrap();
            for file in std::fs::read_dir(examples().join(folder)).unwrap() {
                let file = file.unwrap();
                if file.file_type().unwrap().is_file() {
                    let copy = built.join(folder).join(file.file_name());
                    std::fs::copy(file.path(), copy).unwrap();
                }
            }
        }
        Tools { installed, built }
    }
}

/// What a command that has to succeed writes.
pub(crate) fn said(command: &mut Command) -> String {
    let run = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(run.status.success(), "{command:?}:\n{}{}", text(&run.stdout), text(&run.stderr));
    text(&run.stdout)
}
