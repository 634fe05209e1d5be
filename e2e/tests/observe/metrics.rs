//! What services describe is what they show, and every panel of every dashboard is answered.

use e2e::dashboards;
use e2e::rig::{TURN, open};
use e2e::series;
use serde_json::Value;

use crate::prometheus::Prometheus;

/// What is not there unless something goes wrong, and nothing does.
const OF_TROUBLE: [&str; 8] = [
    "flotilla_batch_retries_total",
    "flotilla_calls_unanswered_total",
    "flotilla_dead_letters_total",
    "flotilla_dead_letters_waiting",
    "flotilla_outbox_set_apart",
    "flotilla_unknown_records_total",
    "flotilla_waits_for",
    // There where the tests run in a control group that has a limit.
    "flotilla_memory_limit_bytes",
];
/// What is recorded or judged from these, and from orders that were refused.
const JUDGED: [&str; 2] = ["ALERTS", "namespace:flotilla_orders_refused"];
/// Of the four variables of a dashboard, those that queries contain, as Grafana sets them where all is chosen. A
/// rate's interval is a minute there; here Prometheus reads every second, and the test is not to take that long.
const VARIABLES: [(&str, &str); 3] =
    [("$__rate_interval", "10s"), ("$namespace", ".*"), ("$service", ".*")];

#[tokio::test]
async fn services_show_what_they_describe_and_every_panel_is_answered() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let prometheus = Prometheus::of(&shop).await;
    let sku = shop.item(2).await.unwrap();
    // A counter is there once it has counted something: the first time it is seen, nothing has been added to it yet.
    for times in ["1", "2"] {
        let completed = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
        shop.ended(completed, "completed").await.unwrap();
        let cancelled = shop.place(&[(&sku, 9)], "DE", "tok_visa").await.unwrap();
        shop.ended(cancelled, "cancelled").await.unwrap();
        assert_eq!(shop.get("order", "/nothing").await.unwrap().0, 404);
        let ends = "min(flotilla_orders_ended_total)";
        prometheus.wait_for(&shop, ends, async |found| found == times).await;
    }
    let recorded = "count({__name__=~'namespace:flotilla_orders_late:ratio_rate(5m|1h|6h)'} > -1)";
    prometheus.wait_for(&shop, recorded, async |found| found == "3").await;

    let described = series::described();
    let expected = described.iter().filter(|name| !OF_TROUBLE.contains(&name.as_str()));
    let expected: Vec<&String> = expected.collect();
    // Some figures are read every few seconds only.
    let shown = shop.wait("services to show what they describe", async || {
        let names = prometheus.get("/api/v1/label/__name__/values", &[]).await?;
        let names = names["data"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let shown = series::named_in(&names.collect::<Vec<_>>().join(" "));
        Ok(expected.iter().all(|name| shown.contains(*name)).then_some(shown))
    });
    let shown = shown.await.unwrap();
    let undescribed: Vec<_> = shown.difference(&described).collect();
    assert!(undescribed.is_empty(), "no service describes {undescribed:?}");

    let mut asked = 0;
    for board in dashboards::all() {
        for (panel, query) in board.queries() {
            let filled =
                VARIABLES.iter().fold(query.clone(), |q, (name, value)| q.replace(name, value));
            let of_trouble = OF_TROUBLE.iter().chain(&JUDGED).any(|name| query.contains(*name));
            let what = format!("{}: {}: {filled}", board.name, panel.title);
            // A rate is there once a figure has been read twice.
            let answered = shop.wait(&what, async || {
                let found = prometheus.ask(&filled).await?;
                Ok((of_trouble || !found.is_empty()).then_some(()))
            });
            answered.await.unwrap();
            asked += 1;
        }
    }
    assert!(asked > 60, "{asked}");
    prometheus.stop().await;
}
