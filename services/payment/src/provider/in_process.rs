//! A payment provider in the process, for small installations without money and for measuring the
//! fleet alone. It has the rules of the simulator and no ledger: what it answers follows from what it
//! is asked, so it answers the same for the same call, and the service's own row says what was done.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chassis::Unanswered;
use events::{DeclineReason, Money, OrderId};
use sandbox::conduct::Settings;
use sandbox::manner::Manner;
use sandbox::payment::{Account, Decline, IntentId, Status, manner};

use super::{Authorization, Provider, Step};

/// A provider without money.
#[derive(Debug, Default)]
pub struct InProcess {
    /// The orders whose authorisation was made, with its answer lost, and not made again yet.
    lost: Mutex<HashSet<OrderId>>,
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
    /// Answers in the manner that a test card asks for.
    async fn behave(&self, order: OrderId, manner: Manner) -> Result<(), Unanswered> {
        let why = match manner {
            Manner::Prompt => return Ok(()),
            Manner::Slow => {
                tokio::time::sleep(Settings::default().slow()).await;
                return Ok(());
            }
            Manner::LosesAnswer => Why::Lost,
            Manner::FailsAfter => Why::Failed,
        };
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        // It goes with the answer, so that the set holds open calls only.
        if lost.remove(&order) {
            return Ok(());
        }
        lost.insert(order);
        Err(Unanswered::new(why))
    }
}

impl Provider for InProcess {
    async fn authorize(
        &self,
        order: OrderId,
        amount: Money,
        token: &str,
    ) -> Result<Authorization, Unanswered> {
        self.behave(order, manner(token)).await?;
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
        known(order, Step::Capture, authorization)
    }

    async fn void(&self, order: OrderId, authorization: &str) -> Result<(), Unanswered> {
        known(order, Step::Void, authorization)
    }

    async fn refund(
        &self,
        order: OrderId,
        authorization: &str,
        _amount: Money,
    ) -> Result<(), Unanswered> {
        known(order, Step::Refund, authorization)
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
