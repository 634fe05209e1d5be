//! What cannot be processed is set aside with its reason, and nothing else is held up by it.

use serde_json::json;

use crate::world::{World, headers_of, headers_of_reversal, request};

#[tokio::test]
async fn every_kind_of_poison_becomes_a_dead_letter_and_its_neighbours_count() {
    let mut world = World::enter().await;
    let key = world.fresh_key("poison");
    let good = world.encode(&request(&key, 1));
    let id = |n: usize| format!("{key}-{n}");
    let mut unknown_schema = good.clone();
    unknown_schema[1..5].copy_from_slice(&9_999_999_u32.to_be_bytes());
    let with_id = |id: u32| [&[0][..], &id.to_be_bytes(), &good[5..]].concat();
    let mut trailing = good.clone();
    trailing.push(7);
    let strange = world.register_stranger().await;
    let poison: Vec<(&str, Option<Vec<u8>>)> = vec![
        ("unknown schema id", Some(unknown_schema)),
        ("a schema id that no registry gives", Some(with_id(u32::MAX))),
        ("schema id zero", Some(with_id(0))),
        ("truncated", Some(good[..good.len() - 1].to_vec())),
        ("trailing bytes", Some(trailing)),
        ("wrong record for the topic", Some(strange)),
        ("not Avro at all", Some(b"{\"hello\":1}".to_vec())),
        ("empty value", Some(Vec::new())),
        ("no value", None),
    ];
    let mut offsets = Vec::new();
    for (n, (_, value)) in poison.iter().enumerate() {
        world.send_raw(&key, &headers_of(&id(100 + n)), Some(&good)).await;
        offsets.push(world.send_raw(&key, &headers_of(&id(n)), value.as_deref()).await);
    }
    let without_headers = world.send_raw(&key, &[], Some(&good)).await;
    world.send_raw(&key, &headers_of(&id(999)), Some(&good)).await;

    world.start("a").await;
    world.wait_for_total(&key, poison.len() as i64 + 1).await;
    for (place, (what, value)) in offsets.iter().zip(&poison) {
        let letter = world.dead_letter(*place).await;
        assert_eq!(letter.reason, "undecodable", "{what}: {}", letter.detail);
        assert_eq!(&letter.payload, value, "{what}: the original bytes");
    }
    assert_eq!(world.dead_letter(without_headers).await.reason, "headers");
    world.wait_until_published().await;
    assert_eq!(world.dead_letter_records(&key).len(), poison.len() + 1);
    world.stop("a").await;
}

#[tokio::test]
async fn an_input_that_fails_its_batch_is_found_by_halving_and_set_aside_alone() {
    let mut world = World::enter().await;
    let key = world.fresh_key("halving");
    let broken = format!("{key}-broken");
    for n in 0..30 {
        world.send(&request(&key, 1), &format!("{key}-{n}")).await;
    }
    // The database refuses a total below zero: the whole transaction fails.
    let negative = world.send(&request(&broken, -1), &format!("{broken}-1")).await;
    let panic = world.send(&request("panic", 1), &format!("{broken}-2")).await;
    let refused = world.send(&request(&broken, 0), &format!("{broken}-3")).await;
    for n in 30..60 {
        world.send(&request(&key, 1), &format!("{key}-{n}")).await;
    }
    world.start("a").await;
    world.wait_for_total(&key, 60).await;
    assert_eq!(world.dead_letter(negative).await.reason, "failed");
    let panicked = world.dead_letter(panic).await;
    assert!(panicked.detail.contains("told to panic"), "{}", panicked.detail);
    assert_eq!(world.dead_letter(refused).await.reason, "refused");
    assert_eq!(world.additions(&key).await, 60);
    world.stop("a").await;
}

#[tokio::test]
async fn a_dead_letter_is_retried_through_the_same_path_or_dropped() {
    let mut world = World::enter().await;
    let key = world.fresh_key("replay");
    let early = world.send(&request(&key, -5), &format!("{key}-early")).await;
    world.start("a").await;
    let letter = world.dead_letter(early).await;
    let still_dead = world.admin("a", "POST", &format!("/dead-letters/{}/retry", letter.id)).await;
    assert_eq!(still_dead.0, 422, "{}", still_dead.1);

    world.send(&request(&key, 8), &format!("{key}-first")).await;
    world.wait_for_total(&key, 8).await;
    let retried = world.admin("a", "POST", &format!("/dead-letters/{}/retry", letter.id)).await;
    assert_eq!(retried.0, 200, "{}", retried.1);
    world.wait_for_total(&key, 3).await;
    let again = world.admin("a", "POST", &format!("/dead-letters/{}/retry", letter.id)).await;
    assert_eq!(again.0, 409, "settled dead letters stay settled: {}", again.1);

    let refused = world.send(&request(&key, 0), &format!("{key}-zero")).await;
    let letter = world.dead_letter(refused).await;
    let dropped = world.admin("a", "POST", &format!("/dead-letters/{}/drop", letter.id)).await;
    assert_eq!(dropped.1["state"], json!("dropped"));
    world.stop("a").await;
}

#[tokio::test]
async fn a_retry_that_does_not_come_to_its_end_in_time_is_not_said_to_have_failed() {
    let mut world = World::enter().await;
    let key = world.fresh_key("unknown");
    let early = world.send(&request(&key, -5), &format!("{key}-early")).await;
    world.start("a").await;
    let letter = world.dead_letter(early).await;
    world.send(&request(&key, 8), &format!("{key}-first")).await;
    world.wait_for_total(&key, 8).await;
    let held = world.change_total(&key).await;
    // One retry waits for the row, the other behind it, until the patience of both is over.
    let path = format!("/dead-letters/{}/retry", letter.id);
    let (one, other) =
        tokio::join!(world.admin("a", "POST", &path), world.admin("a", "POST", &path));
    for (status, problem) in [one, other] {
        assert_eq!((status, problem["code"].as_str()), (503, Some("outcome_unknown")), "{problem}");
    }
    // The attempt that had begun while somebody still waited comes to its end.
    world.wait_until_not_waited_for().await;
    held.rollback().await.unwrap();
    let (status, retried) = world.admin("a", "POST", &path).await;
    assert_eq!(status, 200, "nobody waited for it any more: {retried}");
    assert_eq!(world.total(&key).await, 3);
    world.stop("a").await;
}

#[tokio::test]
async fn a_record_as_large_as_the_broker_takes_is_set_aside_and_publishing_goes_on() {
    let mut world = World::enter().await;
    let key = world.fresh_key("large");
    let id = format!("{key}-large");
    let large = vec![7; 1_048_000];
    let by_value = world.send_raw(&key, &headers_of(&id), Some(&large)).await;
    let noise = [("noise", "x".repeat(1_048_000))];
    let by_headers = world.send_raw(&key, &noise, Some(b"")).await;
    world.send(&request(&key, 1), &format!("{key}-1")).await;
    world.start("a").await;
    world.wait_for_total(&key, 1).await;
    assert_eq!(world.dead_letter(by_value).await.payload, Some(large), "the row has all of it");
    assert_eq!(world.dead_letter(by_headers).await.reason, "undecodable");
    assert_eq!(world.add("a", &key, 1).await, Ok(2));
    world.wait_until_published().await;
    assert_eq!(world.totals_told(&key), [(1, 1), (2, 2)]);
    let told = world.dead_letter_records(&key);
    assert_eq!(told.len(), 1, "the other one's key was left out with its headers");
    assert_eq!(told[0].value, None);
    assert_eq!(told[0].header("dead_letter_omitted"), Some("value"));
    assert_eq!(told[0].header("ce_id"), Some(id.as_str()), "the original's headers fitted");
    world.stop("a").await;
}

#[tokio::test]
async fn a_page_of_dead_letters_is_bounded_by_their_bytes_and_none_is_left_out() {
    const MEGABYTE: usize = 1_000_000;
    let mut world = World::enter().await;
    let key = world.fresh_key("pages");
    world.forget_dead_letters().await;
    world.start("a").await;
    let mut sent = Vec::new();
    for _ in 0..10 {
        let place = world.send_raw(&key, &[], Some(&vec![7; MEGABYTE])).await;
        sent.push(world.dead_letter(place).await.id);
    }
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/dead-letters?limit=500{cursor}");
        let (status, page) = world.admin("a", "GET", &path).await;
        assert_eq!(status, 200, "{page}");
        let letters = page["dead_letters"].as_array().unwrap();
        let of_test = letters.iter().filter(|letter| letter["key"] == key);
        let ids: Vec<i64> = of_test.map(|letter| letter["id"].as_i64().unwrap()).collect();
        assert!(ids.len() <= 5, "{} megabytes at once", ids.len());
        listed.extend(ids);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed, sent);
    world.stop("a").await;
}

#[tokio::test]
async fn a_dead_letter_of_a_newer_schema_is_retried_as_the_registry_explains_it() {
    let mut world = World::enter().await;
    let key = world.fresh_key("newer");
    let newer = world.encode_newer(&request(&key, -5)).await;
    let early = world.send_raw(&key, &headers_of(&format!("{key}-early")), Some(&newer)).await;
    world.start("a").await;
    let letter = world.dead_letter(early).await;
    assert_eq!(letter.reason, "failed");
    world.send(&request(&key, 8), &format!("{key}-first")).await;
    world.wait_for_total(&key, 8).await;
    let retried = world.admin("a", "POST", &format!("/dead-letters/{}/retry", letter.id)).await;
    assert_eq!(retried.0, 200, "{}", retried.1);
    assert_eq!(world.total(&key).await, 3);
    world.stop("a").await;
}

#[tokio::test]
async fn the_dead_letter_of_a_topic_that_was_created_anew_is_another_one_at_the_same_place() {
    let mut world = World::enter().await;
    let key = world.fresh_key("anew");
    // Other tests may have left one at that place, of the topic as it was then.
    world.forget_dead_letters().await;
    let mut places = Vec::new();
    for round in 0..2 {
        world.recreate_request_topic().await;
        world.forget_offsets().await;
        world.start("a").await;
        let refused = world.send(&request(&key, 0), &format!("{key}-{round}")).await;
        world.send(&request(&key, 1), &format!("{key}-{round}-1")).await;
        world.wait_for_total(&key, round + 1).await;
        // A rewind of the same topic sets the same message aside again, which is no other letter.
        world.stop("a").await;
        world.move_offset(refused.0, -2).await;
        world.start("a").await;
        world.send(&request(&key, 0), &format!("{key}-{round}-2")).await;
        world.dead_letter((refused.0, refused.1 + 2)).await;
        world.stop("a").await;
        places.push(refused);
    }
    assert_eq!(places[0], places[1], "the test is about one place");
    assert_eq!(world.dead_letters_of(places[0]).await, 2);
}

#[tokio::test]
async fn a_dead_letter_that_asks_nothing_any_more_is_settled_by_a_retry() {
    let mut world = World::enter().await;
    let key = world.fresh_key("settled");
    world.start("a").await;
    let refused = world.send(&request(&key, 0), &format!("{key}-1")).await;
    let letter = world.dead_letter(refused).await;
    world.replace_payload(letter.id, &world.unknown_record().await).await;
    let path = format!("/dead-letters/{}/retry", letter.id);
    let retried = world.admin("a", "POST", &path).await;
    assert_eq!(retried.0, 200, "{}", retried.1);
    assert_eq!(world.admin("a", "POST", &path).await.0, 409, "it is settled");
    for (query, field) in [
        ("limit=1000", "limit"),
        ("limit=0", "limit"),
        ("reason=%00", "reason"),
        ("state=lost", "state"),
        ("cursor=x", "cursor"),
    ] {
        let (status, problem) = world.admin("a", "GET", &format!("/dead-letters?{query}")).await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{query}: {problem}");
    }
    world.stop("a").await;
}

#[tokio::test]
async fn a_compensation_that_fails_holds_its_partition_and_is_the_next_to_count_once_it_can() {
    let mut world = World::enter().await;
    let (key, witness) = (world.fresh_key("held"), world.fresh_key("witness"));
    let id = |n: u32| format!("{key}-{n}");
    world.start("a").await;
    world.send(&request(&key, 1), &id(1)).await;
    world.wait_for_total(&key, 1).await;
    // The database refuses a total below zero.
    let reversal = world.encode_reversal(&key, 4);
    let held = world.send_raw(&key, &headers_of_reversal(&id(2)), Some(&reversal)).await;
    world.send(&request(&key, 2), &id(3)).await;
    for restarted in [false, true] {
        let (partition, offset) = held;
        let stands = format!("tally.requests/{partition} stands at offset {offset}");
        world.wait_until_waiting_because("a", "events", &stands).await;
        assert_eq!(world.total(&key).await, 1, "nothing overtakes it");
        assert_eq!(world.dead_letters_of(held).await, 0, "it is not set aside");
        if !restarted {
            world.send_elsewhere(partition, &witness).await;
            world.wait_for_total(&witness, 1).await;
            world.stop("a").await;
            // It may come upon the event before it was ever ready.
            world.spawn("a", &[]).await;
        }
    }
    // From here on it can be carried out. It and what waits behind it are fetched again, each once.
    assert_eq!(world.add("a", &key, 10).await, Ok(11));
    world.wait_for_total(&key, 9).await;
    world.wait_until_not_waiting_for("a", "events").await;
    assert_eq!(world.additions(&key).await, 4);
    world.wait_until_published().await;
    let told: Vec<i64> = world.totals_told(&key).into_iter().map(|(_, total)| total).collect();
    assert_eq!(told, [1, 11, 7, 9], "in this order");
    world.stop("a").await;
}
