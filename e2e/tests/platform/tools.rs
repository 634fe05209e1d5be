//! Programs that render and judge manifests, which `./x platform-tools` installs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The chart, from the root of the repository.
pub(crate) const CHART: &str = "helm/flotilla";
/// Both versions of Helm that are in use, where they are among the tools.
pub(crate) const HELMS: [&str; 2] = ["bin/helm", "bin/helm3"];
/// The versions of Kubernetes whose schemas there are: those of `e2e/platform/tools`.
pub(crate) const KUBERNETES: [&str; 3] = ["1.30.0", "1.34.0", "1.37.0"];
/// The cluster that Helm shall take itself to be asked by: without one it takes itself for a very old one. And the
/// namespace of the overlay `prod`.
const RENDERED_FOR: [&str; 4] = ["--kube-version", "1.34.0", "--namespace", "flotilla"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The lines of a list that are no comments.
pub(crate) fn lines(list: &str) -> impl Iterator<Item = &str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Where the tools are; the first test that asks installs what is missing.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let found = Command::new(root().join("x")).arg("platform-tools").output().unwrap();
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        String::from_utf8_lossy(&found.stdout).trim().into()
    })
}

/// Runs a tool at the root of the repository. What it said, well or not.
pub(crate) fn run(tool: &str, args: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new(folder().join(tool));
    command.args(args).current_dir(root());
    let pipes = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
    let [stdin, stdout, stderr] = pipes;
    let mut child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Both ends at once: neither waits for the other with a full pipe. A tool that reads nothing closes its end.
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()).ok());
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match done.status.success() {
        true => Ok(said(&done.stdout)),
        false => Err(said(&done.stdout) + &said(&done.stderr)),
    }
}

/// The names of the chart's values files.
pub(crate) fn values_files() -> Vec<String> {
    let files = std::fs::read_dir(root().join(CHART).join("ci")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> =
        names.filter_map(|name| name.strip_suffix("-values.yaml").map(str::to_owned)).collect();
    names.sort();
    assert!(names.len() > 3, "{names:?}");
    names
}

/// What the chart renders with one of its values files.
pub(crate) fn render(helm: &str, values: &str, more: &[&str]) -> Result<String, String> {
    let file = format!("{CHART}/ci/{values}-values.yaml");
    let mut args = vec!["template", "flotilla", CHART, "--values", &file];
    args.extend(RENDERED_FOR);
    args.extend(more);
    run(helm, &args, "")
}

/// What an overlay of kustomize builds.
pub(crate) fn build(overlay: &str) -> String {
    let folder = format!("k8s/overlays/{overlay}");
    run("bin/kustomize", &["build", &folder], "").unwrap_or_else(|said| panic!("{folder}: {said}"))
}

/// The documents of a YAML text.
pub(crate) fn objects(yaml: &str) -> Vec<Value> {
    let json = run("venv/bin/python", &["e2e/platform/as_json.py"], yaml).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// Everything that the chart renders with its values files, and that the overlays build, each with its origin.
pub(crate) fn rendered() -> &'static [(String, Vec<Value>)] {
    static ALL: OnceLock<Vec<(String, Vec<Value>)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let charts = values_files().into_iter().map(|values| {
            let yaml = render("bin/helm", &values, &[]).unwrap();
            (format!("{CHART} with {values}"), objects(&yaml))
        });
        let overlays =
            OVERLAYS.map(|overlay| (format!("overlay {overlay}"), objects(&build(overlay))));
        charts.chain(overlays).collect()
    })
}

/// The overlays; a values file of the same name renders the same.
pub(crate) const OVERLAYS: [&str; 2] = ["dev", "prod"];

/// `Kind/name` of an object.
pub(crate) fn name_of(object: &Value) -> String {
    let of = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!("{}/{}", of(&object["kind"]), of(&object["metadata"]["name"]))
}

/// The entries of a list, or of none.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The texts of a list, or of none.
pub(crate) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}
