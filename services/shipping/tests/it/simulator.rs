//! The carrier's simulator, as a server on the loopback with a ledger that tests look into.

use std::sync::Arc;
use std::time::Duration;

use events::OrderId;
use reqwest::Url;
use sandbox::conduct::{Conduct, Settings};
use sandbox::ledger::ShipmentFigures;
use sandbox::simulator::Simulator;
use shipping::carrier::Http;
use tokio::net::TcpListener;

/// Long enough for a busy machine, short enough to wait for.
const TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Carrier {
    url: Url,
    simulator: Arc<Simulator>,
}

/// Starts a simulator that ends with the test.
pub(crate) async fn start() -> Carrier {
    // Answers are held back longer than the client waits, and slow calls take longer, too.
    let settings = Settings { slow_ms: 3_000, ..Settings::default() };
    let simulator = Simulator::in_memory(Conduct::new(settings, 1));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let server = sandbox::http::serve(listener, simulator.clone(), std::future::pending());
    tokio::spawn(server);
    Carrier { url, simulator }
}

impl Carrier {
    pub(crate) fn client(&self) -> Http {
        self.client_with_key("sk_test_123")
    }

    pub(crate) fn client_with_key(&self, key: &str) -> Http {
        Http::new(self.url.clone(), key, TIMEOUT).unwrap()
    }

    /// How the shipment of an order ended, as far as the carrier has heard of it.
    pub(crate) async fn shipment(&self, order: OrderId) -> Option<ShipmentFigures> {
        let found = self.simulator.look_up(|ledger| ledger.order(order.0)).await;
        found.expect("it has no journal").and_then(|order| order.shipment)
    }
}
