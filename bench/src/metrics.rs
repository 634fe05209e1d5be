//! The counters of a service that a report needs, from its `/metrics`.

use std::net::SocketAddr;

use anyhow::{Context, ensure};

use crate::http::Client;

/// Counters of one service, all replicas together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counters {
    /// Transactions of the executor.
    pub batches: f64,
    /// Inputs in them.
    pub inputs: f64,
    /// Rounds of the relay that sent something to Kafka.
    pub flushes: f64,
    /// Messages sent.
    pub published: f64,
    /// Requests that went to Kafka.
    pub produce_requests: f64,
    pub fetch_requests: f64,
    /// Batches that ran again.
    pub retries: f64,
    pub dead_letters: f64,
}

impl Counters {
    /// Reads them from a service's admin port.
    pub async fn read(admin: SocketAddr) -> anyhow::Result<Self> {
        Ok(Counters::parse(&read(admin).await?))
    }

    fn parse(text: &str) -> Self {
        Counters {
            batches: sum(text, "flotilla_batch_inputs", "_count"),
            inputs: sum(text, "flotilla_batch_inputs", "_sum"),
            flushes: sum(text, "flotilla_relay_flush_duration", "_count"),
            published: sum(text, "flotilla_published_messages", "_total"),
            produce_requests: requests(text, "produce"),
            fetch_requests: requests(text, "fetch"),
            retries: sum(text, "flotilla_batch_retries", "_total"),
            dead_letters: sum(text, "flotilla_dead_letters", "_total"),
        }
    }

    pub fn and(self, other: Self) -> Self {
        self.combine(other, |a, b| a + b)
    }

    /// What was counted since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        self.combine(earlier, |now, then| now - then)
    }

    fn combine(self, other: Self, with: impl Fn(f64, f64) -> f64) -> Self {
        Counters {
            batches: with(self.batches, other.batches),
            inputs: with(self.inputs, other.inputs),
            flushes: with(self.flushes, other.flushes),
            published: with(self.published, other.published),
            produce_requests: with(self.produce_requests, other.produce_requests),
            fetch_requests: with(self.fetch_requests, other.fetch_requests),
            retries: with(self.retries, other.retries),
            dead_letters: with(self.dead_letters, other.dead_letters),
        }
    }
}

/// How many partitions a replica holds; 0 before its group has given it any.
pub async fn partitions(admin: SocketAddr) -> anyhow::Result<f64> {
    Ok(partitions_in(&read(admin).await?))
}

fn partitions_in(text: &str) -> f64 {
    sum(text, "flotilla_partitions", "")
}

async fn read(admin: SocketAddr) -> anyhow::Result<String> {
    let mut client = Client::new(admin);
    let response =
        client.get("/metrics").await.with_context(|| format!("no metrics from {admin}"))?;
    ensure!(response.status == 200, "/metrics at {admin} answers {}", response.status);
    Ok(String::from_utf8_lossy(response.body).into_owned())
}

/// Requests of one kind.
fn requests(text: &str, api: &str) -> f64 {
    let label = format!("api=\"{api}\"");
    let of_kind: Vec<&str> = text.lines().filter(|line| line.contains(&label)).collect();
    sum(&of_kind.join("\n"), "flotilla_kafka_requests", "_total")
}

/// The sum over all labels. The unit may be between the metric's name and the ending.
fn sum(text: &str, metric: &str, ending: &str) -> f64 {
    let value = |line: &str| {
        let (name, _) = line.split_once(['{', ' '])?;
        let unit = name.strip_prefix(metric)?.strip_suffix(ending)?;
        let value = || line.rsplit_once(' ')?.1.parse::<f64>().ok();
        matches!(unit, "" | "_seconds").then(value)?
    };
    text.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP flotilla_batch_inputs Inputs per transaction
# TYPE flotilla_batch_inputs histogram
flotilla_batch_inputs_bucket{otel_scope_name="flotilla",le="1"} 3
flotilla_batch_inputs_sum{otel_scope_name="flotilla"} 120
flotilla_batch_inputs_count{otel_scope_name="flotilla"} 4
flotilla_relay_flush_duration_seconds_count{otel_scope_name="flotilla"} 5
flotilla_relay_flush_duration_seconds_sum{otel_scope_name="flotilla"} 0.25
flotilla_published_messages_total 1.5e2
flotilla_kafka_requests_total{api="produce",otel_scope_name="flotilla"} 6
flotilla_kafka_requests_total{api="fetch",otel_scope_name="flotilla"} 8
flotilla_batch_retries_total{reason="conflict"} 2
flotilla_batch_retries_total{reason="database"} 1
flotilla_dead_letters_waiting{reason="x y"} 9
flotilla_stopped_partitions 7
flotilla_partitions{otel_scope_name="flotilla"} 12
"#;

    #[test]
    fn labels_are_summed_and_units_are_passed_over() {
        let counters = Counters::parse(TEXT);
        let expected = Counters {
            batches: 4.0,
            inputs: 120.0,
            flushes: 5.0,
            published: 150.0,
            produce_requests: 6.0,
            fetch_requests: 8.0,
            retries: 3.0,
            dead_letters: 0.0,
        };
        assert_eq!(counters, expected);
        assert_eq!(counters.and(counters).since(counters), counters);
        assert_eq!(partitions_in(TEXT), 12.0);
    }
}
