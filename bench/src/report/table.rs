//! The report as text, for people.

use std::fmt::{self, Display, Formatter};

use crate::collector::Telemetry;
use crate::latency::Summary;
use crate::report::{Report, Service, Usage};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        self.write_latencies(f)?;
        self.write_usage(f)?;
        self.write_batches(f)?;
        if let Some(drain) = &self.drain {
            drain.fmt(f)?;
        }
        if let Some(change) = &self.change {
            change.fmt(f)?;
        }
        for objection in self.objections() {
            writeln!(f, "\nwarning: {objection}")?;
        }
        Ok(())
    }
}

impl Report {
    fn write_head(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.plan)?;
        if let Some(preloaded) = &self.preloaded {
            writeln!(
                f,
                "on {} orders loaded beforehand in {:.0} s, {:.0} bytes each",
                preloaded.orders, preloaded.seconds, preloaded.bytes_per_order
            )?;
        }
        if (self.replicas, self.partitions) != (1, 1) {
            let (replicas, partitions) = (self.replicas, self.partitions);
            writeln!(
                f,
                "replicas of every service: {replicas}; partitions of each topic: {partitions}"
            )?;
        }
        if let Some(Telemetry { sampling, received }) = &self.telemetry {
            writeln!(
                f,
                "telemetry, sampling {sampling}: {} spans and {} exports of metrics arrived",
                received.spans, received.metric_exports
            )?;
        }
        writeln!(
            f,
            "{} cores; busy {:.2}, stolen by the host {:.2}",
            self.cores, self.cores_busy, self.cores_stolen
        )?;
        let by_second = || self.by_second.iter().map(|second| second.completed);
        let (slowest, fastest) = (by_second().min().unwrap_or(0), by_second().max().unwrap_or(0));
        writeln!(
            f,
            "\n{:.0} completed sagas/s (slowest second {slowest}, fastest {fastest})",
            self.completed_per_second
        )?;
        let orders = &self.orders;
        writeln!(
            f,
            "{} orders completed in all; requests turned away {}, connections broken {}",
            orders.completed, orders.turned_away, orders.broken
        )
    }

    fn write_latencies(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let heads = ["mean", "p50", "p90", "p99", "p99.9", "max"];
        write_row(f, "latency, ms", &heads.map(str::to_owned))?;
        write_latency(f, "acknowledge", &self.acknowledge)?;
        write_latency(f, "placed to completed", &self.complete)?;
        if let Some(corrected) = &self.corrected {
            write_latency(f, "acknowledge *", &corrected.acknowledge)?;
            write_latency(f, "placed to completed *", &corrected.complete)?;
            writeln!(f, "* corrected for coordinated omission")?;
        }
        Ok(())
    }

    fn write_usage(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let heads = ["CPU us/order", "cores", "MiB", "peak MiB"];
        write_row(f, "process", &heads.map(str::to_owned))?;
        for usage in &self.processes {
            write_use(f, usage)?;
        }
        write_row(f, "part", &heads.map(str::to_owned))?;
        for usage in &self.parts {
            write_use(f, usage)?;
        }
        Ok(())
    }

    fn write_batches(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let heads = [
            "inputs/batch",
            "batches/order",
            "messages/flush",
            "flushes/order",
            "produces/order",
            "fetches/order",
            "retries",
        ];
        write_row(f, "service", &heads.map(str::to_owned))?;
        for service in &self.services {
            let cells = [
                format!("{:.1}", service.inputs_per_batch),
                format!("{:.3}", service.batches_per_order),
                format!("{:.1}", service.messages_per_flush),
                format!("{:.3}", service.flushes_per_order),
                format!("{:.3}", service.produce_requests_per_order),
                format!("{:.3}", service.fetch_requests_per_order),
                format!("{:.0}", service.batch_retries),
            ];
            write_line(f, &service.name, &cells)?;
        }
        let all =
            |of: fn(&Service) -> f64| format!("{:.3}", self.services.iter().map(of).sum::<f64>());
        let cells = [
            String::new(),
            String::new(),
            String::new(),
            all(|service| service.flushes_per_order),
            all(|service| service.produce_requests_per_order),
            all(|service| service.fetch_requests_per_order),
        ];
        write_line(f, "all", &cells)?;
        let heads = ["rows/order", "WAL B/order", "commits/order"];
        write_row(f, "database", &heads.map(str::to_owned))?;
        let (mut rows, mut wal, mut commits) = (0.0, 0.0, 0.0);
        let cells = |rows: f64, wal: f64, commits: f64| {
            [format!("{rows:.2}"), format!("{wal:.0}"), format!("{commits:.3}")]
        };
        for database in &self.databases {
            rows += database.rows_per_order;
            wal += database.wal_bytes_per_order;
            commits += database.commits_per_order;
            let (rows, wal) = (database.rows_per_order, database.wal_bytes_per_order);
            write_line(f, &database.name, &cells(rows, wal, database.commits_per_order))?;
        }
        write_line(f, "all", &cells(rows, wal, commits))
    }
}

fn write_latency(f: &mut Formatter<'_>, name: &str, summary: &Summary) -> fmt::Result {
    let Summary { mean_ms, p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = summary;
    let cells = [mean_ms, p50_ms, p90_ms, p99_ms, p999_ms, max_ms].map(|ms| format!("{ms:.1}"));
    write_line(f, name, &cells)
}

fn write_use(f: &mut Formatter<'_>, usage: &Usage) -> fmt::Result {
    let cells = [
        format!("{:.1}", usage.cpu_us_per_order),
        format!("{:.3}", usage.cores),
        format!("{:.0}", usage.memory_mib),
        usage.peak_mib.map(|mib| format!("{mib:.0}")).unwrap_or_default(),
    ];
    write_line(f, &usage.name, &cells)
}

/// A head of a table, with space above it.
pub(crate) fn write_row(f: &mut Formatter<'_>, name: &str, cells: &[String]) -> fmt::Result {
    writeln!(f)?;
    write_line(f, name, cells)
}

/// A line of a table.
pub(crate) fn write_line(f: &mut Formatter<'_>, name: &str, cells: &[String]) -> fmt::Result {
    let mut line = format!("{name:22}");
    for cell in cells {
        line.push_str(&format!("{cell:>15}"));
    }
    writeln!(f, "{}", line.trim_end())
}
