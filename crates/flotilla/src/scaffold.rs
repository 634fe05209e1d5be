//! A new service: the files of a whole crate and the lines that existing files need for it, written or taken away
//! again. What they say is in `template` and `edits`; whether a name is acceptable is in `name`. Here is what
//! happens in the repository.

mod edits;
mod name;
mod template;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use events::TOPICS;

use edits::Edit;
use template::Heard;

/// What is requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The name of the service, its crate, its database and its topic.
    pub name: String,
    /// The topics that it hears.
    pub hears: Vec<String>,
    /// Whether it has a topic of its own.
    pub publishes: bool,
}

/// Everything that a new service changes in a repository.
#[derive(Debug)]
pub struct Plan {
    root: PathBuf,
    folder: String,
    files: Vec<(String, String)>,
    edits: Vec<Edit>,
}

/// The folder of a generated service. Those in `examples` were written by hand.
fn folder_of(name: &str) -> String {
    format!("services/{name}")
}

/// The repository around a folder.
pub fn root_of(folder: &Path) -> Result<PathBuf> {
    let is_root = |folder: &&Path| folder.join("crates/chassis/Cargo.toml").is_file();
    let root = folder.ancestors().find(is_root).map(Path::to_owned);
    root.context("this is not in the fleet's repository, where a new service is written to")
}

impl Plan {
    /// What would be written for a new service. Fails if its name is taken or not acceptable, or if it cannot
    /// hear what it should hear.
    pub fn new(root: &Path, request: &Request) -> Result<Self> {
        name::check(root, &request.name)?;
        let folder = folder_of(&request.name);
        ensure!(!root.join(&folder).exists(), "{folder} exists");
        Plan::of(root, request)
    }

    /// What was written for a service, as far as its crate still shows what was requested.
    pub fn written(root: &Path, name: &str) -> Result<Self> {
        let folder = root.join(folder_of(name));
        ensure!(folder.is_dir(), "there is no {} to take away", folder_of(name));
        let lib = fs::read_to_string(folder.join("src/lib.rs")).unwrap_or_default();
        let is_heard = |topic: &&str| lib.contains(&Heard::of(topic).declaration());
        let topics = TOPICS.iter().map(|topic| topic.name).filter(|topic| hearable(topic).is_ok());
        let mut hears: Vec<&str> = topics.filter(is_heard).collect();
        // They are declared in the order in which they were requested.
        hears.sort_by_key(|topic| lib.find(&Heard::of(topic).declaration()));
        ensure!(!hears.is_empty(), "{name} was not written by this command, or was changed since");
        let hears = hears.into_iter().map(str::to_owned).collect();
        let publishes = folder.join("src/language.rs").exists();
        Plan::of(root, &Request { name: name.to_owned(), hears, publishes })
    }

    fn of(root: &Path, request: &Request) -> Result<Self> {
        let heard =
            request.hears.iter().map(|topic| hearable(topic)).collect::<Result<Vec<_>>>()?;
        ensure!(!heard.is_empty(), "a service that hears nothing has nothing to do: name a topic");
        for (at, topic) in request.hears.iter().enumerate() {
            ensure!(!request.hears[..at].contains(topic), "{topic} is named twice");
        }
        let files = template::files(&request.name, &heard, request.publishes)?;
        let folder = folder_of(&request.name);
        let edits = edits::all(request, &folder);
        Ok(Plan { root: root.to_owned(), folder, files, edits })
    }

    /// The folder of the service, from the root of the repository.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The new files, from the root of the repository, with their lines.
    pub fn files(&self) -> impl Iterator<Item = (String, usize)> {
        self.files.iter().map(|(file, text)| (self.path(file), text.lines().count()))
    }

    /// What changes in existing files, as a unified diff.
    pub fn diff(&self) -> Result<String> {
        self.edits.iter().map(|edit| edit.diff(&self.read(edit.file)?)).collect()
    }

    /// Writes all of it. Nothing is written if an existing file is not as expected.
    pub fn write(&self) -> Result<()> {
        let mut changed = Vec::new();
        for edit in &self.edits {
            changed.push((edit.file, edit.applied_to(&self.read(edit.file)?)?));
        }
        for (file, text) in &self.files {
            let path = self.root.join(self.path(file));
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        for (file, text) in changed {
            fs::write(self.root.join(file), text)
                .with_context(|| format!("cannot write {file}"))?;
        }
        Ok(())
    }

    /// Takes all of it away. Nothing is changed if anything is not as it was written.
    pub fn undo(&self) -> Result<()> {
        let mut differing = Vec::new();
        let mut restored = Vec::new();
        for (file, text) in &self.files {
            let is_as_written = self.read(&self.path(file)).is_ok_and(|found| found == *text);
            if !is_as_written {
                differing.push(self.path(file));
            }
        }
        for file in files_in(&self.root.join(&self.folder))? {
            let is_ours =
                self.files.iter().any(|(ours, _)| self.root.join(self.path(ours)) == file);
            if !is_ours {
                differing.push(file.strip_prefix(&self.root)?.display().to_string());
            }
        }
        for edit in &self.edits {
            match edit.taken_from(&self.read(edit.file)?) {
                Some(text) => restored.push((edit.file, text)),
                None => differing.push(edit.file.to_owned()),
            }
        }
        if !differing.is_empty() {
            bail!("not as it was written, so nothing is taken away:\n  {}", differing.join("\n  "));
        }
        fs::remove_dir_all(self.root.join(&self.folder))?;
        for (file, text) in restored {
            fs::write(self.root.join(file), text)?;
        }
        Ok(())
    }

    fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.folder)
    }

    fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| format!("cannot read {file}"))
    }
}

/// A topic whose events are about orders: the key of what is written is the order.
fn hearable(topic: &str) -> Result<Heard> {
    let by_order = |records: &[events::RecordInfo]| {
        records.iter().all(|record| record.schema.contains("\"order_id\""))
    };
    match TOPICS.iter().find(|known| known.name == topic) {
        Some(found) if by_order(found.records) => Ok(Heard::of(found.name)),
        Some(_) => bail!("{topic} is not about orders; a service that hears it is written by hand"),
        None => {
            let all = TOPICS.iter().filter(|topic| by_order(topic.records));
            let names: Vec<&str> = all.map(|topic| topic.name).collect();
            bail!("there is no topic {topic}; what can be heard is {}", names.join(", "))
        }
    }
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files_in(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
