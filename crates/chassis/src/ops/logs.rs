//! Logs: JSON on stdout, or plain ones if a person reads them on a terminal. Where a process has several services, a
//! line says which of them it is of; a line of a thread that works for none of them, such as an exporter's, does not.
//! Separate from `telemetry`, of which each service has its own: a process has one log.

use std::cell::Cell;
use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Full, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

thread_local! {
    static WORKS_FOR: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// From now on this thread works for a service.
pub(crate) fn works_for(service: &'static str) {
    WORKS_FOR.set(Some(service));
}

/// The service that this thread works for, if it was told.
pub(crate) fn service() -> Option<&'static str> {
    WORKS_FOR.get()
}

/// What a thread begins with that works for the same service as this one.
pub(crate) fn for_the_same<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let service = service();
    move || {
        WORKS_FOR.set(service);
        work()
    }
}

/// Starts them for the services of this process, each with its levels.
pub(crate) fn init(services: Vec<(&'static str, Targets)>) {
    let services = Services(services.into());
    let (levels, all) = (services.clone(), tracing_subscriber::registry());
    let logs = tracing_subscriber::fmt::layer();
    let format = tracing_subscriber::fmt::format().with_target(false);
    let started = match std::io::stdout().is_terminal() {
        true => {
            let format = Named { services, format };
            all.with(logs.event_format(format).with_filter(levels)).try_init()
        }
        false => {
            let format = Named { services, format: format.json().flatten_event(true) };
            let logs = logs.fmt_fields(JsonFields::new()).event_format(format);
            all.with(logs.with_filter(levels)).try_init()
        }
    };
    if let Err(error) = started {
        tracing::debug!(error = %error, "logs were started before");
    }
}

/// The services of this process, and which lines each of them writes.
#[derive(Clone)]
struct Services(Arc<[(&'static str, Targets)]>);

impl Services {
    /// The one whose line it is. Where there is only one, every line is its.
    fn here(&self) -> Option<&(&'static str, Targets)> {
        match &*self.0 {
            [only] => Some(only),
            all => service().and_then(|here| all.iter().find(|(service, _)| *service == here)),
        }
    }
}

impl<S> Filter<S> for Services {
    /// What belongs to no service is written if any of them would write it.
    fn enabled(&self, line: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        let writes = |levels: &Targets| levels.would_enable(line.target(), line.level());
        match self.here() {
            Some((_, levels)) => writes(levels),
            None => self.0.iter().any(|(_, levels)| writes(levels)),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let all = self.0.iter().map(|(_, levels)| {
            let hint = <Targets as Layer<tracing_subscriber::Registry>>::max_level_hint(levels);
            hint.unwrap_or(LevelFilter::TRACE)
        });
        all.max()
    }
}

/// Lines that begin with the name of a service.
struct Named<F> {
    services: Services,
    format: Format<F>,
}

impl<S, N> FormatEvent<S, N> for Named<Json>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        match (self.services.here(), line.strip_prefix('{')) {
            (Some((service, _)), Some(rest)) => {
                write!(writer, "{{\"service\":\"{service}\",{rest}")
            }
            (None, _) | (_, None) => writer.write_str(&line),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Named<Full>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if let Some((service, _)) = self.services.here() {
            write!(writer, "{service} ")?;
        }
        self.format.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;
    use std::thread;

    use serde_json::Value;

    use super::*;

    /// Where lines are written, to be read later.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The services and levels of what is written where a thread of each of these services says the same, on a level
    /// each, as does one that works for nobody.
    fn written(services: &[(&'static str, &str)]) -> Vec<(Value, Value)> {
        let lines = Lines::default();
        let levels = |(service, levels): &(&'static str, &str)| (*service, levels.parse().unwrap());
        let services = Services(services.iter().map(levels).collect());
        let format = tracing_subscriber::fmt::format().json().flatten_event(true);
        let writer = lines.clone();
        let logs = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(Named { services: services.clone(), format })
            .with_filter(services.clone());
        let logs = tracing::Dispatch::new(tracing_subscriber::registry().with(logs));
        let say = || {
            tracing::dispatcher::with_default(&logs, || {
                tracing::info!("well");
                tracing::warn!("not so well");
            });
        };
        thread::scope(|scope| {
            scope.spawn(say).join().unwrap();
            for (service, _) in &*services.0 {
                // It says so on a further thread.
                let begin = || {
                    works_for(service);
                    scope.spawn(for_the_same(say)).join().unwrap();
                };
                scope.spawn(begin).join().unwrap();
            }
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|mut line| (line["service"].take(), line["level"].take())).collect()
    }

    fn line(service: impl Into<Value>, level: &str) -> (Value, Value) {
        (service.into(), level.into())
    }

    #[test]
    fn each_service_writes_its_own_levels_under_its_name_on_whichever_thread() {
        let of_nobody = [line(Value::Null, "INFO"), line(Value::Null, "WARN")];
        let of_all = [line("ant", "INFO"), line("ant", "WARN"), line("bee", "WARN")];
        assert_eq!(
            written(&[("ant", "info"), ("bee", "warn")]),
            [&of_nobody[..], &of_all].concat()
        );
    }

    #[test]
    fn every_line_of_a_process_with_one_service_is_its() {
        assert_eq!(written(&[("ant", "warn")]), [line("ant", "WARN"), line("ant", "WARN")]);
    }
}
