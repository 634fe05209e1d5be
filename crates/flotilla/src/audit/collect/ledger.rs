//! The sandbox's ledger: what the providers say about each order.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::audit::facts::LedgerFact;
use crate::fleet::Fleet;

/// Orders per page.
const PAGE: &str = "1000";
/// How long a page may take; it takes milliseconds.
const PAGE_PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn read(fleet: &Fleet) -> Result<LedgerFact> {
    let http = reqwest::Client::builder().no_proxy().timeout(PAGE_PATIENCE).build()?;
    let mut ledger = LedgerFact::default();
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE.to_owned())];
        query.extend(after.map(|after| ("after", after)));
        let request = http.get(format!("{}/ledger", fleet.url("sandbox"))).query(&query);
        let page: Value = request.send().await?.error_for_status()?.json().await?;
        for order in page["orders"].as_array().into_iter().flatten() {
            let Some(id) = order["order_id"].as_str().and_then(|id| id.parse().ok()) else {
                continue;
            };
            let sum = |name: &str| -> i64 {
                let payments = order["payments"].as_array().into_iter().flatten();
                payments.filter_map(|payment| payment[name].as_i64()).sum()
            };
            ledger.kept_minor.insert(id, sum("captured_minor") - sum("refunded_minor"));
            ledger.held_minor.insert(id, sum("held_minor"));
            ledger.dispatched.insert(id, order["shipment"]["status"] == "dispatched");
        }
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return Ok(ledger),
        }
    }
}
