//! A schema that this build was not compiled with: what the registry says of it decides, and nothing that
//! stands in the registry's place.

use crate::world::{Detour, World, headers_of, headers_of_reversal, request};

#[tokio::test]
async fn what_a_proxy_says_in_the_registrys_place_makes_no_dead_letter() {
    let mut world = World::enter().await;
    // Other tests may have left one at the same place, of the topic as it was then.
    world.forget_dead_letters().await;
    // From here on the ids of the schemas compiled in are in the database.
    world.start("a").await;
    world.stop("a").await;
    for status in ["404 Not Found", "401 Unauthorized", "503 Service Unavailable"] {
        let key = world.fresh_key("proxy");
        let detour = Detour::to(&world.urls.registry);
        let mut refusing = detour.refuse(status).await;
        world.start_with("a", &[("FLOTILLA_REGISTRY_URL", &detour.url)]).await;
        let newer = world.encode_newer(&request(&key, 5)).await;
        let place = world.send_raw(&key, &headers_of(&format!("{key}-1")), Some(&newer)).await;
        let says = world.wait_until_waiting_for("a", "registry").await;
        assert!(says.contains(status), "{says}");
        refusing.shutdown().await;
        let mut open = detour.open().await;
        world.wait_for_total(&key, 5).await;
        assert_eq!(world.dead_letters_of(place).await, 0, "{status}");
        world.stop("a").await;
        open.shutdown().await;
    }
}

#[tokio::test]
async fn a_damaged_compensation_holds_its_partition_and_nothing_else_until_somebody_mends_it() {
    let mut world = World::enter().await;
    world.forget_dead_letters().await;
    let good = |world: &World, key: &str| world.encode_reversal(key, 4);
    let mut unknown_schema = good(&world, "any");
    unknown_schema[1..5].copy_from_slice(&9_999_998_u32.to_be_bytes());
    let truncated = good(&world, "any")[..8].to_vec();
    let headers = headers_of_reversal("damaged");
    let without_id = [headers[1].clone(), headers[2].clone()];
    for (what, headers, value) in [
        ("truncated", headers.as_slice(), truncated),
        ("of a schema that the registry does not know", headers.as_slice(), unknown_schema),
        ("without an id", without_id.as_slice(), good(&world, "any")),
    ] {
        let (key, witness) = (world.fresh_key("reversal"), world.fresh_key("witness"));
        let id = |n: u32| format!("{key}-{n}");
        world.start("a").await;
        world.send(&request(&key, 10), &id(1)).await;
        let reversal = good(&world, &key);
        world.send_raw(&key, &headers_of_reversal(&id(2)), Some(&reversal)).await;
        let damaged = world.send_raw(&key, headers, Some(&value)).await;
        world.send(&request(&key, 1), &id(3)).await;
        world.wait_for_total(&key, 6).await;
        world.send_elsewhere(damaged.0, &witness).await;
        world.wait_for_total(&witness, 1).await;
        world.stop("a").await;
        assert_eq!(world.dead_letters_of(damaged).await, 0, "{what}");
        assert_eq!(world.total(&key).await, 6, "{what}: nothing overtakes it");

        world.move_offset(damaged.0, 1).await;
        world.start("a").await;
        world.wait_for_total(&key, 7).await;
        world.stop("a").await;
    }
}
