//! The carrier inside the process. The booking and the cancellation of an order meet here, and the
//! first that comes decides.

use uuid::Uuid;

use super::recent::Recent;
use super::{Desk, Done, Failure, Timing};
use crate::carrier::{self, Parcel};
use crate::ledger::ShipmentFigures;
use crate::manner::Manner;

/// The carrier inside the process.
#[derive(Debug)]
pub struct Carrier {
    desk: Desk<Parcel>,
}

impl Carrier {
    /// A carrier that answers with that timing.
    pub fn new(timing: Timing) -> Self {
        Self { desk: Desk::new(timing) }
    }

    /// Books a shipment.
    pub async fn book(&self, order: Uuid, destination: &str) -> Result<ShipmentFigures, Failure> {
        let manner = carrier::manner(destination);
        let manner_now =
            self.desk.look(order, |known| if known.is_some() { Manner::Prompt } else { manner });
        let destination = destination.to_owned();
        let step = move |recent: &mut Recent<Parcel>| {
            let known = recent.get(order);
            let (first, parcel) = (known.is_none(), Parcel::book(known, &destination)?);
            Ok(Done { answer: remember(recent, order, first, parcel), first, manner })
        };
        self.desk.step(manner_now, step).await
    }

    /// Cancels a shipment, unless it is under way.
    pub async fn cancel(&self, order: Uuid) -> Result<ShipmentFigures, Failure> {
        let step = move |recent: &mut Recent<Parcel>| {
            let known = recent.get(order);
            let (first, parcel) = (known.is_none(), Parcel::cancel(known));
            let answer = remember(recent, order, first, parcel);
            Ok(Done { answer, first, manner: Manner::Prompt })
        };
        self.desk.step(Manner::Prompt, step).await
    }
}

fn remember(
    recent: &mut Recent<Parcel>,
    order: Uuid,
    first: bool,
    parcel: Parcel,
) -> ShipmentFigures {
    let answer = ShipmentFigures::of(order, &parcel);
    if first {
        recent.put(order, parcel);
    }
    answer
}
