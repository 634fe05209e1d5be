use super::*;
use crate::executor::handle::tests::Stuck;

const P: Partition = Partition { topic: "t", number: 0 };

fn command() -> Item<Stuck> {
    Item {
        work: Work::Input(()),
        origin: Origin::Command(oneshot::channel().0),
        cause: None,
        trace: None,
    }
}

fn event(offset: i64, bytes: usize) -> Item<Stuck> {
    let delivery = Delivery {
        partition: P,
        generation: 1,
        offset,
        original: vec![0; bytes],
        inbox_id: None,
        never_dead_lettered: false,
        room: None,
    };
    Item { work: Work::Input(()), origin: Origin::Event(delivery), cause: None, trace: None }
}

/// The next batch: how many commands it has, and the offsets of its events.
async fn next(queue: &mut Queue<Stuck>) -> (usize, Vec<i64>) {
    let Next::Batch(mut batch) = queue.next().await else { panic!("something waits") };
    queue.fill(&mut batch);
    let mut offsets = Vec::new();
    for item in &batch {
        if let Origin::Event(delivery) = &item.origin {
            offsets.push(delivery.offset);
        }
    }
    (batch.len() - offsets.len(), offsets)
}

#[tokio::test]
async fn neither_a_flood_of_commands_nor_a_backlog_of_events_keeps_the_other_waiting() {
    let (senders, mut queue) = queue::<Stuck>();
    for _ in 0..COMMANDS_MAX {
        assert!(senders.commands.try_send(command()).is_ok());
    }
    let events = BATCH_MAX as i64;
    for offset in 0..events {
        assert!(senders.events.try_send(event(offset, 1)).is_ok());
    }
    let (mut heard, mut commands) = (Vec::new(), 0);
    while heard.len() < BATCH_MAX {
        let (carried_out, offsets) = next(&mut queue).await;
        assert!(carried_out >= BATCH_MAX / 4, "{carried_out} commands");
        assert!(offsets.len() >= BATCH_MAX / 8, "{} events", offsets.len());
        commands += carried_out;
        heard.extend(offsets);
    }
    assert_eq!(heard, (0..events).collect::<Vec<_>>(), "in their order");
    // Without events all of a batch is for commands.
    assert_eq!(next(&mut queue).await, (BATCH_MAX, Vec::new()));
    assert!(commands < COMMANDS_MAX);
}

#[tokio::test]
async fn large_events_wait_outside_and_come_in_as_others_leave() {
    const MEGABYTE: usize = 1 << 20;
    let (senders, mut queue) = queue::<Stuck>();
    let fit = (EVENTS_BYTES_MAX / MEGABYTE) as i64;
    for offset in 0..fit {
        assert!(senders.events.try_send(event(offset, MEGABYTE)).is_ok());
    }
    let Err(mut outside) = senders.events.try_send(event(fit, MEGABYTE)) else {
        panic!("there is no room for {fit} megabytes and one more")
    };
    let (_, batch) = next(&mut queue).await;
    assert_eq!(batch, [0, 1, 2, 3], "a batch is full by its bytes");
    senders.events.make_room(&mut outside).await;
    assert!(senders.events.try_send(*outside).is_ok());
}

#[tokio::test]
async fn an_event_larger_than_all_events_together_may_be_is_let_in_alone() {
    let (senders, mut queue) = queue::<Stuck>();
    assert!(senders.events.try_send(event(0, EVENTS_BYTES_MAX + 1)).is_ok());
    assert!(senders.events.try_send(event(1, 1)).is_err());
    assert_eq!(next(&mut queue).await, (0, vec![0]));
    assert!(senders.events.try_send(event(1, 1)).is_ok());
}
