//! Writing into a repository and undoing it, in one where only the edited files are real.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;

fn repository() -> TempDir {
    let folder = TempDir::new().unwrap();
    let real = root_of(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    for file in [
        "crates/chassis/Cargo.toml",
        "crates/roster/src/lib.rs",
        "e2e/src/members.rs",
        "e2e/Cargo.toml",
        "Cargo.toml",
        "Cargo.lock",
        "deny.toml",
    ] {
        let copy = folder.path().join(file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(real.join(file), copy).unwrap();
    }
    folder
}

fn content(root: &Path) -> BTreeMap<PathBuf, String> {
    let files = files_in(root).unwrap().into_iter();
    files.map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

fn request(name: &str, hears: &[&str]) -> Request {
    let hears = hears.iter().map(|topic| (*topic).to_owned()).collect();
    Request { name: name.to_owned(), hears, publishes: true }
}

#[test]
fn what_is_written_can_be_taken_away_again_without_a_trace() {
    let folder = repository();
    let before = content(folder.path());
    for (name, hears, publishes) in [
        ("unheardof", &["shipping.events", "order.events"][..], true),
        ("unheardofwithanameofthirtytwo", &["inventory.events"], false),
        // Another dependency ends like its line.
        ("json", &["order.events"], true),
    ] {
        let request = Request { publishes, ..request(name, hears) };
        let plan = Plan::new(folder.path(), &request).unwrap();
        let diff = plan.diff().unwrap();
        for line in [
            format!("+    {{ crate = \"{name}\", wrappers = [\"e2e\"] }},\n"),
            format!("+{name} = {{ path = \"services/{name}\" }}\n"),
            format!("+        name: \"{name}\",\n"),
            format!("+{name}.workspace = true\n"),
            format!("describe: || describe({name}::app),"),
        ] {
            assert!(diff.contains(&line), "{line} is not in {diff}");
        }
        plan.write().unwrap();
        assert!(Plan::new(folder.path(), &request).is_err(), "it is there already");
        Plan::written(folder.path(), name).unwrap().undo().unwrap();
        let after = content(folder.path());
        assert!(before == after, "{:?}", after.keys());
    }
}

#[test]
fn what_was_changed_since_is_named_and_nothing_is_taken_away() {
    let folder = repository();
    Plan::new(folder.path(), &request("unheardof", &["order.events"])).unwrap().write().unwrap();
    let path = |file: &str| folder.path().join("services/unheardof").join(file);
    fs::write(path("src/domain.rs"), "// a rule").unwrap();
    fs::write(path("src/api.rs"), "// a route").unwrap();
    let before = content(folder.path());
    let error = Plan::written(folder.path(), "unheardof").unwrap().undo().unwrap_err().to_string();
    for file in ["services/unheardof/src/domain.rs", "services/unheardof/src/api.rs"] {
        assert!(error.contains(file), "{error}");
    }
    assert!(!error.contains("service.rs"), "{error}");
    assert!(content(folder.path()) == before);
}

#[test]
fn names_that_are_taken_or_will_not_do_are_refused() {
    let folder = repository();
    let long = "a".repeat(33);
    for name in [
        "",
        "a",
        &long,
        "Unheardof",
        "un-heard",
        "un_heard",
        "unheardof2",
        "match",
        "user",
        "kafka",
        "order",
        "serde",
        "none",
        "deps",
    ] {
        let refused = Plan::new(folder.path(), &request(name, &["order.events"]));
        assert!(refused.is_err(), "{name}");
    }
}

#[test]
fn only_topics_that_are_about_orders_can_be_heard_each_once() {
    let folder = repository();
    for (hears, why) in [
        (&["orders"][..], "what can be heard is order.events, inventory.events"),
        (&["inventory.catalogue"], "not about orders"),
        (&["order.events", "order.events"], "named twice"),
        (&[], "name a topic"),
    ] {
        let refused =
            Plan::new(folder.path(), &request("unheardof", hears)).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

/// What is written for a service is what stands there for one that was written by hand: so it compiles, and is
/// formatted.
#[test]
fn the_lines_for_a_service_are_those_that_a_service_in_the_repository_has() {
    let real = root_of(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    for edit in edits::all(&request("loyalty", &["order.events"]), "examples/loyalty") {
        let text = fs::read_to_string(real.join(edit.file)).unwrap();
        assert!(edit.taken_from(&text).is_some(), "{}: {edit:?}", edit.file);
    }
}
