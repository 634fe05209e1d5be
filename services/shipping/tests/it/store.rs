//! The service on a real Postgres: states are read as they were written, calls are open until their outcome is
//! written, and what operators say is kept. What holds for rows of every service is tested in the chassis.

use std::sync::Arc;

use chassis::testing::Harness;
use chassis::{App, Calls, Reply, Settlement};
use events::{Events, OrderId, RefusalReason, ShippingEvent};
use sqlx::{Connection, PgConnection, PgPool};

use shipping::domain::{Call, Input as Step, State};
use shipping::{Input, Shipments};

fn confirmed() -> Step {
    Step::Confirmed { destination: "DE".into() }
}

fn dispatched() -> Step {
    Step::Dispatched { tracking: "T1".into() }
}

fn refused(reason: RefusalReason) -> Step {
    Step::Refused { reason }
}

/// The inputs that lead to each state that is stored.
fn every_stored_state() -> Vec<(Vec<Step>, State)> {
    let answered = |step, state| (vec![confirmed(), step], state);
    let refused = |reason| answered(refused(reason), State::Refused { reason });
    vec![
        (vec![confirmed()], State::Booking { destination: "DE".into() }),
        answered(Step::CancellationRequested, State::CancelAsked { destination: "DE".into() }),
        answered(dispatched(), State::Dispatched { tracking: "T1".into() }),
        refused(RefusalReason::Unknown),
        refused(RefusalReason::DestinationNotServed),
        refused(RefusalReason::GoodsNotAccepted),
        answered(Step::Cancelled, State::Cancelled),
        (vec![Step::CancellationRequested], State::Cancelled),
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
fn parcel(state: &State) -> &'static str {
    match state {
        State::New => unreachable!("it has no row"),
        State::Booking { .. } | State::CancelAsked { .. } => "asked",
        State::Dispatched { .. } => "dispatched",
        State::Refused { .. } | State::Cancelled => "kept",
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
            "select parcel, topic, sequence from audit.shipments \
               join audit.published using (order_id) where key = $1::text",
        )
        .bind(order.0)
        .fetch_one(&tables.pool)
        .await
        .unwrap();
        let published = replica.published().await.unwrap().len() as i64;
        let expected = (Some(parcel(&state).to_owned()), ShippingEvent::TOPIC.into(), published);
        assert_eq!(told, expected, "{state:?}");
    }
}

/// The carrier's answers to a booking and to its cancellation may meet in two replicas: the first that
/// is committed is the truth.
#[tokio::test]
async fn the_answer_that_is_committed_first_stands_whichever_replica_has_the_other() {
    let tables = Tables::new().await;
    let (mut one, mut other) = (tables.replica().await, tables.replica().await);
    let order = OrderId::now();
    one.submit([Input::to(order, confirmed())]).await;
    other.submit([Input::to(order, Step::Cancelled)]).await;
    // It remembers the booking.
    one.submit([Input::to(order, dispatched())]).await;
    assert_eq!(tables.state_of(order).await, Some(State::Cancelled));
    assert_eq!(one.published().await.unwrap().len(), 1, "one answer is told");
}

#[tokio::test]
async fn a_call_is_open_until_its_outcome_is_written() {
    let tables = Tables::new().await;
    let mut replica = tables.replica().await;
    let [open, answered, never_heard_of] = [OrderId::now(), OrderId::now(), OrderId::now()];
    let confirm = |order| Input::to(order, confirmed());
    replica.submit([confirm(open), confirm(answered)]).await;
    replica.submit([Input::to(answered, Step::Cancelled)]).await;
    let keys = [open.0, answered.0, never_heard_of.0];
    let mut db = tables.connect().await;
    let calls = Shipments::default().open_calls(&mut db, &keys).await.unwrap();
    assert_eq!(calls, [(open.0, Call::Book { order: open, destination: "DE".into() })]);
}

#[tokio::test]
async fn what_an_operator_says_is_recorded_with_its_effect_and_never_changed() {
    let tables = Tables::new().await;
    let (mut db, mut replica) = (tables.connect().await, tables.replica().await);
    for (said, expected) in [
        (dispatched(), ("dispatched", Some("T1"), None)),
        (refused(RefusalReason::GoodsNotAccepted), ("refused", None, Some("goods_not_accepted"))),
        (
            refused(RefusalReason::DestinationNotServed),
            ("refused", None, Some("destination_not_served")),
        ),
        (refused(RefusalReason::Unknown), ("refused", None, Some("unknown"))),
        (Step::Cancelled, ("cancelled", None, None)),
    ] {
        let order = OrderId::now();
        replica.submit([Input::to(order, confirmed())]).await;
        let settlement = Settlement { by: "ada".into(), reason: "asked the carrier".into() };
        let settled = Some(Arc::new(settlement));
        let said = Input { key: order, input: said, settled };
        let told = replica.submit([said.clone(), said]).await;
        assert!(matches!(told[..], [Ok(Reply::Settled), Ok(Reply::NotAwaited(_))]), "{told:?}");
        type Kept = (String, Option<String>, Option<String>, String, String);
        let recorded: Vec<Kept> = sqlx::query_as(
            "select outcome, tracking_code, refusal_reason, settled_by, reason \
               from settlements where order_id = $1",
        )
        .bind(order.0)
        .fetch_all(&mut db)
        .await
        .unwrap();
        let [(outcome, tracking, refusal, by, reason)] = &recorded[..] else {
            panic!("{recorded:?}")
        };
        assert_eq!((outcome.as_str(), tracking.as_deref(), refusal.as_deref()), expected);
        assert_eq!((by.as_str(), reason.as_str()), ("ada", "asked the carrier"));
    }
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
async fn where_a_parcel_was_to_go_stays_to_be_seen() {
    let tables = Tables::new().await;
    let mut replica = tables.replica().await;
    let [booked, tombstone] = [OrderId::now(), OrderId::now()];
    for step in [confirmed(), Step::Cancelled] {
        replica.submit([Input::to(booked, step)]).await;
    }
    replica.submit([Input::to(tombstone, Step::CancellationRequested)]).await;
    let destination = async |order: OrderId| -> Option<String> {
        let all = "select destination from shipments where order_id = $1";
        sqlx::query_scalar(all).bind(order.0).fetch_one(&tables.pool).await.unwrap()
    };
    assert_eq!(destination(booked).await.as_deref(), Some("DE"));
    assert_eq!(destination(tombstone).await, None);
}

/// A database of its own, with the service's tables.
struct Tables {
    pool: PgPool,
    url: String,
}

impl Tables {
    async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let database = servers.fresh_database("shipping").await.unwrap();
        let url = database.owner_url;
        chassis::testing::migrate(&url, &shipping::MIGRATIONS).await.unwrap();
        let pool = PgPool::connect(&url).await.unwrap();
        Tables { pool, url }
    }

    async fn replica(&self) -> Harness<Shipments> {
        let app = App::new(Shipments::default(), &shipping::MIGRATIONS);
        Harness::start(app.publishes::<ShippingEvent>(), &self.url).await.unwrap()
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    async fn state_of(&self, order: OrderId) -> Option<State> {
        chassis::find_row(&self.pool, order).await.unwrap().map(|shown| shown.state)
    }
}
