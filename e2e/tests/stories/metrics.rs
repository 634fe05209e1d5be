//! What operators see of the orders.

use crate::shop;

/// The value of one series of the order service, once it is there.
async fn series(metric: &str, label: &str) -> Option<f64> {
    let fleet = &shop().await.fleet;
    let url = format!("{}/metrics", fleet.admin_url("order"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let text = client.get(url).send().await.unwrap().text().await.unwrap();
    let of_metric = |line: &&str| {
        line.strip_prefix(metric).is_some_and(|rest| rest.starts_with('{') && rest.contains(label))
    };
    text.lines().find(of_metric)?.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test]
async fn steps_compensations_and_ends_of_orders_are_counted() {
    let shop = shop().await;
    let sku = shop.item(2).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    let order = shop.place(&[(&sku, 5)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "cancelled").await.unwrap();
    // Counted right after the commit that the caller saw.
    let counted = [
        ("flotilla_order_step_duration_seconds_count", "step=\"confirmed\""),
        ("flotilla_order_step_duration_seconds_count", "step=\"completed\""),
        ("flotilla_order_step_duration_seconds_count", "step=\"compensated\""),
        ("flotilla_order_compensations_total", "reason=\"out_of_stock\""),
        ("flotilla_orders_ended_total", "state=\"completed\""),
        ("flotilla_orders_ended_total", "state=\"cancelled\""),
    ];
    for (metric, label) in counted {
        shop.wait(metric, async || {
            Ok(series(metric, label).await.filter(|count| *count >= 1.0).map(|_| ()))
        })
        .await
        .unwrap();
    }
    // Other stories have orders of their own under way: only that they are shown.
    assert!(series("flotilla_orders_open", "state=\"placed\"").await.is_some());
    assert!(series("flotilla_orders_oldest_open_age_seconds", "").await.is_some());
}
