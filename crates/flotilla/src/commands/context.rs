//! `flotilla context`: fleets that run elsewhere, by name.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use local::Settings;
use serde_json::json;

use super::{
    BROKERS, REGISTRY, admin_url_variable, fleet, known_service, services, url_variable,
    variable_of,
};
use crate::context::{self, Chosen, Contexts, LOCAL, chosen};
use crate::exit::{Exit, coded};
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Context {
    /// All contexts, with the one in use
    List,
    /// Use a context from now on; `local` is the fleet of this machine
    Use {
        /// Its name
        name: String,
    },
    /// Make a context, or change what is given of it
    Set(Set),
    /// Forget a context
    Remove {
        /// Its name
        name: String,
    },
    /// Where everything is that commands talk to, and what says so
    Show,
}

#[derive(Args)]
pub(crate) struct Set {
    /// Its name
    name: String,
    /// Where Kafka is, as HOST:PORT, several with commas
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// Where the schema registry is
    #[arg(long, value_name = "URL")]
    registry_url: Option<String>,
    /// The public address of a service, as SERVICE=ADDRESS; may be given several times
    #[arg(long, value_name = "SERVICE=ADDRESS", value_parser = of_service)]
    url: Vec<(String, String)>,
    /// The admin address of a service, as SERVICE=ADDRESS; may be given several times
    #[arg(long, value_name = "SERVICE=ADDRESS", value_parser = of_service)]
    admin_url: Vec<(String, String)>,
    /// Services besides those that every fleet has; `none` for none
    #[arg(long, value_delimiter = ',')]
    with: Vec<String>,
    /// Whether whatever changes something has to be confirmed by the context's name
    #[arg(long, value_name = "true|false")]
    protected: Option<bool>,
}

fn of_service(text: &str) -> Result<(String, String), String> {
    let (service, address) = text.split_once('=').ok_or("write it as SERVICE=ADDRESS")?;
    let service = known_service(service).map_err(|error| error.to_string())?;
    Ok((service.to_owned(), address.to_owned()))
}

pub(crate) fn run(command: Context, out: &Output) -> Result<ExitCode> {
    match command {
        Context::List => list(out)?,
        Context::Use { name } => {
            let mut all = Contexts::read()?;
            if name == LOCAL {
                all.current = None;
            } else {
                Contexts::read()?.take(&name)?;
                all.current = Some(name.clone());
            }
            all.write()?;
            out.line(format_args!("commands are about {name} from now on"));
            out.document(&json!({ "current": name }));
        }
        Context::Set(set) => make(set, out)?,
        Context::Remove { name } => {
            let mut all = Contexts::read()?;
            if all.contexts.remove(&name).is_none() {
                let hint = "`flotilla context list` shows those that there are";
                return Err(coded(Exit::Missing, anyhow!("no context is called {name}; {hint}")));
            }
            all.current = all.current.filter(|current| *current != name);
            all.write()?;
            out.line(format_args!("{name} is forgotten"));
            out.document(&json!({ "removed": name }));
        }
        Context::Show => show(out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(out: &Output) -> Result<()> {
    let all = Contexts::read()?;
    let current = chosen()?.map_or(LOCAL.to_owned(), |chosen| chosen.name);
    let mark = |name: &str| if name == current { "*" } else { " " };
    out.line(format_args!("{} {LOCAL:20} the fleet of this machine", mark(LOCAL)));
    let mut documents =
        vec![json!({ "context": LOCAL, "in_use": current == LOCAL, "protected": false })];
    for (name, context) in &all.contexts {
        let protected = if context.protected { "  protected" } else { "" };
        let kafka = context.kafka_brokers.as_deref().unwrap_or("no brokers");
        out.line(format_args!("{} {name:20} {kafka}{protected}", mark(name)));
        let mut document = serde_json::to_value(context)?;
        document["context"] = name.as_str().into();
        document["in_use"] = (*name == current).into();
        documents.push(document);
    }
    out.list("contexts", &json!({ "contexts": documents }));
    Ok(())
}

fn make(set: Set, out: &Output) -> Result<()> {
    if set.name == LOCAL || set.name.is_empty() {
        let error = anyhow!("{LOCAL} is the fleet of this machine; choose another name");
        return Err(coded(Exit::Usage, error));
    }
    let mut all = Contexts::read()?;
    let context = all.contexts.entry(set.name.clone()).or_default();
    context.kafka_brokers = set.brokers.or(context.kafka_brokers.take());
    context.registry_url = set.registry_url.or(context.registry_url.take());
    context.urls.extend(set.url);
    context.admin_urls.extend(set.admin_url);
    if !set.with.is_empty() {
        let with = local::settings::all_on_request(set.with.iter().map(String::as_str))?;
        context.with = with.into_iter().map(str::to_owned).collect();
    }
    context.protected = set.protected.unwrap_or(context.protected);
    let written = serde_json::to_value(&*context)?;
    all.write()?;
    let path = context::path()?.display().to_string();
    out.line(format_args!(
        "{} is in {path}; `flotilla context use {}` uses it",
        set.name, set.name
    ));
    out.document(&json!({ "context": set.name, "file": path, "settings": written }));
    Ok(())
}

/// One thing that commands talk to.
struct Setting {
    name: String,
    variable: String,
    of_context: Option<String>,
    of_fleet: Option<String>,
}

fn show(out: &Output) -> Result<()> {
    let chosen = chosen()?;
    let (name, by) = match &chosen {
        Some(Chosen { name, by, .. }) => (name.as_str(), *by),
        None => (LOCAL, "nothing else is chosen"),
    };
    let protected = chosen.as_ref().is_some_and(|chosen| chosen.context.protected);
    out.line(format_args!("context {name}, by {by}{}", if protected { ", protected" } else { "" }));
    let mut documents = Vec::new();
    for setting in settings(chosen.as_ref())? {
        let given = variable_of(&setting.variable)?;
        let (value, from) = match (given, setting.of_context, setting.of_fleet) {
            (Some(value), ..) => (Some(value), setting.variable.clone()),
            (None, Some(value), _) => (Some(value), format!("context {name}")),
            (None, None, Some(value)) => (Some(value), "the fleet of this machine".to_owned()),
            (None, None, None) => (None, "nothing".to_owned()),
        };
        let shown = value.as_deref().unwrap_or("-");
        out.line(format_args!("{:20} {shown:44} {from}", setting.name));
        documents.push(json!({ "setting": setting.name, "value": value, "from": from }));
    }
    out.document(
        &json!({ "context": name, "by": by, "protected": protected, "settings": documents }),
    );
    Ok(())
}

fn settings(chosen: Option<&Chosen>) -> Result<Vec<Setting>> {
    let local = match (chosen, Settings::of_fleet()?) {
        (None, Some(_)) => Some(fleet()?),
        _elsewhere_or_never_started => None,
    };
    let context = chosen.map(|chosen| &chosen.context);
    let mut all = vec![
        Setting {
            name: "kafka".to_owned(),
            variable: BROKERS.to_owned(),
            of_context: context.and_then(|context| context.kafka_brokers.clone()),
            of_fleet: local.as_ref().map(|fleet| fleet.environment().kafka_brokers()),
        },
        Setting {
            name: "registry".to_owned(),
            variable: REGISTRY.to_owned(),
            of_context: context.and_then(|context| context.registry_url.clone()),
            of_fleet: local.as_ref().map(|fleet| fleet.environment().registry_url()),
        },
    ];
    let of = |urls: Option<&BTreeMap<String, String>>, service| urls?.get(service).cloned();
    for service in services()? {
        all.push(Setting {
            name: service.to_owned(),
            variable: url_variable(service),
            of_context: of(context.map(|context| &context.urls), service),
            of_fleet: local.as_ref().map(|fleet| fleet.url(service)),
        });
        all.push(Setting {
            name: format!("{service} admin"),
            variable: admin_url_variable(service),
            of_context: of(context.map(|context| &context.admin_urls), service),
            of_fleet: local.as_ref().map(|fleet| fleet.admin_url(service)),
        });
    }
    Ok(all)
}
