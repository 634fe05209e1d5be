//! Where everything is: one state folder, ports counted from one base, and which services there are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use roster::{Member, ROSTER, Starts};

use crate::ports::{BASES, DEFAULT_BASE_PORT, Ports};
use crate::process::surroundings;

/// The service that somebody named, or an error that lists those that exist.
pub fn known_service(name: &str) -> Result<&'static str> {
    let found = roster::find(name).map(|member| member.name);
    found.with_context(|| format!("no service is called {name}; there are: {}", names(ROSTER)))
}

fn names<'a>(members: impl IntoIterator<Item = &'a Member>) -> String {
    members.into_iter().map(|member| member.name).collect::<Vec<_>>().join(", ")
}

/// The folder for everything that is kept, unless `FLOTILLA_STATE` says otherwise.
pub const DEFAULT_STATE: &str = ".flotilla";

/// The file that says where a fleet was last started; it exists wherever there is a fleet.
const BASE_FILE: &str = "base-port";
/// The file that says which services on request it was last started with.
const WITH_FILE: &str = "with";
/// The file that is there if it was last started with its services in one process.
const ONE_PROCESS_FILE: &str = "one-process";
/// The file that says how many brokers it was last started with, where that is not one.
const BROKERS_FILE: &str = "brokers";
/// How many brokers a fleet may have: one, or as many as it takes for one to be lost without anybody waiting.
pub const BROKERS: [u16; 2] = [1, 3];
/// What that process, its program and the server of its databases are called.
const ONE_PROCESS: &str = "fleet";
/// What `FLOTILLA_WITH` says for no service on request: an empty variable counts as not set.
const WITH_NONE: &str = "none";

/// Which folder, which ports.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The state folder, absolute.
    pub root: PathBuf,
    /// The ports.
    pub ports: Ports,
    /// Services on request that this fleet has.
    pub with: Vec<&'static str>,
    /// Whether the services that every fleet has run in one process, with their databases in one server.
    pub one_process: bool,
    /// How many nodes Kafka has, each a broker and a controller: one of [`BROKERS`].
    pub brokers: u16,
    /// How Kafka's code is compiled.
    pub kafka_compiler: Compiler,
    /// A further host name of Kafka, for clients in another network: something leads them from there to this
    /// machine's port `kafka-elsewhere`, and Kafka tells them to come back under that name and port. Only for a fleet of one broker.
    pub kafka_elsewhere: Option<String>,
}

/// How much a Java server does to make itself faster while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compiler {
    /// The first compiler only. The second one takes a fifth of a core for a minute or two, which two
    /// cores have better uses for while a fleet is looked at, developed or tested.
    Quick,
    /// Both, as in production. After a minute or two of load Kafka needs half of the CPU.
    Thorough,
}

impl Settings {
    /// An environment in `root` with ports from `base` on.
    pub fn new(root: &Path, base: u16) -> Result<Self> {
        if root.to_str().is_none_or(|root| root.contains(char::is_control)) {
            bail!(
                "the state folder {root:?} must be UTF-8 without control characters: set FLOTILLA_STATE \
                 to another one"
            );
        }
        fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
        let root = root.canonicalize()?;
        let ports = Ports::from_base(base);
        Ok(Settings {
            root,
            ports,
            with: Vec::new(),
            one_process: false,
            brokers: BROKERS[0],
            kafka_compiler: Compiler::Quick,
            kafka_elsewhere: None,
        })
    }

    /// The settings that the variables `FLOTILLA_STATE`, `FLOTILLA_BASE_PORT` and `FLOTILLA_WITH` ask for.
    /// Without the last two, an environment keeps the ports and the services that it was last started
    /// with.
    pub fn from_env() -> Result<Self> {
        let asked = base_from_env()?;
        let mut settings = Settings::new(&root_from_env(), DEFAULT_BASE_PORT)?;
        let base = asked.or_else(|| settings.last_base()).unwrap_or(DEFAULT_BASE_PORT);
        settings.ports = Ports::from_base(base);
        settings.with = match with_from_env()? {
            Some(asked) => asked,
            None => settings.last_with(),
        };
        settings.one_process = settings.root.join(ONE_PROCESS_FILE).exists();
        settings.brokers = settings.last_brokers();
        Ok(settings)
    }

    /// The same, for a command that only talks to a fleet: where none was ever started, nothing is
    /// created, and `None` is returned.
    ///
    /// Ports that are not this fleet's may be those of another, which would then get its commands.
    pub fn of_fleet() -> Result<Option<Self>> {
        if !root_from_env().join(BASE_FILE).exists() {
            return Ok(None);
        }
        let settings = Settings::from_env()?;
        match settings.last_base() {
            Some(base) if base != settings.ports.base() => bail!(
                "FLOTILLA_BASE_PORT={}, but the fleet in {} has its ports from {base} on: leave the \
                 variable away, or name the folder of the other fleet in FLOTILLA_STATE",
                settings.ports.base(),
                settings.root.display()
            ),
            Some(_) | None => Ok(Some(settings)),
        }
    }

    /// Has a fleet that is started for the first time run its services in one process. One that was started
    /// otherwise has its databases elsewhere.
    pub fn ask_for_one_process(&mut self) -> Result<()> {
        if self.last_base().is_some() && !self.one_process {
            bail!(
                "the fleet in {} has a process and a database server for each service, which cannot be \
                 changed: `flotilla local reset` forgets that fleet, or name another folder in FLOTILLA_STATE",
                self.root.display()
            );
        }
        self.one_process = true;
        Ok(())
    }

    /// Sets the number of brokers of a fleet that has not been started yet. One that was started with another number
    /// has its topics in as many copies as that number allows.
    pub fn ask_for_brokers(&mut self, brokers: u16) -> Result<()> {
        if !BROKERS.contains(&brokers) {
            bail!("a local fleet has {} or {} brokers, not {brokers}", BROKERS[0], BROKERS[1]);
        }
        if self.last_base().is_some() && self.brokers != brokers {
            bail!(
                "the fleet in {} was started with {} of Kafka's brokers, which cannot be changed: \
                 `flotilla local reset` forgets that fleet, or name another folder in FLOTILLA_STATE",
                self.root.display(),
                self.brokers
            );
        }
        self.brokers = brokers;
        Ok(())
    }

    /// An environment in `root` on ports that are free now.
    pub fn on_free_ports(root: &Path) -> Result<Self> {
        Settings::new(root, Ports::free()?.base())
    }

    /// Where the log of a process is.
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// The base that this folder's servers were last started on.
    pub(crate) fn last_base(&self) -> Option<u16> {
        let text = fs::read_to_string(self.root.join(BASE_FILE)).ok()?;
        text.trim().parse().ok().filter(|base| BASES.contains(base))
    }

    /// The services that this folder's fleet had last. Names that are no longer on the roster are left out.
    fn last_with(&self) -> Vec<&'static str> {
        let text = fs::read_to_string(self.root.join(WITH_FILE)).unwrap_or_default();
        text.split_whitespace().filter_map(|name| on_request(name).ok()).collect()
    }

    fn last_brokers(&self) -> u16 {
        let text = fs::read_to_string(self.root.join(BROKERS_FILE)).unwrap_or_default();
        text.trim().parse().ok().filter(|last| BROKERS.contains(last)).unwrap_or(BROKERS[0])
    }

    /// The services of this fleet, in the roster's order.
    pub fn services(&self) -> Vec<&'static str> {
        services_with(&self.with)
    }

    /// What a service runs in: the name of the process, of its program, and of the server that has its database.
    /// Whatever is no service runs in itself.
    pub fn home_of<'a>(&self, name: &'a str) -> &'a str {
        match self.one_process && roster::SERVICES.contains(&name) {
            true => ONE_PROCESS,
            false => name,
        }
    }

    /// All of these, each with its services, in the roster's order.
    pub fn homes(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let mut homes: Vec<(&str, Vec<&str>)> = Vec::new();
        for service in self.services() {
            let home = self.home_of(service);
            match homes.iter_mut().find(|(known, _)| *known == home) {
                Some((_, services)) => services.push(service),
                None => homes.push((home, vec![service])),
            }
        }
        homes
    }

    /// Remembers ports and services for the commands that follow.
    pub(crate) fn remember(&self) -> Result<()> {
        fs::write(self.root.join(BASE_FILE), format!("{}\n", self.ports.base()))?;
        fs::write(self.root.join(WITH_FILE), format!("{}\n", self.with.join(" ")))?;
        if self.one_process {
            fs::write(self.root.join(ONE_PROCESS_FILE), "")?;
        }
        if self.brokers != BROKERS[0] {
            fs::write(self.root.join(BROKERS_FILE), format!("{}\n", self.brokers))?;
        }
        Ok(())
    }

    /// Forgets them.
    pub(crate) fn forget(&self) {
        for file in [BASE_FILE, WITH_FILE, ONE_PROCESS_FILE, BROKERS_FILE] {
            fs::remove_file(self.root.join(file)).ok();
        }
    }
}

/// The services of a fleet that has these besides those that every fleet has.
pub fn services_with(with: &[&str]) -> Vec<&'static str> {
    let is_there =
        |member: &&Member| member.starts == Starts::WithTheFleet || with.contains(&member.name);
    ROSTER.iter().filter(is_there).map(|member| member.name).collect()
}

/// A service that is only started when somebody asks for it, by its name.
fn on_request(name: &str) -> Result<&'static str> {
    let all = || ROSTER.iter().filter(|member| member.starts == Starts::OnRequest);
    match all().find(|member| member.name == name) {
        Some(member) => Ok(member.name),
        None if all().next().is_none() => bail!("{name} is not started on request; no service is"),
        None => bail!("{name} is not started on request; these are: {}", names(all())),
    }
}

/// The services on request that the environment asks for, separated by commas, if it asks for any or for none.
pub fn with_from_env() -> Result<Option<Vec<&'static str>>> {
    let Some(text) = surroundings::variable("FLOTILLA_WITH") else { return Ok(None) };
    let text = text.to_string_lossy();
    let asked = all_on_request(text.split(','));
    asked.with_context(|| format!("FLOTILLA_WITH={text}")).map(Some)
}

/// Services on request by their names, or `none`.
pub fn all_on_request<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<&'static str>> {
    let names = names.into_iter().map(str::trim).filter(|name| *name != WITH_NONE);
    names.map(on_request).collect()
}

/// The state folder that the environment asks for; it need not exist. A relative one is made absolute:
/// a program that is given it may have another working directory.
pub fn root_from_env() -> PathBuf {
    let asked = surroundings::variable("FLOTILLA_STATE");
    let root = asked.map_or_else(|| PathBuf::from(DEFAULT_STATE), PathBuf::from);
    std::path::absolute(&root).unwrap_or(root)
}

/// The first port that the environment asks for, if any.
pub fn base_from_env() -> Result<Option<u16>> {
    let Some(text) = surroundings::variable("FLOTILLA_BASE_PORT") else { return Ok(None) };
    let text = text.to_string_lossy();
    let base = text.parse().ok().filter(|base| BASES.contains(base));
    let wanted = format!("FLOTILLA_BASE_PORT={text}: must be from 1024 to 65000");
    base.context(wanted).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_has_the_services_that_start_with_it_and_those_that_were_asked_for() {
        assert_eq!(services_with(&[]), roster::SERVICES);
        let on_request = ROSTER.iter().filter(|member| member.starts == Starts::OnRequest);
        for member in on_request {
            assert!(!services_with(&[]).contains(&member.name));
            assert!(services_with(&[member.name]).contains(&member.name));
        }
    }

    #[test]
    fn services_in_one_process_share_a_home_and_those_on_request_have_their_own() {
        let folder = std::env::temp_dir().join(format!("flotilla-homes-{}", std::process::id()));
        let mut settings = Settings::new(&folder, DEFAULT_BASE_PORT).unwrap();
        let on_request = ROSTER.iter().filter(|member| member.starts == Starts::OnRequest);
        settings.with = on_request.map(|member| member.name).collect();
        let alone = |services: Vec<&'static str>| services.into_iter().map(|one| (one, vec![one]));
        assert_eq!(settings.homes(), alone(settings.services()).collect::<Vec<_>>());
        settings.ask_for_one_process().unwrap();
        let together = [(ONE_PROCESS, roster::SERVICES.to_vec())].into_iter();
        let expected: Vec<_> = together.chain(alone(settings.with.clone())).collect();
        assert_eq!(settings.homes(), expected);
        assert_eq!(settings.home_of("kafka"), "kafka");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_databases_of_a_fleet_are_not_left_behind_unnoticed() {
        let folder = std::env::temp_dir().join(format!("flotilla-shape-{}", std::process::id()));
        let mut settings = Settings::new(&folder, DEFAULT_BASE_PORT).unwrap();
        settings.remember().unwrap();
        let refused = settings.ask_for_one_process().unwrap_err().to_string();
        assert!(refused.contains("flotilla local reset"), "{refused}");
        settings.forget();
        settings.ask_for_one_process().unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_fleet_keeps_the_number_of_its_brokers_until_it_is_forgotten() {
        let folder = std::env::temp_dir().join(format!("flotilla-brokers-{}", std::process::id()));
        let mut settings = Settings::new(&folder, DEFAULT_BASE_PORT).unwrap();
        settings.ask_for_brokers(2).unwrap_err();
        settings.ask_for_brokers(3).unwrap();
        settings.remember().unwrap();
        assert_eq!(settings.last_brokers(), 3);
        settings.ask_for_brokers(3).unwrap();
        let refused = settings.ask_for_brokers(1).unwrap_err().to_string();
        assert!(refused.contains("flotilla local reset"), "{refused}");
        settings.forget();
        assert_eq!(settings.last_brokers(), 1);
        settings.ask_for_brokers(1).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_service_that_starts_with_the_fleet_or_is_unknown_cannot_be_asked_for() {
        assert!(all_on_request([" none "]).unwrap().is_empty());
        for name in ["order", "nobody", ""] {
            all_on_request([name]).unwrap_err();
        }
    }
}
