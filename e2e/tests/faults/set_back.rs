//! A database server is killed and its folder set back to a copy, under a fleet that goes on: what the
//! services do about it by themselves, and what the runbook has an operator do.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use e2e::shop::Shop;
use flotilla::audit;
use sqlx::Connection;
use uuid::Uuid;

use e2e::rig::{REST, TURN, open};

/// A copy of a server's folder.
struct Kept {
    service: &'static str,
    data: PathBuf,
    copy: PathBuf,
}

impl Kept {
    /// Kills the server, copies its folder and starts it again.
    async fn of(shop: &Shop, service: &'static str) -> Self {
        let servers = local::testing::own_servers().await.unwrap();
        let folder = servers.environment().settings().root.join("postgres").join(service);
        let kept = Kept { service, data: folder.join("data"), copy: folder.join("data.kept") };
        servers.kill(&format!("postgres-{service}")).await.unwrap();
        std::fs::remove_dir_all(&kept.copy).ok();
        copy(&kept.data, &kept.copy);
        servers.restart().await.unwrap();
        shop.accepts(service).await.unwrap();
        kept
    }

    /// Kills the server, puts the copy in the place of its folder and starts it again.
    async fn put_back(self, shop: &Shop) {
        let servers = local::testing::own_servers().await.unwrap();
        servers.kill(&format!("postgres-{}", self.service)).await.unwrap();
        std::fs::remove_dir_all(&self.data).unwrap();
        copy(&self.copy, &self.data);
        std::fs::remove_dir_all(&self.copy).unwrap();
        servers.restart().await.unwrap();
        shop.accepts(self.service).await.unwrap();
    }
}

/// With owners and rights, as Postgres wants them.
fn copy(from: &PathBuf, to: &PathBuf) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// Places orders that end in both ways.
async fn place_some(shop: &Shop, sku: &str) -> Vec<(Uuid, &'static str)> {
    let mut placed = Vec::new();
    for (token, destination, end) in [
        ("tok_visa", "DE", "completed"),
        ("tok_declined", "DE", "cancelled"),
        ("tok_visa", "AQ", "cancelled"),
        ("tok_visa", "FR", "completed"),
    ] {
        placed.push((shop.place(&[(sku, 2)], destination, token).await.unwrap(), end));
    }
    placed
}

async fn all_ended(shop: &Shop, orders: &[(Uuid, &'static str)]) {
    for (order, end) in orders {
        shop.ended(*order, end).await.unwrap();
    }
}

/// What the runbook says: a service hears everything again.
async fn hear_again(shop: &Shop, service: &'static str) {
    psql(shop, service, &["-c", "update flotilla.offsets set next_offset = 0"], Stdio::null())
        .await;
}

/// As the database's owner, who is nobody's superuser.
async fn psql(shop: &Shop, service: &'static str, args: &[&str], input: Stdio) -> String {
    let url = shop.fleet.environment().database(service).await.unwrap().owner_url;
    said(Command::new("psql").arg(url).args(args).stdin(input).output().unwrap())
}

fn said(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Orders end before and after a copy of a participant's database is made; then it is set back to that
/// copy, and more orders end.
async fn set_back(service: &'static str) -> (Shop, String) {
    let shop = open().await.unwrap();
    let sku = shop.item(100).await.unwrap();
    all_ended(&shop, &place_some(&shop, &sku).await).await;
    let kept = Kept::of(&shop, service).await;
    all_ended(&shop, &place_some(&shop, &sku).await).await;
    shop.wait_for_units(&sku, (92, 0, 8)).await.unwrap();
    kept.put_back(&shop).await;
    all_ended(&shop, &place_some(&shop, &sku).await).await;
    (shop, sku)
}

#[tokio::test]
async fn inventory_deducts_what_its_database_forgot_that_it_had_deducted() {
    let _turn = TURN.lock().await;
    let (shop, sku) = set_back("inventory").await;
    shop.wait_for_units(&sku, (88, 0, 12)).await.unwrap();
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
}

#[tokio::test]
async fn shipping_asks_the_carrier_again_and_nothing_is_sent_twice() {
    let _turn = TURN.lock().await;
    let (shop, _sku) = set_back("shipping").await;
    wait_until_clean(&shop).await;
}

#[tokio::test]
async fn payment_captures_what_its_database_forgot_once_it_has_heard_everything_again() {
    let _turn = TURN.lock().await;
    let (shop, _sku) = set_back("payment").await;
    // What order said of an order that was authorized long ago came before the provider's answer.
    wait_until_known(&shop, "payment", "select count(*) from payments").await;
    hear_again(&shop, "payment").await;
    wait_until_clean(&shop).await;
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.notes.iter().any(|note| note.contains("told again")), "{:?}", report.notes);
}

#[tokio::test]
async fn order_gets_back_from_its_own_topic_what_its_database_lost() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(100).await.unwrap();
    shop.fleet.stop_service("payment").await.unwrap();
    let before = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.happened(before, "StockReserved").await.unwrap();
    let kept = Kept::of(&shop, "order").await;
    shop.fleet.start_service("payment").await.unwrap();
    let lost = place_some(&shop, &sku).await;
    all_ended(&shop, &lost).await;
    shop.ended(before, "completed").await.unwrap();
    shop.fleet.stop_service("payment").await.unwrap();
    let unconfirmed = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.happened(unconfirmed, "StockReserved").await.unwrap();
    kept.put_back(&shop).await;
    shop.fleet.start_service("payment").await.unwrap();
    // What is placed from now on goes its way.
    let after = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(after, "completed").await.unwrap();
    let report = audit::run(&shop.fleet, std::time::Duration::ZERO).await.unwrap();
    let told = report.broken();
    assert!(told.contains("known to the service"), "{told}");

    let nowhere = recover_orders(&shop).await;
    assert_eq!(nowhere, [unconfirmed]);
    for order in nowhere {
        assert_eq!(shop.act(order, "cancel").await.unwrap().0, 202);
    }
    hear_again(&shop, "order").await;
    shop.ended(before, "completed").await.unwrap();
    all_ended(&shop, &lost).await;
    shop.ended(unconfirmed, "cancelled").await.unwrap();
    wait_until_clean(&shop).await;
}

/// The two commands of the runbook; returns the orders that are to be cancelled.
async fn recover_orders(shop: &Shop) -> Vec<Uuid> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let settings = shop.fleet.environment().settings();
    let file = settings.root.join("order.events.json");
    let deps = std::env::current_exe().unwrap();
    let flotilla = deps.parent().unwrap().parent().unwrap().join("flotilla");
    let tail = Command::new(flotilla)
        .args(["events", "tail", "--topic", "order.events", "--from-beginning"])
        .args(["--idle-seconds", "10", "--json"])
        .env("FLOTILLA_STATE", &settings.root)
        .env("FLOTILLA_BASE_PORT", settings.ports.base().to_string())
        .output();
    std::fs::write(&file, said(tail.unwrap())).unwrap();
    let script = format!("{root}/services/order/recover-orders.sql");
    let input = Stdio::from(std::fs::File::open(&file).unwrap());
    let text = psql(shop, "order", &["-q", "-f", &script], input).await;
    let last = text.rsplit("where it was to go:").next().unwrap();
    last.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// Waits until a participant's answers to all that order told are there.
async fn wait_until_known(shop: &Shop, service: &'static str, count: &'static str) {
    let url = |service| shop.fleet.environment().superuser_url(service).unwrap();
    let mut order = sqlx::PgConnection::connect(&url("order")).await.unwrap();
    let mut its = sqlx::PgConnection::connect(&url(service)).await.unwrap();
    shop.wait("every order to be known", async || {
        let orders: i64 =
            sqlx::query_scalar("select count(*) from orders").fetch_one(&mut order).await?;
        let known: i64 = sqlx::query_scalar(count).fetch_one(&mut its).await?;
        let open: i64 =
            sqlx::query_scalar("select count(*) from flotilla.intents").fetch_one(&mut its).await?;
        Ok((known == orders && open == 0).then_some(()))
    })
    .await
    .unwrap();
}

async fn wait_until_clean(shop: &Shop) {
    let started = std::time::Instant::now();
    loop {
        let report = audit::run(&shop.fleet, REST).await.unwrap();
        if report.is_clean() {
            return;
        }
        assert!(started.elapsed() < REST, "{}", report.broken());
    }
}
