//! Orders through all four services without Kafka and HTTP: what one has published is handed to those that
//! hear it, batch by batch, as soon as it is committed.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Result, ensure};
use chassis::measuring::{Detached, Row};
use chassis::{App, Env, Service};
use events::{OrderId, Sku};
use inventory::Inventory;
use order::{Input, Orders, PlaceOrder, Wanted};
use payment::Payments;
use shipping::Shipments;

use super::servers::{SKUS, Servers};
use crate::request::sku;

/// The last that is heard of an order that went well.
const END: &str = "flotilla.order.v1.OrderCompleted";

/// Everything that the services published for some orders, in sequence.
pub(super) type Round = Vec<Row>;

/// The four services, each with its database.
pub(super) struct Fleet {
    order: Detached<Orders>,
    payment: Detached<Payments>,
    inventory: Detached<Inventory>,
    shipping: Detached<Shipments>,
    /// Orders placed so far.
    placed: u32,
}

impl Fleet {
    pub(super) async fn start(servers: &Servers) -> Result<Self> {
        Ok(Fleet {
            order: start(servers, order::app).await?,
            payment: start(servers, payment::app).await?,
            inventory: start(servers, inventory::app).await?,
            shipping: start(servers, shipping::app).await?,
            placed: 0,
        })
    }

    /// Places this many orders at once and takes them to their ends.
    pub(super) async fn round(&mut self, orders: usize) -> Result<Round> {
        let places: Vec<Input> = (0..orders).map(|_| self.place()).collect::<Result<_>>()?;
        let mut waiting = VecDeque::from(self.order.command(places).await?);
        let (mut published, mut ended) = (Vec::new(), 0);
        while let Some(row) = waiting.pop_front() {
            let records = row.records();
            ended += records.iter().filter(|record| record.event_type() == END).count();
            waiting.extend(self.order.hear(&records).await?);
            waiting.extend(self.payment.hear(&records).await?);
            waiting.extend(self.inventory.hear(&records).await?);
            waiting.extend(self.shipping.hear(&records).await?);
            published.push(row);
        }
        ensure!(ended == orders, "{ended} of {orders} orders were completed");
        Ok(published)
    }

    /// Makes every Postgres count what was done.
    pub(super) async fn tell_statistics(&mut self) -> Result<()> {
        self.order.tell_statistics().await?;
        self.payment.tell_statistics().await?;
        self.inventory.tell_statistics().await?;
        self.shipping.tell_statistics().await
    }

    /// The next order, of one line, as the route makes it from a request.
    fn place(&mut self) -> Result<Input> {
        let order_id = OrderId::now();
        let line = Wanted { sku: Sku::new(sku(self.placed % SKUS))?, quantity: 1 };
        self.placed += 1;
        Ok(Input::Place(Arc::new(PlaceOrder {
            order_id,
            customer_id: "bench".to_owned(),
            lines: vec![line],
            destination: "DE".to_owned(),
            payment_token: "tok_visa".to_owned(),
            currency: None,
            key: order_id.to_string().into(),
            fingerprint: [7; 32],
        })))
    }
}

/// The settings of services whose calls outside stay in the process.
pub(super) fn in_process() -> Env {
    let providers = ["FLOTILLA_PROVIDER", "FLOTILLA_CARRIER"];
    Env::from_fn(move |name| providers.contains(&name).then(|| "in-process".to_owned()))
}

async fn start<S: Service>(servers: &Servers, app: fn(&mut Env) -> App<S>) -> Result<Detached<S>> {
    Detached::start(app(&mut in_process()), &servers.app_url(S::NAME).await?).await
}
