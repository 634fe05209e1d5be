//! A service on request, `examples/loyalty`: started beside the others, it does its work, and every command that is
//! about all services is about this one too.

use local::{Environment, Lifetime};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::runtime::Runtime;

use crate::program::{Fleet, wait_for};

pub(crate) fn services_join_the_fleet(fleet: &Fleet) {
    fleet.ok("local up --with loyalty").says("loyalty postgres");
    // The next start has it too, without being asked.
    fleet.ok("local up").says("loyalty postgres");

    let placed = fleet.ok("--json order place --sku kettle=1 --customer kim").document();
    let order = placed["order_id"].as_str().unwrap();
    fleet.ok(&format!("order watch {order}")).says("OrderCompleted");
    let total = fleet.ok(&format!("--json order show {order}")).document()["total_minor"].clone();
    // A point for each whole hundred.
    let earned = total.as_i64().unwrap() / 100;
    assert!(earned > 0, "{total}");
    wait_for("the points", || (points_of(fleet, "kim")? == earned).then_some(()));

    fleet.ok(&format!("order return {order}"));
    fleet.ok(&format!("order watch {order}")).says("OrderReturned");
    wait_for("the points to go", || (points_of(fleet, "kim")? == 0).then_some(()));

    let told = fleet.ok(&format!("events tail --from-beginning --idle-seconds 3 --key {order}"));
    assert_eq!(told.stdout.matches("PointsChanged").count(), 2, "{}", told.stdout);
    fleet.ok("topics check").says("loyalty.events").says("loyalty.dead-letter");
    fleet.ok("schema list").says("flotilla.loyalty.v1.PointsChanged");
    fleet.ok("local status").says("loyalty");
    fleet.ok("local logs loyalty").says("ready");
    fleet.ok("dlq list --service loyalty");
    fleet.ok("offsets list --service loyalty").says("order.events");

    fleet.ok("audit --wait-seconds 60").says("holds");
    published_more_by(fleet, 1);
    fleet.run("audit --wait-seconds 5").with_code(1).says("loyalty.events");
    published_more_by(fleet, -1);
    fleet.ok("audit --wait-seconds 60").says("holds");
}

/// Has loyalty's tables say that it has published more than it did.
fn published_more_by(fleet: &Fleet, more: i64) {
    let environment = Environment::new(fleet.settings.clone(), Lifetime::UntilStopped);
    let url = environment.superuser_url("loyalty").unwrap();
    let plant = async {
        let mut db = PgConnection::connect(&url).await?;
        let sql = "update order_points set sequence = sequence + $1";
        sqlx::query(sql).bind(more).execute(&mut db).await
    };
    assert!(runtime().block_on(plant).unwrap().rows_affected() > 0);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What the service says over HTTP.
fn points_of(fleet: &Fleet, customer: &str) -> Option<i64> {
    let port = fleet.settings.ports.get("loyalty");
    let url = format!("http://127.0.0.1:{port}/customers/{customer}/points");
    let asked = async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(url).send().await?.error_for_status()?.text().await
    };
    let answer: Value = serde_json::from_str(&runtime().block_on(asked).ok()?).ok()?;
    answer["points"].as_i64()
}
