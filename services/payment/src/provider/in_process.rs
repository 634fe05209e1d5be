//! A payment provider in the process, for tests and for measuring the fleet alone. It has the rules of
//! the simulator and no ledger: its answer follows from the call alone, so the same call gets the same
//! answer, and the service's own row says what was done. A ledger here would be wrong as soon
//! as another replica takes the next step of the same payment.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chassis::{Outside, Unanswered};
use events::{DeclineReason, Money, OrderId};
use sandbox::conduct::Settings;
use sandbox::manner::Manner;
use sandbox::payment::{Account, Decline, IntentId, Status, manner};
use sandbox::recent::Recent;

use super::NAME;
use crate::domain::{self, Call, Step};
use crate::payments::{Input, Payments};

/// A provider without money.
#[derive(Debug, Default)]
pub struct InProcess {
    /// The cards with a manner of their own. Cards that are answered at once need no memory.
    cards: Mutex<Recent<Card>>,
}

/// A card that decides how the steps of a payment are answered the first time.
#[derive(Debug)]
struct Card {
    manner: Manner,
    asked: Vec<Step>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("the answer is lost, as the test card wants it")]
    Lost,
    #[error("a server error, as the test card wants it")]
    Failed,
    #[error("the authorization is not of this provider")]
    Foreign,
}

impl InProcess {
    fn remember(&self, order: OrderId, manner: Manner) {
        let mut cards = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        if cards.get(order.0).is_none() {
            cards.put(order.0, Card { manner, asked: Vec::new() });
        }
    }

    /// Answers a step: the first time in the manner of the card, then at once.
    async fn behave(&self, order: OrderId, step: Step) -> Result<(), Unanswered> {
        match self.first(order, step) {
            None | Some(Manner::Prompt) => Ok(()),
            Some(Manner::Slow) => {
                tokio::time::sleep(Settings::default().slow()).await;
                Ok(())
            }
            Some(Manner::LosesAnswer) => Err(Unanswered::new(Why::Lost)),
            Some(Manner::FailsAfter) => Err(Unanswered::new(Why::Failed)),
        }
    }

    /// The card's manner, when the step is asked for the first time.
    fn first(&self, order: OrderId, step: Step) -> Option<Manner> {
        let mut cards = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        let card = cards.get(order.0).filter(|card| !card.asked.contains(&step))?;
        card.asked.push(step);
        Some(card.manner)
    }
}

impl Outside<Payments> for InProcess {
    const NAME: &'static str = NAME;

    async fn call(&self, call: Call, _age: Duration) -> Result<Input, Unanswered> {
        let (order, step) = (call.order(), call.step());
        let known = |authorization| known(order, step, authorization);
        match &call {
            Call::Authorize { token, .. } => match manner(token) {
                Manner::Prompt => {}
                own @ (Manner::Slow | Manner::LosesAnswer | Manner::FailsAfter) => {
                    self.remember(order, own);
                }
            },
            Call::Capture { authorization, .. }
            | Call::Void { authorization, .. }
            | Call::Refund { authorization, .. } => known(authorization)?,
        }
        self.behave(order, step).await?;
        let input = match call {
            Call::Authorize { amount, token, .. } => authorize(order, amount, &token),
            Call::Capture { .. } => domain::Input::Captured,
            Call::Void { .. } => domain::Input::Voided,
            Call::Refund { .. } => domain::Input::Refunded,
        };
        Ok(Input::to(order, input))
    }
}

fn authorize(order: OrderId, amount: Money, token: &str) -> domain::Input {
    let declined = |reason| domain::Input::Declined { reason };
    let currency = amount.currency.as_str().parse().expect("both are three letters");
    let Ok(account) = Account::authorize(token, amount.minor, currency) else {
        // An amount that nobody can hold: the same refusal as over HTTP.
        return declined(DeclineReason::Unknown);
    };
    match account.status {
        Status::RequiresPaymentMethod(decline) => declined(reason(decline)),
        Status::RequiresCapture | Status::Succeeded | Status::Canceled => {
            domain::Input::Authorized { authorization: IntentId::first(order.0).to_string() }
        }
    }
}

/// Money that another provider holds cannot be moved by this one: an installation that switched
/// providers with payments under way is told so, and the payment stays where it is.
fn known(order: OrderId, step: Step, authorization: &str) -> Result<(), Unanswered> {
    if authorization.parse::<IntentId>().is_ok_and(|id| id.order == order.0) {
        return Ok(());
    }
    tracing::error!(
        %order, %step, authorization,
        "the provider in the process does not know the authorization; it is of another provider"
    );
    Err(Unanswered::new(Why::Foreign))
}

fn reason(decline: Decline) -> DeclineReason {
    match decline {
        Decline::CardDeclined => DeclineReason::CardDeclined,
        Decline::InsufficientFunds => DeclineReason::InsufficientFunds,
        Decline::ExpiredCard => DeclineReason::ExpiredCard,
    }
}
