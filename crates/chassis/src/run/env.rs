//! Where settings are read from, and what is noted meanwhile: which there are, and everything that is missing or
//! contradictory, so that nobody fixes one variable per restart. Separate from `config`, which says which settings
//! every service has.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

/// Every variable is read under this prefix.
pub const PREFIX: &str = "FLOTILLA_";

/// What two services can never have in common: among several in one process, each has its own or none.
const NEVER_SHARED: [&str; 4] =
    ["DATABASE_URL", "DATABASE_URL_FILE", "OWNER_DATABASE_URL", "OWNER_DATABASE_URL_FILE"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

type Source = Box<dyn Fn(&str) -> Option<String>>;

/// A setting, as a service describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The variable.
    pub name: String,
    /// What it says.
    pub meaning: String,
    /// What applies if it is left out, if that is one fixed value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Whether no service starts without it. A secret may be given as a file instead (`NAME_FILE`).
    pub required: bool,
    /// Whether it must not be seen.
    pub secret: bool,
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:36} {}", self.name, self.meaning)?;
        match &self.default {
            Some(default) => write!(f, " (default {default})"),
            None if self.required => write!(f, " (required)"),
            None => Ok(()),
        }
    }
}

/// Somebody outside whom a service calls, at the place that the settings give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// The name in logs and metrics.
    pub name: &'static str,
    /// The variable that says where it is, if one does.
    pub setting: Option<String>,
}

/// A service's place among several in one process. What is set for it alone (`FLOTILLA_ORDER_LOG`) goes before what
/// is set for all (`FLOTILLA_LOG`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) service: &'static str,
    /// Counted from zero: how far its ports are from those of the first.
    pub(crate) number: u16,
}

/// Reads settings and remembers what is wrong with them.
pub struct Env {
    read: Source,
    place: Option<Place>,
    known: Vec<Setting>,
    neighbours: Vec<Neighbour>,
    problems: Vec<String>,
}

impl Env {
    /// The process's environment.
    pub fn from_process() -> Self {
        Env::from_fn(|name| std::env::var(name).ok())
    }

    /// Settings from anywhere, for tests.
    pub fn from_fn(read: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Env {
            read: Box::new(read),
            place: None,
            known: Vec::new(),
            neighbours: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The same settings, as a service at this place reads them.
    pub(crate) fn at(self, place: Place) -> Self {
        Env { place: Some(place), ..self }
    }

    /// A setting that has no default. When it is missing, the problem is recorded and the returned value
    /// is empty.
    pub fn required(&mut self, name: &str, what: &str) -> String {
        let setting = Setting { required: true, ..self.setting(name, what) };
        self.ask(name, setting).unwrap_or_else(|| {
            self.problem(format!("{} is not set: {what}", self.variable(name)));
            String::new()
        })
    }

    /// A setting that may be left out. An empty value counts as left out.
    pub fn optional(&mut self, name: &str, what: &str) -> Option<String> {
        let setting = self.setting(name, what);
        self.ask(name, setting)
    }

    /// A setting that may be left out, or given as a file, and must not be seen.
    pub(crate) fn secret(&mut self, name: &str, what: &str, required: bool) -> Option<String> {
        let setting = Setting { required, secret: true, ..self.setting(name, what) };
        self.ask(name, setting)
    }

    /// A setting with a default. When it is malformed, the problem is recorded and the default
    /// returned.
    pub fn parsed<T>(&mut self, name: &str, default: T, what: &str) -> T
    where
        T: FromStr + Display,
        T::Err: Display,
    {
        let setting = Setting { default: Some(default.to_string()), ..self.setting(name, what) };
        let Some(value) = self.ask(name, setting) else { return default };
        value.parse().unwrap_or_else(|error: T::Err| {
            let variable = self.variable(name);
            self.problem(format!("{variable} is malformed ({error}): {what}"));
            default
        })
    }

    /// A number of days for which something is kept: at least one.
    pub fn days(&mut self, name: &str, default: u32, what: &str) -> Duration {
        let days = self.parsed(name, default, what);
        if days == 0 {
            let variable = self.variable(name);
            self.problem(format!("{variable} is 0, and must be at least 1: {what}"));
        }
        DAY * days
    }

    /// An address to listen on: this port of the loopback unless it is set. Several services in one process listen
    /// on ports that follow each other, from what is set for all or the default, where none is set for one alone.
    pub(crate) fn address(&mut self, name: &str, port: u16, what: &str) -> SocketAddr {
        let first = SocketAddr::from(([127, 0, 0, 1], port));
        let Some(Place { number, .. }) = self.place else { return self.parsed(name, first, what) };
        let moved = |first: SocketAddr| match first.port() {
            0 => Some(first),
            port => port.checked_add(number).map(|port| SocketAddr::new(first.ip(), port)),
        };
        let (alone, all) = (self.alone(name), format!("{PREFIX}{name}"));
        let default = moved(first).unwrap_or(first);
        let default_shown = Some(default.to_string());
        self.known.push(Setting {
            name: alone.clone(),
            default: default_shown,
            ..self.setting(name, what)
        });
        let is_alone = self.value(&alone).is_some();
        let variable = if is_alone { alone } else { all };
        let Some(value) = self.value(&variable) else { return default };
        match value.parse().map(|set| if is_alone { Some(set) } else { moved(set) }) {
            Ok(Some(address)) => return address,
            Ok(None) => {
                self.problem(format!("{variable} leaves no port for every service: {what}"))
            }
            Err(error) => self.problem(format!("{variable} is malformed ({error}): {what}")),
        }
        default
    }

    /// Records that settings contradict each other, or anything else that makes a start pointless.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Everything that is wrong, in the order it was found.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Notes whom the service calls, and which setting says where that is: known even if it is not set yet.
    pub(crate) fn calls(&mut self, name: &'static str, setting: &str) {
        self.neighbours.push(Neighbour { name, setting: Some(format!("{PREFIX}{setting}")) });
    }

    /// Whom the service calls.
    pub(crate) fn neighbours(&self) -> &[Neighbour] {
        &self.neighbours
    }

    /// Every variable that was asked for.
    pub fn known(&self) -> &[Setting] {
        &self.known
    }

    /// The variable that says what a setting of this name is, or would have to say it.
    pub(crate) fn variable(&self, name: &str) -> String {
        let alone = self.alone(name);
        match NEVER_SHARED.contains(&name) || self.value(&alone).is_some() {
            true => alone,
            false => format!("{PREFIX}{name}"),
        }
    }

    fn ask(&mut self, name: &str, setting: Setting) -> Option<String> {
        self.known.push(setting);
        self.value(&self.variable(name))
    }

    fn value(&self, variable: &str) -> Option<String> {
        (self.read)(variable).filter(|value| !value.trim().is_empty())
    }

    /// The variable for this service alone; of a service that is alone in its process, that is the one.
    fn alone(&self, name: &str) -> String {
        let of = self.place.map(|place| format!("{}_", place.service.to_uppercase()));
        format!("{PREFIX}{}{name}", of.unwrap_or_default())
    }

    fn setting(&self, name: &str, what: &str) -> Setting {
        let name = match NEVER_SHARED.contains(&name) {
            true => self.alone(name),
            false => format!("{PREFIX}{name}"),
        };
        let meaning = what.to_owned();
        Setting { name, meaning, default: None, required: false, secret: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPING: Place = Place { service: "shipping", number: 3 };

    fn shipping(variables: &[(&'static str, &'static str)]) -> Env {
        let variables = variables.to_vec();
        let value = move |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Env::from_fn(value).at(SHIPPING)
    }

    #[test]
    fn what_is_set_for_one_service_goes_before_what_is_set_for_all() {
        let all = ("FLOTILLA_KAFKA_BROKERS", "a:1");
        for (own, brokers) in [("b:2", "b:2"), ("", "a:1")] {
            let mut env = shipping(&[all, ("FLOTILLA_SHIPPING_KAFKA_BROKERS", own)]);
            assert_eq!(env.required("KAFKA_BROKERS", "brokers"), brokers);
        }
    }

    #[test]
    fn what_cannot_be_shared_is_read_for_one_service_alone() {
        let mut env = shipping(&[("FLOTILLA_DATABASE_URL", "postgres://of-all")]);
        assert_eq!(env.secret("DATABASE_URL", "database", true), None);
        assert_eq!(env.variable("DATABASE_URL"), "FLOTILLA_SHIPPING_DATABASE_URL");
        assert_eq!(env.known()[0].name, "FLOTILLA_SHIPPING_DATABASE_URL");
    }

    #[test]
    fn a_problem_names_the_variable_that_is_wrong() {
        for variable in ["FLOTILLA_SHIPPING_TRIES", "FLOTILLA_TRIES"] {
            let mut env = shipping(&[(variable, "many")]);
            assert_eq!(env.parsed("TRIES", 7, "how often"), 7);
            assert!(env.problems()[0].starts_with(&format!("{variable} is malformed")));
        }
    }

    #[test]
    fn ports_follow_each_other_unless_a_service_has_its_own() {
        for (variables, address) in [
            (&[][..], "127.0.0.1:8083"),
            (&[("FLOTILLA_HTTP_ADDRESS", "0.0.0.0:80")], "0.0.0.0:83"),
            (&[("FLOTILLA_HTTP_ADDRESS", "0.0.0.0:0")], "0.0.0.0:0"),
            (&[("FLOTILLA_SHIPPING_HTTP_ADDRESS", "0.0.0.0:80")], "0.0.0.0:80"),
        ] {
            let mut env = shipping(variables);
            let found = env.address("HTTP_ADDRESS", 8080, "address");
            assert_eq!((found.to_string().as_str(), env.problems()), (address, &[][..]));
            assert_eq!(env.known()[0].name, "FLOTILLA_SHIPPING_HTTP_ADDRESS");
            assert_eq!(env.known()[0].default.as_deref(), Some("127.0.0.1:8083"));
        }
        for wrong in ["0.0.0.0:65533", "nowhere"] {
            let mut env = shipping(&[("FLOTILLA_HTTP_ADDRESS", wrong)]);
            env.address("HTTP_ADDRESS", 8080, "address");
            assert!(env.problems()[0].starts_with("FLOTILLA_HTTP_ADDRESS "), "{wrong}");
        }
    }
}
