//! What this machine lacks.

use std::process::ExitCode;

use local::doctor;
use serde_json::json;

use crate::exit::Exit;
use crate::output::Output;

pub(super) fn examine(out: &Output) -> ExitCode {
    let checks = doctor::checks();
    for check in &checks {
        let (verdict, what) = match &check.found {
            Some(found) => (out.good("ok     "), found),
            None => (out.bad("missing"), &check.fix),
        };
        out.line(format_args!("{:18} {verdict} {what}", check.name));
    }
    out.list("checks", &json!({ "checks": checks }));
    match checks.iter().all(|check| check.found.is_some()) {
        true => ExitCode::SUCCESS,
        false => Exit::No.into(),
    }
}
