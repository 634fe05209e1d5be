//! The generator against a service of a few lines that accepts, refuses or hangs up.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::ends::{End, Outcome};
use crate::plan::Arrival;

const DEADLINE: Duration = Duration::from_secs(20);

fn plan(arrival: Arrival) -> Plan {
    Plan { arrival, warmup_seconds: 0.0, seconds: 60.0, skus: 10, lines: 1, connections: 4 }
}

fn generator(plan: &Plan) -> Arc<Generator> {
    Arc::new(Generator {
        gate: Gate::new(plan.arrival),
        ends: Ends::new(plan.window_from(Instant::now())),
        requests: Requests::default(),
    })
}

/// A service that answers the `n`th request as told; an accepted order is completed at once.
async fn service(
    generator: &Arc<Generator>,
    answer: impl Fn(u64) -> Option<u16> + Send + Sync + Copy + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU64::new(0));
    let generator = Arc::clone(generator);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, Arc::clone(&generator), Arc::clone(&requests), answer));
        }
    });
    address
}

async fn serve(
    mut stream: TcpStream,
    generator: Arc<Generator>,
    requests: Arc<AtomicU64>,
    answer: impl Fn(u64) -> Option<u16>,
) {
    let mut request = vec![0; 4_096];
    while stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
        let n = requests.fetch_add(1, Ordering::Relaxed);
        let Some(status) = answer(n) else { return };
        let order = Uuid::from_u128(n.into());
        if status == 201 {
            let end = End { order, at: Instant::now(), outcome: Outcome::Completed };
            generator.gate.ended(generator.ends.ended(&[end]));
        }
        let body = format!(r#"{{"order_id":"{order}"}}"#);
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await.unwrap();
    }
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("the condition holds in time");
}

#[tokio::test]
async fn the_closed_loop_goes_on_as_orders_end_even_where_the_end_comes_before_the_answer() {
    let plan = plan(Arrival::InFlight(3));
    let generator = generator(&plan);
    let address = service(&generator, |_| Some(201)).await;
    let connections = generator.start(&plan, &Arc::new(Targets::fixed(vec![address])));
    until(|| generator.ends.progress().0 >= 500).await;
    assert!(generator.ends.progress().1 <= 3, "no more than three in flight");
    generator.gate.close();
    connections.join_all().await;
    let totals = generator.ends.totals();
    assert_eq!((totals.outstanding, totals.failed, totals.strange), (0, 0, 0));
    assert_eq!(totals.acknowledge.summary().count, totals.completed);
}

#[tokio::test]
async fn who_is_turned_away_or_hung_up_on_tries_again() {
    let plan = plan(Arrival::InFlight(1));
    let generator = generator(&plan);
    let address = service(&generator, |n| match n {
        0 => Some(503),
        1 => None,
        2 => Some(429),
        _later => Some(201),
    })
    .await;
    let connections = generator.start(&plan, &Arc::new(Targets::fixed(vec![address])));
    until(|| generator.ends.progress().0 >= 3).await;
    generator.gate.close();
    connections.join_all().await;
    assert_eq!(generator.requests.turned_away.load(Ordering::Relaxed), 2);
    assert_eq!(generator.requests.broken.load(Ordering::Relaxed), 1);
    assert_eq!(generator.ends.totals().failed, 0);
}

#[tokio::test]
async fn an_order_that_is_refused_for_good_fails_and_says_why() {
    let plan = plan(Arrival::PerSecond(1_000.0));
    let generator = generator(&plan);
    let address = service(&generator, |_| Some(422)).await;
    let connections = generator.start(&plan, &Arc::new(Targets::fixed(vec![address])));
    let end = Instant::now() + Duration::from_millis(20);
    generator.gate.run_until(end, |_| generator.ends.intended(1)).await;
    until(|| generator.ends.progress().1 == 0).await;
    generator.gate.close();
    connections.join_all().await;
    assert!(generator.ends.totals().failed > 0);
    let first = generator.requests.first_failure.lock().unwrap().clone();
    assert!(first.is_some_and(|failure| failure.starts_with("422: {")));
}
