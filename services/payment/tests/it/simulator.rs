//! The payment provider's simulator, as a server on the loopback with a ledger that tests look into.

use std::sync::Arc;
use std::time::Duration;

use events::{Money, OrderId};
use payment::provider::Http;
use reqwest::Url;
use sandbox::conduct::{Change, Conduct, Settings};
use sandbox::ledger::PaymentFigures;
use sandbox::simulator::Simulator;
use tokio::net::TcpListener;

/// Long enough for a busy machine, short enough to wait for.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The age of a call that was asked for a moment ago.
pub(crate) const FRESH: Duration = Duration::ZERO;
/// The age of a call whose key a provider no longer knows.
pub(crate) const OLD: Duration = Duration::from_secs(90_000);

pub(crate) struct Provider {
    url: Url,
    simulator: Arc<Simulator>,
}

/// Starts a simulator that ends with the test.
pub(crate) async fn start() -> Provider {
    start_with(Change::default()).await
}

/// The same, with other settings.
pub(crate) async fn start_with(change: Change) -> Provider {
    // Answers are held back longer than the client waits, and slow calls take longer, too.
    let settings = Settings { slow_ms: 3_000, ..Settings::default() }.changed(change).unwrap();
    let simulator = Simulator::in_memory(Conduct::new(settings, 1));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let server = sandbox::http::serve(listener, simulator.clone(), std::future::pending());
    tokio::spawn(server);
    Provider { url, simulator }
}

impl Provider {
    pub(crate) fn client(&self) -> Http {
        self.client_with_key("sk_test_123")
    }

    pub(crate) fn client_with_key(&self, key: &str) -> Http {
        Http::new(self.url.clone(), key, TIMEOUT).unwrap()
    }

    /// Changes how it behaves.
    pub(crate) fn change(&self, change: Change) {
        self.simulator.conduct.change(change).unwrap();
    }

    /// The payments of an order, one if all is well.
    pub(crate) async fn payments(&self, order: OrderId) -> Vec<PaymentFigures> {
        let found = self.simulator.look_up(|ledger| ledger.order(order.0)).await;
        found.expect("it has no journal").map(|order| order.payments).unwrap_or_default()
    }
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::new(minor, "EUR".parse().unwrap())
}
