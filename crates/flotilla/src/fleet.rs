//! A whole fleet on this machine: servers, topics, schemas, migrations, the sandbox, the services, each in a process of
//! its own or all in one.

mod language;
mod settings;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chassis::{Registry, topics};
use local::{Environment, Ports, Process, ProcessSpec, Progress, answer, errand};
use roster::Neighbour;

pub use language::language;
pub use settings::{FleetSettings, Providers, programs};

/// How long a service may take to be ready. Its servers are up by then.
const READY: Duration = Duration::from_secs(30);
/// How long a service may take to stop.
const STOP: Duration = Duration::from_secs(25);
/// The key of the sandbox, which keeps nothing secret.
const SANDBOX_KEY: &str = "sk_test_local";

/// A running fleet.
#[derive(Debug, Clone)]
pub struct Fleet {
    settings: FleetSettings,
    environment: Environment,
}

impl Fleet {
    /// A fleet that an earlier run started.
    pub fn attach(settings: FleetSettings) -> Self {
        let environment = Environment::new(settings.settings.clone(), settings.lifetime);
        Fleet { settings, environment }
    }

    /// Starts what does not run yet, up to services that are ready. Idempotent.
    pub async fn start(settings: FleetSettings, progress: Progress<'_>) -> Result<Self> {
        let fleet = Fleet::attach(settings);
        let _claim = fleet.environment.claim(progress).await?;
        fleet.check_ports()?;
        fleet.environment.start(progress).await?;
        let timed = Timed(progress);
        timed.step("create topics and register schemas", fleet.prepare()).await?;
        timed.step("migrate the databases", fleet.migrate()).await?;
        timed.step("start the services", fleet.start_programs()).await?;
        Ok(fleet)
    }

    /// Starts what is around services that run elsewhere: the servers, with an empty database for each service, and the
    /// sandbox. Idempotent.
    pub async fn start_surroundings(&self, progress: Progress<'_>) -> Result<()> {
        let _claim = self.environment.claim(progress).await?;
        self.environment.start(progress).await?;
        for service in self.services() {
            self.environment.database(service).await?;
        }
        self.start_sandbox().await
    }

    /// The same fleet, except that what is started through this value gets one more variable.
    pub fn with_variable(&self, name: &str, value: &str) -> Self {
        let mut fleet = self.clone();
        fleet.settings.variables.push((name.to_owned(), value.to_owned()));
        fleet
    }

    /// The servers.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The services that this fleet has, in the roster's order.
    pub fn services(&self) -> Vec<&'static str> {
        self.settings.settings.services()
    }

    /// The public address of a service.
    pub fn url(&self, service: &str) -> String {
        format!("http://{}", address(self.ports(), service))
    }

    /// The admin address of a service.
    pub fn admin_url(&self, service: &str) -> String {
        format!("http://{}", address(self.ports(), &format!("{service}-admin")))
    }

    fn ports(&self) -> Ports {
        self.settings.settings.ports
    }

    /// The process that a service runs in, while it runs.
    pub fn process(&self, service: &str) -> Option<Process> {
        Process::find(&self.settings.settings, self.settings.settings.home_of(service))
    }

    /// Kills a service, and what runs in the same process, as a power cut would.
    pub async fn kill(&self, service: &str) -> Result<()> {
        self.process(service).with_context(|| format!("{service} does not run"))?.kill().await
    }

    /// Starts a service that does not run, with those that run in the same process, and waits until they are ready.
    pub async fn start_service(&self, service: &str) -> Result<()> {
        let home = self.settings.settings.home_of(service);
        self.start_homes(|name| name == home).await
    }

    /// The same for all services.
    pub async fn start_services(&self) -> Result<()> {
        self.start_homes(|_any| true).await
    }

    /// Starts a further replica of a service, a process of this name on the service's ports of another
    /// block, and waits until it is ready.
    pub async fn start_replica(
        &self,
        service: &'static str,
        name: &str,
        ports: Ports,
    ) -> Result<Process> {
        let process = self.spawn(service, &[service], name, ports).await?;
        self.wait_ready(service, name, ports).await?;
        Ok(process)
    }

    /// Stops everything.
    pub async fn stop(&self, progress: Progress<'_>) -> Result<()> {
        let _claim = self.environment.claim(progress).await?;
        self.environment.stop(progress).await
    }

    /// Stops everything and forgets it.
    pub async fn reset(&self, progress: Progress<'_>) -> Result<()> {
        let _claim = self.environment.claim(progress).await?;
        self.environment.reset(progress).await
    }

    /// Fails unless a process of this fleet runs under that name. If it does not, some other fleet may
    /// answer on its port.
    pub fn check_runs(&self, name: &str) -> Result<()> {
        self.process(name).map(|_| ()).with_context(|| {
            let root = self.settings.settings.root.display();
            format!("{name} does not run in {root}; `flotilla local up` starts it")
        })
    }

    /// Before anything is started, so that no fleet is half started. The environment checks the servers'
    /// ports just as early.
    fn check_ports(&self) -> Result<()> {
        if self.settings.providers == Providers::Sandbox {
            self.check_ports_of("sandbox", &["sandbox"])?;
        }
        self.services().into_iter().try_for_each(|service| self.check_ports_of_service(service))
    }

    fn check_ports_of_service(&self, service: &str) -> Result<()> {
        self.check_ports_of(service, &[service, &format!("{service}-admin")])
    }

    fn check_ports_of(&self, name: &str, ports: &[&str]) -> Result<()> {
        if self.process(name).is_some() {
            return Ok(());
        }
        ports.iter().try_for_each(|port| self.settings.settings.ports.check_free(port))
    }

    async fn prepare(&self) -> Result<()> {
        let services = self.services();
        let language = language(&services, &self.settings.programs)?;
        let plan = topics::plan(&language, self.settings.partitions, &services);
        // A copy on every broker.
        let copies = i32::from(self.settings.settings.brokers);
        topics::apply(&self.environment.kafka_brokers(), &plan, copies)
            .await
            .context("topics cannot be created")?;
        let registry = Registry::new(&self.environment.registry_url());
        for record in language.iter().flat_map(|topic| topic.records) {
            let subject = chassis::subject(record);
            if registry.id_of(&subject, record.schema).await?.is_none() {
                registry
                    .register(record)
                    .await
                    .with_context(|| format!("registering {subject}"))?;
            }
        }
        Ok(())
    }

    async fn migrate(&self) -> Result<()> {
        for (home, services) in self.settings.settings.homes() {
            let mut command = errand(self.program(home)?);
            command.arg("migrate");
            for service in services {
                let database = self.environment.database(service).await?;
                let variable = |setting| variable(home, service, setting);
                command.env(variable("OWNER_DATABASE_URL"), &database.owner_url);
                command.env(variable("APP_ROLE"), &database.app_role);
            }
            let migrated =
                command.output().context("cannot run setpriv: apt-get install util-linux")?;
            if !migrated.status.success() {
                bail!("{}", String::from_utf8_lossy(&migrated.stderr));
            }
        }
        Ok(())
    }

    async fn start_programs(&self) -> Result<()> {
        if self.settings.providers == Providers::Sandbox {
            self.start_sandbox().await?;
        }
        self.start_services().await
    }

    /// Starts what does not run of the processes of these names, and waits until all their services are ready.
    async fn start_homes(&self, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
        let mut homes = self.settings.settings.homes();
        homes.retain(|(home, _)| is_wanted(home));
        for (home, services) in &homes {
            if self.process(home).is_none() {
                services.iter().try_for_each(|service| self.check_ports_of_service(service))?;
                self.spawn(home, services, home, self.ports()).await?;
            }
        }
        let services = homes.into_iter().flat_map(|(_, services)| services);
        let ready = services.map(|service| self.wait_ready(service, service, self.ports()));
        futures::future::try_join_all(ready).await?;
        Ok(())
    }

    async fn start_sandbox(&self) -> Result<()> {
        let settings = &self.settings.settings;
        if Process::find(settings, "sandbox").is_some() {
            return Ok(());
        }
        settings.ports.check_free("sandbox")?;
        let folder = settings.root.join("sandbox");
        std::fs::create_dir_all(&folder)?;
        let listen = address(self.ports(), "sandbox");
        let spec = ProcessSpec::new("sandbox", self.program("sandbox")?)
            .args(["--listen", &listen, "--ledger"])
            .args([folder.join("ledger.jsonl").display().to_string()]);
        let process = Process::start(settings, &spec, self.settings.lifetime)?;
        let port = self.ports().get("sandbox");
        process.wait_ready(READY, async || answer::http(port, "/healthz").await).await
    }

    /// Starts a program with its services as a process of this name.
    async fn spawn(
        &self,
        program: &str,
        services: &[&'static str],
        name: &str,
        ports: Ports,
    ) -> Result<Process> {
        let mut spec = ProcessSpec::new(name, self.program(program)?)
            .env("FLOTILLA_KAFKA_BROKERS", self.environment.kafka_brokers())
            .env("FLOTILLA_REGISTRY_URL", self.environment.registry_url())
            .env("FLOTILLA_INSTANCE", name)
            // Nobody balances the load in front of it.
            .env("FLOTILLA_STOP_DELAY_MS", "0");
        for service in services {
            let own = [
                ("DATABASE_URL", self.environment.database(service).await?.app_url),
                ("HTTP_ADDRESS", address(ports, service)),
                ("ADMIN_ADDRESS", address(ports, &format!("{service}-admin"))),
            ];
            let own = own.map(|(setting, value)| (variable(program, service, setting), value));
            spec.env.extend(own);
            spec.env.extend(self.outside(service));
        }
        spec.env.extend(self.settings.variables.iter().cloned());
        Process::start(&self.settings.settings, &spec, self.settings.lifetime)
    }

    /// Whom a service calls, as its variables. The sandbox plays all of them.
    fn outside(&self, service: &str) -> Vec<(String, String)> {
        let neighbours = roster::find(service).map_or(&[][..], |member| member.neighbours);
        let place = |Neighbour { setting, .. }: &Neighbour| match self.settings.providers {
            Providers::InProcess => vec![((*setting).to_owned(), "in-process".to_owned())],
            Providers::Sandbox => vec![
                ((*setting).to_owned(), self.url("sandbox")),
                (format!("{setting}_KEY"), SANDBOX_KEY.to_owned()),
            ],
        };
        neighbours.iter().flat_map(place).collect()
    }

    async fn wait_ready(&self, service: &str, name: &str, ports: Ports) -> Result<()> {
        let process = self.process(name).with_context(|| {
            let log = self.settings.settings.log(self.settings.settings.home_of(name));
            format!("{name} ended while starting; see {}", log.display())
        })?;
        let port = ports.get(&format!("{service}-admin"));
        process.wait_ready(READY, async || answer::http(port, "/readyz").await).await
    }

    /// Stops a service, and what runs in the same process, in good order.
    pub async fn stop_service(&self, service: &str) -> Result<()> {
        self.process(service).with_context(|| format!("{service} does not run"))?.stop(STOP).await
    }

    /// Stops all services.
    pub async fn stop_services(&self) -> Result<()> {
        let homes = self.settings.settings.homes().into_iter();
        let stopped = homes.map(|(home, _)| self.stop_service(home));
        futures::future::try_join_all(stopped).await?;
        Ok(())
    }

    fn program(&self, name: &str) -> Result<PathBuf> {
        settings::program(&self.settings.programs, name)
    }
}

/// The variable of a setting that a service has for itself, in a program that is this service or has several.
fn variable(program: &str, service: &str, setting: &str) -> String {
    match program == service {
        true => format!("FLOTILLA_{setting}"),
        false => format!("FLOTILLA_{}_{setting}", service.to_uppercase()),
    }
}

fn address(ports: Ports, name: &str) -> String {
    format!("127.0.0.1:{}", ports.get(name))
}

struct Timed<'a>(Progress<'a>);

impl Timed<'_> {
    async fn step(&self, what: &str, work: impl Future<Output = Result<()>>) -> Result<()> {
        (self.0)(what, None);
        let started = Instant::now();
        work.await.with_context(|| format!("cannot {what}"))?;
        (self.0)(what, Some(started.elapsed()));
        Ok(())
    }
}
