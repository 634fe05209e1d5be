//! Which carrier the settings choose, and what they are refused for.

use std::collections::HashMap;
use std::io::Write;

use chassis::{Adapter, Env};
use shipping::Shipments;
use shipping::carrier::from_env;

fn read(settings: &[(&'static str, &str)]) -> (Option<Adapter<Shipments>>, Vec<String>) {
    let settings: HashMap<_, _> = settings
        .iter()
        .map(|(name, value)| (format!("FLOTILLA_{name}"), (*value).to_owned()))
        .collect();
    let mut env = Env::from_fn(move |name| settings.get(name).cloned());
    let configured = from_env(&mut env);
    (configured, env.problems().to_vec())
}

#[test]
fn settings_choose_the_carrier() {
    let (configured, problems) = read(&[("CARRIER", "in-process")]);
    assert!(format!("{configured:?}").ends_with("::InProcess)"), "{configured:?}");
    assert_eq!(problems, [""; 0]);

    let url = ("CARRIER", "https://api.example.org/base");
    let (configured, problems) = read(&[url, ("CARRIER_KEY", "sk_test_do_not_tell")]);
    assert!(format!("{configured:?}").ends_with("::Http)"), "{configured:?}");
    assert!(!format!("{configured:?}").contains("do_not_tell"));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn a_key_is_read_from_a_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "sk_test_from_a_file").unwrap();
    let path = file.path().to_str().unwrap();
    let url = ("CARRIER", "http://localhost:8099");
    let (configured, problems) = read(&[url, ("CARRIER_KEY_FILE", path)]);
    assert!(format!("{configured:?}").ends_with("::Http)"), "{configured:?}");
    assert_eq!(problems, [""; 0]);
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let url = ("CARRIER", "http://localhost:8099");
    let key = ("CARRIER_KEY", "sk_test_do_not_tell");
    for (settings, problem) in [
        (vec![], "FLOTILLA_CARRIER is not set"),
        (vec![("CARRIER", "localhost:8099"), key], "FLOTILLA_CARRIER must be"),
        (vec![("CARRIER", "ftp://localhost"), key], "FLOTILLA_CARRIER must be"),
        (vec![("CARRIER", "http://me:do_not_tell@localhost"), key], "must not hold credentials"),
        (vec![("CARRIER", "http://localhost?key=do_not_tell"), key], "without a query"),
        (vec![url], "FLOTILLA_CARRIER_KEY"),
        (vec![url, key, ("CARRIER_KEY_FILE", "key")], "both set"),
        (vec![url, ("CARRIER_KEY_FILE", "no/such/file")], "no/such/file"),
        (vec![url, ("CARRIER_KEY", "do_not_tell\u{7f}")], "cannot be made"),
        (vec![url, key, ("CARRIER_TIMEOUT_MS", "0")], "FLOTILLA_CARRIER_TIMEOUT_MS"),
        (vec![url, key, ("CARRIER_TIMEOUT_MS", "soon")], "FLOTILLA_CARRIER_TIMEOUT_MS"),
        (vec![("CARRIER", "in-process"), key], "choose one"),
    ] {
        let (_, problems) = read(&settings);
        let [only] = &problems[..] else { panic!("{settings:?}: {problems:?}") };
        assert!(only.contains(problem), "{settings:?}: {only}");
        assert!(!only.contains("do_not_tell"), "{only}");
    }
}
