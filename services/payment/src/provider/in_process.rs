//! A payment provider in the process, for tests and for measuring the fleet alone. It has the rules of
//! the simulator and no ledger: what it answers follows from what it is asked, so it answers the same
//! for the same call, and the service's own row says what was done. A ledger here would be wrong as soon
//! as another replica takes the next step of the same payment.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chassis::Unanswered;
use events::{DeclineReason, Money, OrderId};
use sandbox::conduct::Settings;
use sandbox::manner::Manner;
use sandbox::payment::{Account, Decline, IntentId, Status, manner};
use sandbox::recent::Recent;

use super::{Authorization, Provider, Step};

/// A provider without money.
#[derive(Debug, Default)]
pub struct InProcess {
    /// The cards with a manner of their own. Those that are answered at once need no memory.
    cards: Mutex<Recent<Card>>,
}

/// A card by which the steps of a payment are answered the first time.
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

    /// Answers a step in the manner of the card: the first time, then at once.
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

impl Provider for InProcess {
    async fn authorize(
        &self,
        order: OrderId,
        amount: Money,
        token: &str,
        _age: Duration,
    ) -> Result<Authorization, Unanswered> {
        match manner(token) {
            Manner::Prompt => {}
            own @ (Manner::Slow | Manner::LosesAnswer | Manner::FailsAfter) => {
                self.remember(order, own);
            }
        }
        self.behave(order, Step::Authorize).await?;
        let currency = amount.currency.as_str().parse().expect("both are three letters");
        let Ok(account) = Account::authorise(token, amount.minor, currency) else {
            // An amount that nobody can hold: the same refusal as over HTTP.
            return Ok(Authorization::Declined(DeclineReason::Unknown));
        };
        Ok(match account.status {
            Status::RequiresPaymentMethod(decline) => Authorization::Declined(reason(decline)),
            Status::RequiresCapture | Status::Succeeded | Status::Canceled => {
                Authorization::Authorized { id: IntentId::first(order.0).to_string() }
            }
        })
    }

    async fn capture(
        &self,
        order: OrderId,
        authorization: &str,
        _amount: Money,
    ) -> Result<(), Unanswered> {
        known(order, Step::Capture, authorization)?;
        self.behave(order, Step::Capture).await
    }

    async fn void(&self, order: OrderId, authorization: &str) -> Result<(), Unanswered> {
        known(order, Step::Void, authorization)?;
        self.behave(order, Step::Void).await
    }

    async fn refund(
        &self,
        order: OrderId,
        authorization: &str,
        _amount: Money,
    ) -> Result<(), Unanswered> {
        known(order, Step::Refund, authorization)?;
        self.behave(order, Step::Refund).await
    }
}

/// Money that another provider holds cannot be moved by this one: an installation that went from one
/// to the other with payments under way is told so, and stays where it is.
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
