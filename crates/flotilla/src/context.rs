//! Contexts: fleets that run elsewhere, by name, in a file of the user's. A variable of the environment wins over a
//! context, and where neither is chosen the fleet of this machine is meant. The file holds addresses and no secret;
//! it is its owner's alone all the same.

use std::collections::BTreeMap;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::io::{IsTerminal, Write, stdin};
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow};
use local::process::surroundings;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::exit::{Exit, coded};
use crate::output::outlive_reader;

/// The name by which the fleet of this machine is chosen although another one is in use.
pub(crate) const LOCAL: &str = "local";
/// The variable that chooses one.
const VARIABLE: &str = "FLOTILLA_CONTEXT";

/// Where a fleet is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Context {
    /// Whether whatever changes something has to be confirmed by the context's name.
    pub(crate) protected: bool,
    pub(crate) kafka_brokers: Option<String>,
    pub(crate) registry_url: Option<String>,
    /// Public addresses by service.
    pub(crate) urls: BTreeMap<String, String>,
    /// Admin addresses by service.
    pub(crate) admin_urls: BTreeMap<String, String>,
    /// Services besides those that every fleet has.
    pub(crate) with: Vec<String>,
}

/// The user's file.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The one in use, if none is chosen otherwise.
    pub(crate) current: Option<String>,
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// What the command line says.
struct Asked {
    context: Option<String>,
    yes_on: Option<String>,
}

static ASKED: OnceLock<Asked> = OnceLock::new();

/// Keeps what the command line says about contexts. Called once, before any command.
pub(crate) fn asked(context: Option<String>, yes_on: Option<String>) {
    ASKED.get_or_init(|| Asked { context, yes_on });
}

/// A context that was chosen, and by what.
pub(crate) struct Chosen {
    pub(crate) name: String,
    pub(crate) by: &'static str,
    pub(crate) context: Context,
}

/// The context that this command is about; none for the fleet of this machine.
pub(crate) fn chosen() -> Result<Option<Chosen>> {
    let on_line = ASKED.get().and_then(|asked| asked.context.clone());
    let in_variable =
        surroundings::variable(VARIABLE).map(|name| name.to_string_lossy().into_owned());
    let (name, by) = match (on_line, in_variable) {
        (Some(name), _) => (name, "--context"),
        (None, Some(name)) => (name, VARIABLE),
        (None, None) => match Contexts::read()?.current {
            Some(name) => (name, "flotilla context use"),
            None => return Ok(None),
        },
    };
    if name == LOCAL {
        return Ok(None);
    }
    let context = Contexts::read()?.take(&name)?;
    Ok(Some(Chosen { name, by, context }))
}

/// Before anything is changed: that it may be, on the fleet that is meant. What is begun then is done to its end.
pub(crate) fn consent() -> Result<()> {
    outlive_reader();
    let Some(Chosen { name, context, .. }) = chosen()? else { return Ok(()) };
    if !context.protected {
        return Ok(());
    }
    let refuse = |why: String| {
        Err(coded(
            Exit::Refused,
            anyhow!("context {name} is protected, and {why}: --yes-on {name} confirms it"),
        ))
    };
    match ASKED.get().and_then(|asked| asked.yes_on.as_deref()) {
        Some(yes_on) if yes_on == name => return Ok(()),
        Some(other) => return refuse(format!("--yes-on names {other}")),
        None if !stdin().is_terminal() => return refuse("nobody is there to ask".to_owned()),
        None => {}
    }
    let mut answer = String::new();
    write!(std::io::stderr(), "context {name} is protected; its name to go on: ")?;
    stdin().read_line(&mut answer)?;
    if answer.trim() == name { Ok(()) } else { refuse("something else was typed".to_owned()) }
}

impl Contexts {
    /// The file, or nothing where there is none, as for a user without a home: a container, for one.
    pub(crate) fn read() -> Result<Self> {
        let Ok(path) = path() else { return Ok(Contexts::default()) };
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| {
                format!("{} is not as `flotilla context set` writes it", path.display())
            }),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {
                Ok(Contexts::default())
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// The context of that name.
    pub(crate) fn take(mut self, name: &str) -> Result<Context> {
        let known: Vec<String> = self.contexts.keys().cloned().chain([LOCAL.to_owned()]).collect();
        self.contexts.remove(name).ok_or_else(|| {
            let known = known.join(", ");
            let error = anyhow!(
                "no context is called {name}; there are: {known}; `flotilla context set` makes one"
            );
            coded(Exit::Missing, error)
        })
    }

    /// Replaces the file, as a whole or not at all.
    pub(crate) fn write(&self) -> Result<()> {
        let path = path()?;
        let folder = path.parent().context("the file is in a folder")?;
        let cannot = || format!("cannot write {}", path.display());
        std::fs::create_dir_all(folder).with_context(cannot)?;
        // Nobody else may read it: that is how temporary files are made.
        let mut file = NamedTempFile::new_in(folder).with_context(cannot)?;
        serde_json::to_writer_pretty(&mut file, self).with_context(cannot)?;
        file.write_all(b"\n").and_then(|()| file.as_file().sync_all()).with_context(cannot)?;
        file.persist(&path).map(drop).with_context(cannot)
    }
}

/// Where the file is: in the folder of settings of the XDG base directories.
/// <https://specifications.freedesktop.org/basedir-spec/latest/>
pub(crate) fn path() -> Result<PathBuf> {
    Ok(folder("XDG_CONFIG_HOME", ".config")?.join("contexts.json"))
}

/// A folder of ours among the user's.
pub(crate) fn folder(variable: &str, below_home: &str) -> Result<PathBuf> {
    let given = surroundings::variable(variable).map(PathBuf::from);
    // By the specification a relative path means nothing.
    let given = given.filter(|path| path.is_absolute());
    let base = given.or_else(|| Some(std::env::home_dir()?.join(below_home)));
    let base = base.with_context(|| format!("there is no home folder: set {variable}"))?;
    Ok(base.join("flotilla"))
}
