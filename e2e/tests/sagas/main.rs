//! The recorded sagas in `fixtures/sagas`: each way that an order can go is gone once more on a running fleet, and what
//! is published must have the shape of what is recorded. With `UPDATE_FIXTURES` it is recorded instead.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod record;
mod ways;

use e2e::contract::root;
use e2e::rig::open;
use flotilla::sagas::{Manifest, Saga};
use record::{manifest, recorded};
use ways::{WAYS, play};

/// One after the other: some of them stop services that the others need.
#[tokio::test]
async fn the_fleet_still_says_what_the_recorded_sagas_say() {
    let shop = open().await.unwrap();
    let folder = root().join("fixtures/sagas");
    let is_recording = std::env::var_os("UPDATE_FIXTURES").is_some();
    for way in WAYS {
        let played = play(&shop, way).await.unwrap();
        let now = recorded(&shop.fleet, &played).await.unwrap();
        let kept = folder.join(way.name);
        if is_recording {
            now.write(&kept).unwrap();
        }
        let kept = Saga::read(&kept).unwrap();
        assert_eq!(
            format!("{:#}", serde_json::to_value(now.shape()).unwrap()),
            format!("{:#}", serde_json::to_value(kept.shape()).unwrap()),
            "fixtures/sagas/{}: what the fleet says has changed; see docs/evolution.md, then \
             UPDATE_FIXTURES=1 cargo test -p e2e --test sagas",
            way.name
        );
    }
    if is_recording {
        manifest(&shop.fleet).await.unwrap().write(&folder).unwrap();
    }
    let sagas = Manifest::read(&folder).unwrap().sagas;
    let names: Vec<&str> = WAYS.iter().map(|way| way.name).collect();
    assert_eq!(sagas.len(), names.len(), "the manifest does not name {names:?}");
}
