//! Past decisions made again by the program of a service, over what is on real topics.

use chassis::Registry;
use chassis::testing::{Framer, Outsider};
use events::{
    Events, OrderConfirmed, OrderEvent, OrderId, RefusalReason, ShipmentDispatched,
    ShipmentRefused, ShippingEvent,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::{Said, flotilla, servers};

/// When everything happened, as the header and the event have it.
const TIME: &str = "2026-09-21T14:13:20.123456Z";
const TIME_MICROS: i64 = 1_790_000_000_123_456;

/// Publishes as the services do.
struct Fleet {
    outsider: Outsider,
    registry: Registry,
}

impl Fleet {
    async fn new() -> Self {
        assert_eq!(flotilla(&["topics", "apply"]).await.code, 0);
        assert_eq!(flotilla(&["schema", "register"]).await.code, 0);
        let servers = servers().await;
        let outsider = Outsider::new(&servers.kafka_brokers()).unwrap();
        Fleet { outsider, registry: Registry::new(&servers.registry_url()) }
    }

    async fn publish<E: Events>(&self, source: &str, sequence: i64, event: E) {
        let framer = Framer::new::<E>(&self.registry).await.unwrap();
        let (key, sequence) = (event.key(), sequence.to_string());
        let id = format!("{key}/{sequence}");
        let headers = [
            ("ce_id", id.as_str()),
            ("ce_source", source),
            ("ce_type", E::RECORDS[event.record()].full_name),
            ("ce_time", TIME),
            ("ce_sequence", &sequence),
        ];
        let value = framer.value(&event).unwrap();
        self.outsider.send(E::TOPIC, &key, &headers, Some(&value)).await.unwrap();
    }

    async fn confirmed(&self) -> OrderId {
        let order_id = OrderId(Uuid::new_v4());
        let confirmed =
            OrderConfirmed { order_id, destination: "DE".to_owned(), occurred_at: TIME_MICROS };
        self.publish::<OrderEvent>("order", 2, confirmed.into()).await;
        order_id
    }

    async fn dispatched(&self, order_id: OrderId, sequence: i64) {
        let tracking_code = "T1".to_owned();
        let said = ShipmentDispatched { order_id, tracking_code, occurred_at: TIME_MICROS };
        self.publish::<ShippingEvent>("shipping", sequence, said.into()).await;
    }

    async fn refused(&self, order_id: OrderId) {
        let reason = RefusalReason::GoodsNotAccepted;
        let said = ShipmentRefused { order_id, reason, occurred_at: TIME_MICROS };
        self.publish::<ShippingEvent>("shipping", 1, said.into()).await;
    }
}

async fn verify(args: &[&str]) -> (Said, Value) {
    let verify = ["--json", "verify", "--service", "shipping"];
    let said = flotilla(&[&verify[..], args].concat()).await;
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let report = document["services"][0].clone();
    (said, report)
}

/// One test, as all of it is on the same topics.
#[tokio::test]
async fn a_build_is_told_from_the_one_that_decided_by_what_it_would_say() {
    let fleet = Fleet::new().await;
    let (said, report) = verify(&["--quiet", "0"]).await;
    assert_eq!((said.code, &report["same"]), (3, &json!(0)), "no proof is no success");

    let well = fleet.confirmed().await;
    fleet.dispatched(well, 1).await;
    let (said, report) = verify(&["--quiet", "0"]).await;
    assert_eq!((said.code, &report["same"], &report["different"]), (0, &json!(1), &json!(0)));
    let (said, report) = verify(&[]).await;
    assert_eq!(said.code, 3, "its answer may be on its way: {report}");

    // What is refused is not dispatched afterwards; and this one's first event is gone.
    let odd = fleet.confirmed().await;
    fleet.refused(odd).await;
    fleet.dispatched(odd, 2).await;
    let cut = fleet.confirmed().await;
    fleet.dispatched(cut, 2).await;
    let (said, report) = verify(&["--quiet", "0"]).await;
    assert_eq!(said.code, 1, "{report}");
    assert_eq!(report["unjudged"]["an event is no longer on its topic"], 1, "{report}");
    let kind = json!({
        "state": "Refused",
        "heard": null,
        "says": [],
        "said": "ShipmentDispatched",
        "keys": 1,
        "example": odd.to_string(),
    });
    assert_eq!(report["differences"], json!([kind]));
    let (_said, report) = verify(&["--quiet", "0", "--keys", "1"]).await;
    assert_eq!(report["unjudged"]["there were more keys than --keys"], 2, "{report}");

    let explain = async |order: OrderId| {
        flotilla(&["explain", &order.to_string(), "--service", "shipping"]).await
    };
    let said = explain(well).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("OrderConfirmed"), "{}", said.stdout);
    assert!(said.stdout.contains("New -> Booking"), "{}", said.stdout);
    assert!(said.stdout.contains("Booking -> Dispatched; said ShipmentDispatched"));
    let said = explain(odd).await;
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("this build differs in Refused, everything heard: says nothing"));
    let said = explain(OrderId(Uuid::new_v4())).await;
    assert_eq!(said.code, 3);
    assert!(said.stdout.contains("nothing was heard or said about it"), "{}", said.stdout);

    let nowhere = ["verify", "--service", "shipping", "--programs", "/nowhere"];
    let said = flotilla(&nowhere).await;
    assert_eq!(said.code, 5);
    assert!(said.stderr.contains("cannot run /nowhere/shipping"), "{}", said.stderr);
}
