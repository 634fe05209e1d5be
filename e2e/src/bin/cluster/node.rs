//! The node on which the chart is run, and the programs that speak to it. Separate from what is claimed of the chart.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Where the node is on its own network, as `e2e/cluster/node` has it.
pub(crate) const NODE_ADDRESS: &str = "10.200.0.2";
/// How often a question is asked again.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// The folders of tools, as `./x cluster` names them.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    /// What the node consists of.
    pub(crate) cluster: PathBuf,
    /// Helm.
    pub(crate) platform: PathBuf,
    /// What builds images.
    pub(crate) images: PathBuf,
}

impl Tools {
    /// From the environment.
    pub(crate) fn from_env() -> Result<Self> {
        let folder = |name: &str| {
            let found = std::env::var_os(name).map(PathBuf::from);
            found.with_context(|| format!("{name} is not set: run ./x cluster"))
        };
        Ok(Tools {
            cluster: folder("CLUSTER_TOOLS")?,
            platform: folder("PLATFORM_TOOLS")?,
            images: folder("IMAGE_TOOLS")?,
        })
    }
}

/// A node that ends with this value.
#[derive(Debug)]
pub(crate) struct Node {
    folder: PathBuf,
    tools: Tools,
}

impl Node {
    /// Starts it in a folder, which it has for itself.
    pub(crate) fn start(folder: PathBuf, tools: Tools) -> Result<Self> {
        let node = Node { folder, tools };
        said(node.script("start").arg(std::process::id().to_string()))?;
        Ok(node)
    }

    fn script(&self, command: &str) -> Command {
        let mut script = Command::new(root().join("e2e/cluster/node"));
        script.arg(command).arg(&self.folder).env("TOOLS", &self.tools.cluster);
        script
    }

    /// A command of this machine on the node's network, where Services have names and `kubectl` and `helm` know the
    /// cluster.
    pub(crate) fn on_network<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.script("on-network");
        let programs = [&self.tools.cluster, &self.tools.platform].map(|folder| folder.join("bin"));
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = programs.into_iter().chain(std::env::split_paths(&others));
        command
            .args(args)
            .current_dir(root())
            .env("PATH", std::env::join_paths(path).unwrap_or_default())
            .env("KUBECONFIG", self.folder.join("admin.kubeconfig"));
        for (name, folder) in [("CACHE", "cache"), ("CONFIG", "config"), ("DATA", "data")] {
            command.env(format!("HELM_{name}_HOME"), self.folder.join("helm").join(folder));
        }
        command
    }

    /// A command in all namespaces of the node: it sees the processes of the pods.
    pub(crate) fn inside(&self, args: &[&str]) -> Result<String> {
        said(self.script("inside").args(args))
    }

    /// What `kubectl` says.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Result<String> {
        said(&mut self.on_network(["kubectl"].iter().chain(args)))
    }

    /// An object as JSON.
    pub(crate) fn object(&self, args: &[&str]) -> Result<Value> {
        let said = self.kubectl(&[&["get", "--output", "json"], args].concat())?;
        Ok(serde_json::from_str(&said)?)
    }

    /// What `helm` says.
    pub(crate) fn helm(&self, args: &[&str]) -> Result<String> {
        said(&mut self.on_network(["helm"].iter().chain(args)))
    }

    /// Applies objects.
    pub(crate) fn apply(&self, objects: &str) -> Result<()> {
        let mut command = self.on_network(["kubectl", "apply", "--server-side", "--filename", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut stdin = child.stdin.take().context("the pipe was asked for")?;
        std::io::Write::write_all(&mut stdin, objects.as_bytes())?;
        drop(stdin);
        match child.wait()?.success() {
            true => Ok(()),
            false => bail!("kubectl apply refused, above"),
        }
    }

    /// A file for a command, with this content. Its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> Result<String> {
        let path = self.folder.join(name);
        std::fs::write(&path, content)?;
        Ok(path.display().to_string())
    }

    /// A name in the folder of such files, for something elsewhere.
    pub(crate) fn link(&self, name: &str, to: &Path) -> Result<()> {
        Ok(std::os::unix::fs::symlink(to.canonicalize()?, self.folder.join(name))?)
    }

    /// The folder of the node's files, in which the guide's commands are run.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Leads these ports of `host.k8s.internal` to this machine's loopback.
    pub(crate) fn expose(&self, ports: impl IntoIterator<Item = u16>) -> Result<()> {
        said(self.script("expose").args(ports.into_iter().map(|port| port.to_string())))?;
        Ok(())
    }

    /// Leads a port of this machine's loopback to an address in the cluster.
    pub(crate) fn publish(&self, port: u16, address: &str) -> Result<()> {
        said(self.script("publish").args([&port.to_string(), address]))?;
        Ok(())
    }

    /// The files of what operators define.
    pub(crate) fn definitions(&self) -> Result<Vec<String>> {
        let files = std::fs::read_dir(self.tools.platform.join("crds"))?;
        let files = files.map(|file| Ok(file?.path().display().to_string()));
        // One project's list of its own files is among them.
        let is_list = |file: &String| file.ends_with("/kustomization.yaml");
        let files = files.collect::<Result<Vec<_>>>()?;
        Ok(files.into_iter().filter(|file| !is_list(file)).collect())
    }

    /// The manifest of the operator of databases, with the image of its program as it is built here.
    pub(crate) fn operator_manifest(&self) -> Result<String> {
        let manifest = std::fs::read_to_string(self.tools.cluster.join("cloudnativepg.yaml"))?;
        let ours = |line: &str| {
            let names_it = line.contains("ghcr.io/cloudnative-pg/cloudnative-pg:");
            match line.split_once("image:").filter(|_| names_it) {
                Some((indent, _)) => format!("{indent}image: localhost/manager:1"),
                None if names_it => "          value: localhost/manager:1".to_owned(),
                None => line.replace("imagePullPolicy: Always", "imagePullPolicy: Never"),
            }
        };
        Ok(manifest.lines().map(ours).collect::<Vec<_>>().join("\n"))
    }

    /// Which of the node's own programs ended, if any did.
    pub(crate) fn ended(&self) -> Option<String> {
        std::fs::read_to_string(self.folder.join("log/ended")).ok()
    }

    /// The names of the images that it has.
    pub(crate) fn images(&self) -> Result<String> {
        said(&mut self.script("images"))
    }

    /// The manifest of what scales services: KEDA and metrics-server.
    pub(crate) fn autoscalers_manifest(&self) -> String {
        self.tools.cluster.join("autoscalers.yaml").display().to_string()
    }

    /// Makes an image of one of the tools, `localhost/NAME:1`.
    pub(crate) fn program(&self, name: &str) -> Result<()> {
        said(self.script("program").arg(name))?;
        Ok(())
    }

    /// Takes the images of an archive.
    pub(crate) fn import(&self, archive: &Path) -> Result<()> {
        said(self.script("import").arg(archive))?;
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(error) = said(&mut self.script("stop")) {
            eprintln!("the node does not stop: {error:#}");
        }
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a command to its end. What it said on standard output, or an error with all that it said.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {command:?}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let args =
            command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ");
        bail!("{args}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    }
    Ok(text(&output.stdout))
}

/// Asks until there is an answer.
pub(crate) fn until<T>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        if started.elapsed() > patience {
            bail!("waited {} s in vain for {what}", patience.as_secs());
        }
        std::thread::sleep(ASK_EVERY);
    }
}
