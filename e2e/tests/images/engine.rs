//! A Docker engine for this test program, and the images that it has. Separate from the tests, which only ask it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::servers;

/// The programs with an image, by the names of the Dockerfile's targets.
pub(crate) const TARGETS: [&str; 7] =
    ["order", "payment", "inventory", "shipping", "fleet", "cli", "sandbox"];

/// The engine of this test program.
pub(crate) struct Engine {
    tools: PathBuf,
    folder: PathBuf,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The tools that `./x image-tools` installs, and has installed after the first time.
pub(crate) fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let found = Command::new(root().join("x")).arg("image-tools").output().unwrap();
        assert!(found.status.success(), "./x image-tools: {}", text(&found.stderr));
        text(&found.stdout).trim().into()
    })
}

impl Engine {
    /// Started once, and filled with all images. It ends with this process.
    pub(crate) fn shared() -> &'static Self {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        ENGINE.get_or_init(|| {
            // A name for each process: what an earlier run left may still be on its way out.
            let name = format!("docker-{}", std::process::id());
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            let engine = Engine { tools: tools().to_owned(), folder };
            engine.script("start").arg(std::process::id().to_string()).passes();
            let base = engine.tools.join("debian.tar");
            engine
                .docker(&["import", &base.display().to_string(), "debian:bookworm-slim"])
                .passes();
            servers::build(&engine);
            engine.build_fleet();
            engine
        })
    }

    fn script(&self, command: &str) -> Command {
        let mut script = Command::new(root().join("e2e/images/engine"));
        script.arg(command).arg(&self.folder).env("TOOLS", &self.tools);
        script
    }

    /// The engine's client, which knows Compose too.
    pub(crate) fn docker(&self, args: &[&str]) -> Command {
        let mut docker = Command::new(self.tools.join("usr/bin/docker"));
        docker
            .args(args)
            .current_dir(root())
            .env("DOCKER_HOST", format!("unix://{}/docker.sock", self.folder.display()))
            .env("DOCKER_CONFIG", self.tools.join("docker-config"))
            .env("DOCKER_BUILDKIT", "1");
        docker
    }

    /// A command on the network that the engine publishes its ports on.
    pub(crate) fn inside(&self, args: &[&str]) -> Command {
        let mut inside = self.script("inside");
        inside.args(args);
        inside
    }

    /// Builds an image from a file and a context, with one argument for the file.
    pub(crate) fn build(&self, file: &str, context: &Path, target: &str, image: &str, arg: &str) {
        let named = ["build", "--quiet", "--target", target, "--tag", image, "--build-arg", arg];
        self.docker(&named).args(["--file", file]).arg(context).passes();
    }

    /// A folder for what this program makes.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The images of the fleet, with the programs of this build in them.
    fn build_fleet(&self) {
        let context = self.folder("context");
        let built = flotilla::fleet::programs().unwrap();
        let libraries = "docker/libraries.sh";
        std::fs::create_dir_all(context.join("docker")).unwrap();
        std::fs::copy(root().join(libraries), context.join(libraries)).unwrap();
        let mut collect = Command::new(root().join("docker/collect.sh"));
        collect.arg(built).arg(context.join("programs")).current_dir(root());
        let path = std::env::var("PATH").unwrap();
        collect.env("PATH", format!("{}:{path}", self.tools.join("bin").display())).passes();
        for target in TARGETS {
            let image = format!("flotilla/{target}:{}", env!("CARGO_PKG_VERSION"));
            self.build("Dockerfile", &context, target, &image, "PROGRAMS=given");
        }
    }
}

/// Commands whose outcome a test looks at.
pub(crate) trait Run {
    /// Runs it to its end.
    fn run(&mut self) -> (bool, String);

    /// Runs it, and expects it to succeed. Returns all that it said.
    fn passes(&mut self) -> String;

    /// Runs it, and expects it to fail. Returns all that it said.
    fn fails(&mut self) -> String;
}

impl Run for Command {
    fn run(&mut self) -> (bool, String) {
        let Output { status, stdout, stderr } =
            self.output().unwrap_or_else(|error| panic!("{self:?}: {error}"));
        (status.success(), text(&stdout) + &text(&stderr))
    }

    fn passes(&mut self) -> String {
        let (succeeded, said) = self.run();
        assert!(succeeded, "{self:?} failed:\n{said}");
        said
    }

    fn fails(&mut self) -> String {
        let (succeeded, said) = self.run();
        assert!(!succeeded, "{self:?} succeeded:\n{said}");
        said
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
