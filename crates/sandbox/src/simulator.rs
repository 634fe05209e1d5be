//! The simulator behind its HTTP surface: applies an act to the ledger, has it written, and says how to
//! answer it. The ledger's lock is held only for the act, never across a wait.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::carrier::{Parcel, RefusedCall};
use crate::conduct::Conduct;
use crate::journal::{self, Durability, Journal, JournalError, NotRecorded, Replayed};
use crate::ledger::{Applied, Entry, Ledger, PaymentAct, PaymentError, Receipt, ShipmentAct};
use crate::manner::Manner;

/// A provider and a carrier with a common ledger.
#[derive(Debug)]
pub struct Simulator {
    ledger: Mutex<Ledger>,
    journal: Option<Journal>,
    /// How well it behaves.
    pub conduct: Conduct,
}

/// Something that the ledger can be asked to do.
pub trait Act: Into<Entry> + Send + 'static {
    /// What it answers.
    type Answer: Send + 'static;
    /// Why it refuses.
    type Refusal: Send + 'static;

    /// How it will be answered, and `None` when it was carried out before.
    fn manner(&self, ledger: &Ledger) -> Option<Manner>;

    /// Whether a refusal was given before, under the same key.
    fn is_replay(_refusal: &Self::Refusal) -> bool {
        false
    }

    /// Whether a refusal has still changed the ledger, so that the journal must know of it.
    fn changes(_refusal: &Self::Refusal) -> bool {
        false
    }

    /// Carries it out.
    fn apply(&self, ledger: &mut Ledger) -> Result<Applied<Self::Answer>, Self::Refusal>;
}

/// An act without an effect to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsettled<R> {
    /// The rules refuse it.
    Refused(R),
    /// It was applied in memory and could not be written.
    NotRecorded,
}

impl Simulator {
    /// A simulator that forgets everything when it ends.
    pub fn in_memory(conduct: Conduct) -> Arc<Self> {
        Arc::new(Self { ledger: Mutex::default(), journal: None, conduct })
    }

    /// A simulator that continues where the journal ends.
    pub fn open(
        journal: &Path,
        durability: Durability,
        conduct: Conduct,
    ) -> Result<(Arc<Self>, Replayed), JournalError> {
        let (ledger, journal, replayed) = journal::open(journal, durability)?;
        let simulator = Self { ledger: Mutex::new(ledger), journal: Some(journal), conduct };
        Ok((Arc::new(simulator), replayed))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Every rule is checked before anything is changed, so a panic leaves nothing half done.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out an act and waits until it is written. A slow one waits before that, in its own task:
    /// it must eventually be done even if the caller has given up, or a caller less patient than the
    /// slow latency would never see it done.
    pub async fn settle<A: Act>(
        self: &Arc<Self>,
        act: A,
    ) -> Result<Applied<A::Answer>, Unsettled<A::Refusal>> {
        let manner = act.manner(&self.ledger());
        if manner != Some(Manner::Slow) {
            return self.settle_now(act).await;
        }
        let simulator = Arc::clone(self);
        let slowly = tokio::spawn(async move {
            tokio::time::sleep(simulator.conduct.settings().slow()).await;
            simulator.settle_now(act).await
        });
        slowly.await.unwrap_or(Err(Unsettled::NotRecorded))
    }

    /// Waits until the journal can no longer be written, which normally is never.
    pub async fn failed(&self) {
        match &self.journal {
            Some(journal) => journal.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Looks something up. What is shown must be in the journal, like what was done: a caller must never
    /// hear of an act that a kill then undoes.
    pub async fn look_up<T>(&self, look: impl FnOnce(&Ledger) -> T) -> Result<T, NotRecorded> {
        let (found, number) = {
            let ledger = self.ledger();
            (look(&ledger), self.journal.as_ref().map(Journal::last))
        };
        self.written(number).await?;
        Ok(found)
    }

    async fn written(&self, number: Option<u64>) -> Result<(), NotRecorded> {
        match (&self.journal, number) {
            (Some(journal), Some(number)) => journal.written(number).await,
            (None, _) | (_, None) => Ok(()),
        }
    }

    async fn settle_now<A: Act>(
        &self,
        act: A,
    ) -> Result<Applied<A::Answer>, Unsettled<A::Refusal>> {
        let (applied, number) = {
            let mut ledger = self.ledger();
            let applied = act.apply(&mut ledger);
            let changed = match &applied {
                Ok(applied) => applied.first,
                Err(refusal) => A::changes(refusal),
            };
            let number = self.journal.as_ref().map(|journal| match changed {
                true => journal.append(&act.into()),
                false => journal.last(),
            });
            (applied, number)
        };
        self.written(number).await.map_err(|NotRecorded| Unsettled::NotRecorded)?;
        applied.map_err(Unsettled::Refused)
    }
}

impl Act for PaymentAct {
    type Answer = Receipt;
    type Refusal = PaymentError;

    fn manner(&self, ledger: &Ledger) -> Option<Manner> {
        ledger.manner_of_payment(self)
    }

    fn is_replay(refusal: &PaymentError) -> bool {
        matches!(refusal, PaymentError::Broken { first: false })
    }

    fn changes(refusal: &PaymentError) -> bool {
        refusal.changes()
    }

    fn apply(&self, ledger: &mut Ledger) -> Result<Applied<Receipt>, PaymentError> {
        ledger.pay(self)
    }
}

impl Act for ShipmentAct {
    type Answer = Parcel;
    type Refusal = RefusedCall;

    fn manner(&self, ledger: &Ledger) -> Option<Manner> {
        ledger.manner_of_shipment(self)
    }

    fn apply(&self, ledger: &mut Ledger) -> Result<Applied<Parcel>, RefusedCall> {
        ledger.ship(self)
    }
}

impl From<PaymentAct> for Entry {
    fn from(act: PaymentAct) -> Self {
        Self::Payment(act)
    }
}

impl From<ShipmentAct> for Entry {
    fn from(act: ShipmentAct) -> Self {
        Self::Shipment(act)
    }
}
