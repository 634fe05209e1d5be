//! The service on a real Postgres: states are read as they were written, calls are open until their outcome is
//! written, and what operators say is kept. What holds for rows of every service is tested in the chassis.

use std::sync::Arc;

use chassis::testing::{Harness, Wire};
use chassis::{App, Calls, Reply, Settlement};
use events::{
    DeclineReason, Events, Money, OrderEvent, OrderId, OrderPlaced, OrderShipped, PaymentEvent,
};
use sqlx::{Connection, PgConnection, PgPool};

use payment::domain::{Call, Input as Step, State};
use payment::{Input, Payments};

fn amount() -> Money {
    Money::new(1050, "EUR".parse().unwrap())
}

fn placed() -> Step {
    Step::Placed { amount: amount(), token: "tok_visa".into() }
}

fn authorized() -> Step {
    Step::Authorized { authorization: "pi_1".into() }
}

/// The inputs that lead to each state that is stored.
fn every_stored_state() -> Vec<(Vec<Step>, State)> {
    let (amount, held, token) = (amount(), || "pi_1".to_owned(), || "tok_visa".to_owned());
    let declined = |reason| (vec![placed(), Step::Declined { reason }], State::Declined { reason });
    let shipped = [placed(), authorized(), Step::Shipped];
    let with = |more: &[Step]| shipped.iter().chain(more).cloned().collect::<Vec<_>>();
    vec![
        (vec![placed()], State::Authorizing { amount, token: token() }),
        (vec![placed(), Step::Cancelled], State::VoidAfterAuthorizing { amount, token: token() }),
        declined(DeclineReason::Unknown),
        declined(DeclineReason::CardDeclined),
        declined(DeclineReason::InsufficientFunds),
        declined(DeclineReason::ExpiredCard),
        (vec![placed(), authorized()], State::Authorized { amount, authorization: held() }),
        (vec![placed(), authorized(), Step::Cancelled], State::Voiding { authorization: held() }),
        (vec![Step::Cancelled], State::Voided),
        (with(&[]), State::Capturing { amount, authorization: held() }),
        (with(&[Step::Captured]), State::Received { amount, authorization: held() }),
        (
            with(&[Step::Captured, Step::Returned]),
            State::Refunding { amount, authorization: held() },
        ),
        (with(&[Step::Captured, Step::Returned, Step::Refunded]), State::Refunded { amount }),
    ]
}

#[tokio::test]
async fn every_state_is_read_as_it_was_written() {
    let tables = Tables::new().await;
    for (inputs, state) in every_stored_state() {
        let (mut replica, order) = (tables.replica().await, OrderId::now());
        for input in inputs {
            replica.submit([Input::to(order, input)]).await;
        }
        assert_eq!(tables.state_of(order).await, Some(state));
    }
    assert_eq!(tables.state_of(OrderId::now()).await, None);
}

/// What the audit is told of each state. Exhaustive, so that a new state needs a word.
fn money(state: &State) -> &'static str {
    match state {
        State::New => unreachable!("it has no row"),
        State::Authorizing { .. }
        | State::VoidAfterAuthorizing { .. }
        | State::Voiding { .. }
        | State::Capturing { .. }
        | State::Refunding { .. } => "moving",
        State::Authorized { .. } => "authorized",
        State::Declined { .. } | State::Voided => "nothing",
        State::Received { .. } => "captured",
        State::Refunded { .. } => "refunded",
    }
}

#[tokio::test]
async fn the_audit_is_told_in_words_of_every_state_and_how_many_events_were_published() {
    let tables = Tables::new().await;
    for (inputs, state) in every_stored_state() {
        let (mut replica, order) = (tables.replica().await, OrderId::now());
        for input in inputs {
            replica.submit([Input::to(order, input)]).await;
        }
        let told: (Option<String>, String, i64) = sqlx::query_as(
            "select money, topic, sequence from audit.payments \
               join audit.published using (order_id) where key = $1::text",
        )
        .bind(order.0)
        .fetch_one(&tables.pool)
        .await
        .unwrap();
        let published = replica.published().await.unwrap().len() as i64;
        let expected = (Some(money(&state).to_owned()), PaymentEvent::TOPIC.into(), published);
        assert_eq!(told, expected, "{state:?}");
    }
}

#[tokio::test]
async fn a_call_is_open_until_its_outcome_is_written() {
    let tables = Tables::new().await;
    let mut replica = tables.replica().await;
    let [open, answered, never_heard_of] = [OrderId::now(), OrderId::now(), OrderId::now()];
    replica.submit([open, answered].map(|order| Input::to(order, placed()))).await;
    let declined = Step::Declined { reason: DeclineReason::Unknown };
    replica.submit([Input::to(answered, declined)]).await;
    let keys = [open.0, answered.0, never_heard_of.0];
    let mut db = tables.connect().await;
    let calls = Payments::default().open_calls(&mut db, &keys).await.unwrap();
    let call = Call::Authorize { order: open, amount: amount(), token: "tok_visa".into() };
    assert_eq!(calls, [(open.0, call)]);
}

#[tokio::test]
async fn what_was_held_stays_to_be_seen_and_what_paid_is_forgotten() {
    let tables = Tables::new().await;
    let mut replica = tables.replica().await;
    let [voided, tombstone] = [OrderId::now(), OrderId::now()];
    for step in [placed(), authorized(), Step::Cancelled, Step::Voided] {
        replica.submit([Input::to(voided, step)]).await;
    }
    replica.submit([Input::to(tombstone, Step::Cancelled)]).await;
    type Seen = (Option<i64>, Option<String>, Option<String>, Option<String>);
    let seen = async |order: OrderId| -> Seen {
        let all = "select amount_minor, currency, authorization_id, payment_token from payments \
                    where order_id = $1";
        sqlx::query_as(all).bind(order.0).fetch_one(&tables.pool).await.unwrap()
    };
    let held = (Some(1050), Some("EUR".to_owned()), Some("pi_1".to_owned()), None);
    assert_eq!(seen(voided).await, held);
    assert_eq!(seen(tombstone).await, (None, None, None, None));
}

#[tokio::test]
async fn what_an_operator_says_is_recorded_with_its_effect_and_never_changed() {
    let tables = Tables::new().await;
    let (mut db, mut replica) = (tables.connect().await, tables.replica().await);
    let order = OrderId::now();
    replica.submit([placed(), Step::Cancelled].map(|step| Input::to(order, step))).await;
    let settled = |input| {
        let settlement = Settlement { by: "ada".into(), reason: "seen in the console".into() };
        Input { key: order, input, settled: Some(Arc::new(settlement)) }
    };
    // In one batch, and in the order of their effect.
    let told = replica.submit([authorized(), Step::Voided, Step::Captured].map(settled)).await;
    assert!(
        matches!(told[..], [Ok(Reply::Settled), Ok(Reply::Settled), Ok(Reply::NotAwaited(_))]),
        "{told:?}"
    );
    assert_eq!(tables.state_of(order).await, Some(State::Voided));
    let recorded: Vec<(String, Option<String>, String, String)> = sqlx::query_as(
        "select outcome, authorization_id, settled_by, reason from settlements \
          where order_id = $1 order by settlement_id",
    )
    .bind(order.0)
    .fetch_all(&mut db)
    .await
    .unwrap();
    let row = |outcome: &str, held: Option<&str>| {
        (outcome.into(), held.map(str::to_owned), "ada".into(), "seen in the console".into())
    };
    assert_eq!(recorded, [row("authorized", Some("pi_1")), row("voided", None)]);
    for change in [
        "update settlements set reason = 'another'",
        "delete from settlements",
        "truncate settlements",
    ] {
        let refused = sqlx::query(change).execute(&mut db).await.unwrap_err();
        assert!(refused.to_string().contains("only ever added"), "{change}: {refused}");
    }
}

#[tokio::test]
async fn what_order_says_again_under_whatever_id_is_told_once_and_at_the_time_of_its_batch() {
    const NOW: i64 = 1_790_000_000_000_000;
    const MINUTE: i64 = 60_000_000;
    let tables = Tables::new().await;
    let (mut replica, order_id) = (tables.replica().await, OrderId::now());
    replica.set_clock(NOW);
    let Money { minor: total_minor, currency } = amount();
    let placed = OrderPlaced {
        order_id,
        customer_id: "c1".to_owned(),
        lines: Vec::new(),
        total_minor,
        currency,
        payment_token: "tok_visa".to_owned(),
        occurred_at: 1,
    };
    let shipped = OrderShipped { order_id, total_minor, currency, occurred_at: 2 };
    let wire = Wire::<OrderEvent>::default();
    let placed = wire.record("order", 1, &placed.into());
    let shipped = wire.record("order", 3, &shipped.into());

    replica.deliver_twice(&[placed]).await.unwrap();
    replica.submit([Input::to(order_id, authorized())]).await;
    replica.deliver_twice(&[shipped]).await.unwrap();
    replica.submit([Input::to(order_id, Step::Captured)]).await;
    replica.replay().await.unwrap();

    let wire = Wire::<PaymentEvent>::default();
    let records = replica.published().await.unwrap();
    assert_eq!(records.iter().map(|record| record.sequence()).collect::<Vec<_>>(), [1, 2]);
    let told: Vec<_> = records.iter().map(|record| wire.decode(&record.value)).collect();
    let [PaymentEvent::PaymentAuthorized(held), PaymentEvent::PaymentReceived(taken)] = &told[..]
    else {
        panic!("{told:?}")
    };
    for at in [held.occurred_at, taken.occurred_at] {
        assert!((NOW..NOW + MINUTE).contains(&at), "{at}");
    }
}

/// A database of its own, with the service's tables.
struct Tables {
    pool: PgPool,
    url: String,
}

impl Tables {
    async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let database = servers.fresh_database("payment").await.unwrap();
        let url = database.owner_url;
        chassis::testing::migrate(&url, &payment::MIGRATIONS).await.unwrap();
        let pool = PgPool::connect(&url).await.unwrap();
        Tables { pool, url }
    }

    async fn replica(&self) -> Harness<Payments> {
        let app = App::new(Payments::default(), &payment::MIGRATIONS);
        let app = app.hears::<OrderEvent>().publishes::<PaymentEvent>();
        Harness::start(app, &self.url).await.unwrap()
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    async fn state_of(&self, order: OrderId) -> Option<State> {
        chassis::find_row(&self.pool, order).await.unwrap().map(|shown| shown.state)
    }
}
