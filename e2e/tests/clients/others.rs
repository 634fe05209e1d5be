//! What knows nothing of the fleet and has to read its records all the same: an SDK for CloudEvents, and Kafka's own
//! tools.

use std::path::Path;
use std::process::Command;

use e2e::rig::{TURN, open};
use e2e::shop::Shop;
use local::Programs;
use serde_json::Value;

use crate::languages::{installed, said, settings};
use crate::records;

/// One of Kafka's tools, told where the fleet's Kafka is: what `bin/kafka-….sh` of its distribution starts.
pub(crate) fn kafka_tool(shop: &Shop, class: &str) -> Command {
    let programs = Programs::find().unwrap();
    let mut java = Command::new(programs.java.join("bin/java"));
    java.args(["-XX:TieredStopAtLevel=1", "-Dlog4j2.level=error", "-cp"]);
    java.arg(programs.kafka.join("*")).arg(format!("org.apache.kafka.tools.{class}"));
    java.args(["--bootstrap-server", &shop.fleet.environment().kafka_brokers()]);
    java
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_for_cloud_events_reads_every_event_of_an_order_unaided() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(3).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    shop.published("order").await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/cloudevent.py");
    let mut python = Command::new(installed("bin/python"));
    let text = said(python.envs(settings(&shop)).arg(script).arg(order.to_string()));
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = records::of_order(&shop, order);
    assert_eq!(events.len(), expected.len(), "{text}");
    for record in expected {
        let header = |name| record.header(name).unwrap_or_default();
        let (source, id) = (header("ce_source"), header("ce_id"));
        let found = events.iter().find(|event| event["source"] == source && event["id"] == id);
        let found = found.unwrap_or_else(|| panic!("{source} {id} is missing: {text}"));
        for (attribute, name) in [
            ("specversion", "ce_specversion"),
            ("type", "ce_type"),
            ("subject", "ce_subject"),
            ("sequence", "ce_sequence"),
            ("correlationid", "ce_correlationid"),
            ("datacontenttype", "content-type"),
        ] {
            assert_eq!(found[attribute], header(name), "{found}");
        }
        assert_eq!(found["partitionkey"], order.to_string(), "{found}");
        assert_eq!(found["time"], header("ce_time"), "{found}");
        let value = record.value.unwrap_or_default();
        assert_eq!(found["data"], hex(&value), "{found}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_console_consumer_shows_an_orders_headers() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(3).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    shop.published("order").await.unwrap();
    let mut tool = kafka_tool(&shop, "consumer.ConsoleConsumer");
    tool.args(["--topic", "order.events", "--from-beginning", "--timeout-ms", "5000"]);
    for property in ["print.headers=true", "print.key=true", "print.partition=true"] {
        tool.args(["--formatter-property", property]);
    }
    let run = tool.output().unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    for record in records::of(&shop, &["order.events"], &[order.to_string()]) {
        let headers: Vec<String> =
            record.headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let line = format!("Partition:{}\t{}\t{order}\t", record.partition, headers.join(","));
        assert!(text.contains(&line), "{line} is missing:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_tool_for_groups_shows_the_lag_that_our_metric_shows() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(20).await.unwrap();
    // What payment has not heard: a few orders on its partitions.
    shop.fleet.stop_service("payment").await.unwrap();
    for _ in 0..6 {
        let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
        shop.happened(order, "OrderPlaced").await.unwrap();
    }
    shop.published("order").await.unwrap();
    let behind = lag_of_group(&shop, "payment");
    assert_eq!(behind.iter().map(|(_, lag)| lag).sum::<u64>(), 6, "{behind:?}");
    shop.fleet.start_service("payment").await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/metrics", shop.fleet.admin_url("payment"));
    let waited = shop.wait("the tool and the metric to agree that nothing is left", async || {
        let text = http.get(&url).send().await?.text().await?;
        let metric = lag_in(&text);
        let tool = lag_of_group(&shop, "payment");
        let all_read = tool.iter().all(|(_, lag)| *lag == 0);
        Ok((metric == tool && all_read).then_some(()))
    });
    waited.await.unwrap();
}

/// The lag of each partition of `order.events` by the tool, in their order.
fn lag_of_group(shop: &Shop, group: &str) -> Vec<(u32, u64)> {
    let mut tool = kafka_tool(shop, "consumer.group.ConsumerGroupCommand");
    let table = said(tool.args(["--describe", "--group", group]));
    let row = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [of, "order.events", partition, _, _, lag, ..] = columns[..] else { return None };
        Some((partition.parse().ok()?, lag.parse().ok()?)).filter(|_| of == group)
    };
    let mut rows: Vec<(u32, u64)> = table.lines().filter_map(row).collect();
    rows.sort_unstable();
    rows
}

/// The same by the metric.
fn lag_in(metrics: &str) -> Vec<(u32, u64)> {
    let of = |line: &str| {
        let labels = line.strip_prefix("flotilla_consumer_lag{")?;
        let (labels, value) = labels.split_once("} ")?;
        let partition = labels.split("partition=\"").nth(1)?.split('"').next()?;
        Some((partition.parse().ok()?, value.parse().ok()?))
            .filter(|_| labels.contains("topic=\"order.events\""))
    };
    let mut rows: Vec<(u32, u64)> = metrics.lines().filter_map(of).collect();
    rows.sort_unstable();
    rows
}
