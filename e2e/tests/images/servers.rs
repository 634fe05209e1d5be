//! The servers of docker-compose.kafka.yml as images of the names that it asks for, made of what the local fleet
//! runs: the official ones cannot be pulled everywhere. Separate from the engine, which knows no server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use local::Programs;

use crate::engine::{Engine, Run, root};

/// What the file calls them.
const IMAGES: [(&str, &str); 3] = [
    ("kafka", "apache/kafka:4.3.1"),
    ("registry", "apicurio/apicurio-registry:3.3.3"),
    ("postgres", "postgres:15.18-bookworm"),
];

pub(crate) fn build(engine: &Engine) {
    let programs = Programs::find().unwrap();
    let context = engine.folder("servers");
    let sources = root().join("e2e/images/servers");
    copy(&format!("{}/.", sources.display()), &context);
    for (from, to) in
        [(&programs.java, "java"), (&programs.kafka, "kafka"), (&programs.registry, "registry")]
    {
        copy(&from.display().to_string(), &context.join(to));
    }
    postgres(&programs.postgres, &context.join("postgres"));
    for (target, image) in IMAGES {
        let file = context.join("Dockerfile").display().to_string();
        engine.build(&file, &context, target, image, "BASE=debian:bookworm-slim");
    }
}

/// With what links lead to: a Java's settings may be links out of its folder.
fn copy(from: &str, to: &Path) {
    Command::new("cp").args(["--recursive", "--dereference", from]).arg(to).passes();
}

/// Postgres' programs at their places, and the libraries that they need.
fn postgres(programs: &Path, root: &Path) {
    let version = programs.parent().unwrap();
    let number = version.file_name().unwrap().to_str().unwrap();
    let shared = Path::new("/usr/share/postgresql").join(number);
    let program = |name: &str| programs.join(name).display().to_string();
    let all = ["postgres", "initdb", "pg_ctl", "psql", "createdb", "pg_isready"].map(program);
    let linked = Command::new("ldd").args(&all).passes();
    let libraries: BTreeSet<PathBuf> =
        linked.lines().filter_map(|line| in_usr(line.split("=> /").nth(1)?)).collect();
    for path in libraries.iter().map(PathBuf::as_path).chain([version, &shared]) {
        let to = root.join(path.strip_prefix("/").unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        copy(&path.display().to_string(), &to);
    }
    // Compiles queries for larger tables than these, with a library of a hundred megabytes.
    for jit in ["lib/llvmjit.so", "lib/bitcode"] {
        let path = root.join(version.strip_prefix("/").unwrap()).join(jit);
        Command::new("rm").args(["--recursive", "--force"]).arg(path).passes();
    }
}

/// The place of a library that `ldd` names, without a link in its folder: an image's /lib is a link, and copying
/// there would replace it.
fn in_usr(listed: &str) -> Option<PathBuf> {
    let path = Path::new("/").join(listed.split(" (").next()?);
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}
