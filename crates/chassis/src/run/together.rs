//! What matters only where a process has several services: that they are kept apart, and how what several say is
//! told once.

use std::net::SocketAddr;
use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::config::{Config, Secret};
use super::env::Env;

/// A service with its settings, as they were read.
pub(super) struct Read {
    pub(super) service: &'static str,
    pub(super) env: Env,
}

/// Everything that is wrong. What every service says is said once; what one says alone begins with its name.
pub(super) fn problems(services: &[Read]) -> Vec<String> {
    let say = |of: &Read, problem: &String| of.env.problems().contains(problem);
    let of = |(number, read): (usize, &Read)| {
        let told = read.env.problems().iter().filter_map(move |problem| {
            match services.iter().all(|other| say(other, problem)) {
                true => (number == 0).then(|| problem.clone()),
                false => Some(format!("{}: {problem}", read.service)),
            }
        });
        told.collect::<Vec<_>>()
    };
    services.iter().enumerate().flat_map(of).collect()
}

/// Every setting: those that all have in common, then those of each.
pub(super) fn settings(services: &[Read]) -> Vec<String> {
    if let [only] = services {
        return only.env.known().iter().map(ToString::to_string).collect();
    }
    let is_common = |setting| services.iter().all(|read| read.env.known().contains(setting));
    let mut lines = vec![
        "# for every service, or for one: FLOTILLA_<SERVICE>_LOG in place of FLOTILLA_LOG".to_owned(),
        "# FLOTILLA_HTTP_ADDRESS and FLOTILLA_ADMIN_ADDRESS are those of the first service, and each \
         further one has the next port"
            .to_owned(),
    ];
    let common = services.iter().take(1).flat_map(|read| read.env.known());
    lines.extend(common.filter(|setting| is_common(setting)).map(ToString::to_string));
    for read in services {
        lines.push(format!("# {}", read.service));
        let own = read.env.known().iter().filter(|setting| !is_common(setting));
        lines.extend(own.map(ToString::to_string));
    }
    lines
}

/// Notes where a service has the database or an address of an earlier one.
pub(super) fn keep_apart(services: &mut [Read], configs: &[&Config]) {
    let urls: Vec<_> = configs.iter().map(|config| &config.database_url).collect();
    keep_databases_apart(services, "DATABASE_URL", &urls);
    for (number, (later, config)) in services.iter_mut().zip(configs).enumerate() {
        let earlier = &configs[..number];
        let taken = |address: SocketAddr| {
            let theirs =
                |other: &&Config| [other.http_address, other.admin_address].contains(&address);
            address.port() != 0 && earlier.iter().any(theirs)
        };
        for (name, address) in
            [("HTTP_ADDRESS", config.http_address), ("ADMIN_ADDRESS", config.admin_address)]
        {
            if taken(address) {
                let variable = later.env.variable(name);
                later.env.problem(format!("{variable}: another service has {address} already"));
            }
        }
    }
}

/// Notes where the URL of this setting leads to the database of an earlier service.
pub(super) fn keep_databases_apart(services: &mut [Read], setting: &str, urls: &[&Secret]) {
    let databases: Vec<_> = urls.iter().map(|url| database(url)).collect();
    for (number, (later, place)) in services.iter_mut().zip(&databases).enumerate() {
        if place.is_some() && databases[..number].contains(place) {
            let variable = later.env.variable(setting);
            later.env.problem(format!("{variable} is the database of another service"));
        }
    }
}

/// Which database the URL names, whoever connects: by its socket's folder or its host, its port and its name.
fn database(url: &Secret) -> Option<(PathBuf, u16, String)> {
    let url: PgConnectOptions = url.0.parse().ok()?;
    let name = url.get_database().unwrap_or_else(|| url.get_username());
    let socket = url.get_socket().cloned();
    let server = socket.unwrap_or_else(|| url.get_host().to_ascii_lowercase().into());
    Some((server, url.get_port(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::config;
    use crate::run::env::Place;

    type Variables = &'static [(&'static str, &'static str)];

    /// The settings of two services, before anything is read from them.
    fn unread(variables: Variables) -> Vec<Read> {
        let value = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let places = (0..).zip(["ant", "bee"]).map(|(number, service)| Place { service, number });
        places
            .map(|place| Read { service: place.service, env: Env::from_fn(value).at(place) })
            .collect()
    }

    fn read(variables: Variables) -> (Vec<Read>, Vec<Config>) {
        let mut services = unread(variables);
        let configs = services.iter_mut().map(|read| Config::read(&mut read.env)).collect();
        (services, configs)
    }

    fn wrong(variables: Variables) -> Vec<String> {
        let (mut services, configs) = read(variables);
        keep_apart(&mut services, &configs.iter().collect::<Vec<_>>());
        problems(&services)
    }

    #[test]
    fn what_is_wrong_for_all_is_said_once_and_what_is_wrong_for_one_with_its_name() {
        let wrong = wrong(&[
            ("FLOTILLA_KAFKA_BROKERS", "kafka:9092"),
            ("FLOTILLA_BEE_TRACE_SAMPLING", "7"),
            ("FLOTILLA_ANT_DATABASE_URL", "postgres://app@db/ant"),
        ]);
        assert_eq!(wrong.iter().filter(|line| line.contains("REGISTRY_URL is not set")).count(), 1);
        let starts = |text: &str| wrong.iter().any(|line| line.starts_with(text));
        assert!(starts("FLOTILLA_REGISTRY_URL is not set"), "{wrong:?}");
        assert!(starts("bee: FLOTILLA_BEE_TRACE_SAMPLING is 7"), "{wrong:?}");
        assert!(starts("bee: FLOTILLA_BEE_DATABASE_URL is not set"), "{wrong:?}");
        assert_eq!(wrong.len(), 3, "{wrong:?}");
    }

    #[test]
    fn two_services_have_neither_a_database_nor_an_address_in_common() {
        let wrong = wrong(&[
            ("FLOTILLA_KAFKA_BROKERS", "kafka:9092"),
            ("FLOTILLA_REGISTRY_URL", "http://registry:8081"),
            ("FLOTILLA_ANT_DATABASE_URL", "postgres://ant_app:x@db/fleet"),
            ("FLOTILLA_BEE_DATABASE_URL", "postgres://bee_app:y@db:5432/fleet"),
            ("FLOTILLA_ANT_ADMIN_ADDRESS", "127.0.0.1:8081"),
        ]);
        let both = [
            "bee: FLOTILLA_BEE_DATABASE_URL is the database of another service",
            "bee: FLOTILLA_HTTP_ADDRESS: another service has 127.0.0.1:8081 already",
        ];
        assert_eq!(wrong, both);
    }

    #[test]
    fn two_services_do_not_migrate_one_database_whoever_owns_it() {
        let refused = |ant: (&'static str, &'static str), bee: (&'static str, &'static str)| {
            let mut services = unread([ant, bee].to_vec().leak());
            let wanted: Vec<_> =
                services.iter_mut().map(|read| config::migration(&mut read.env)).collect();
            let urls: Vec<_> = wanted.iter().map(|(url, _role)| url).collect();
            keep_databases_apart(&mut services, "OWNER_DATABASE_URL", &urls);
            problems(&services)
        };
        let ant = ("FLOTILLA_ANT_OWNER_DATABASE_URL", "postgres://owner:x@db/fleet");
        let bee = |url| ("FLOTILLA_BEE_OWNER_DATABASE_URL", url);
        let said = "bee: FLOTILLA_BEE_OWNER_DATABASE_URL is the database of another service";
        for same in [
            "postgres://owner:x@db/fleet",
            "postgres://bee_owner:y@db:5432/fleet",
            "postgres://owner:x@DB/fleet",
        ] {
            assert_eq!(refused(ant, bee(same)), [said], "{same}");
        }
        for other in ["postgres://owner:x@db/bee", "postgres://owner:x@db/fleet?host=/run/a"] {
            assert!(refused(ant, bee(other)).is_empty(), "{other}");
        }
        let ant = ("FLOTILLA_ANT_OWNER_DATABASE_URL", "postgres://owner@ignored/fleet?host=/run/a");
        assert_eq!(refused(ant, bee("postgres://bee_owner@db/fleet?host=/run/a")), [said]);
        assert!(refused(ant, bee("postgres://owner@ignored/fleet?host=/run/b")).is_empty());
    }

    #[test]
    fn a_setting_that_all_have_in_common_is_listed_once() {
        let (services, _) = read(&[]);
        let lines = settings(&services);
        let listed =
            |name: &str| lines.iter().filter(|line| line.split(' ').next() == Some(name)).count();
        for name in ["LOG", "KAFKA_BROKERS", "ANT_DATABASE_URL", "BEE_HTTP_ADDRESS"] {
            assert_eq!(listed(&format!("FLOTILLA_{name}")), 1, "{name}");
        }
        for name in ["DATABASE_URL", "HTTP_ADDRESS", "ANT_LOG"] {
            assert_eq!(listed(&format!("FLOTILLA_{name}")), 0, "{name}");
        }
    }
}
