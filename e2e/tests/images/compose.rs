//! The whole fleet as docker-compose.kafka.yml starts it, with the commands that docs/containers.md tells people to run.

use std::process::Command;

use crate::engine::{Engine, Run};

/// The commands of the page's blocks, a line each.
fn commands() -> Vec<String> {
    let blocks = e2e::page::blocks("docs/containers.md");
    let lines = blocks.iter().flat_map(|block| block.lines().map(str::trim).map(str::to_owned));
    lines.filter(|line| !line.is_empty()).collect()
}

/// The last word of what `order place` says first: the order's id.
fn order_in(said: &str) -> &str {
    let is_id = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
    said.split_whitespace().find(is_id).unwrap_or_else(|| panic!("no order in: {said}"))
}

impl Engine {
    /// A line of the page, as a shell would run it.
    fn line(&self, line: &str) -> Command {
        let words: Vec<&str> = line.split(' ').collect();
        let (program, args) = words.split_first().unwrap();
        match *program {
            "docker" => self.docker(args),
            _other => self.inside(&words),
        }
    }
}

#[test]
fn the_fleet_starts_fulfils_an_order_stops_and_has_lost_nothing_when_it_starts_again() {
    let engine = Engine::shared();
    let mut orders: Vec<String> = Vec::new();
    for line in commands() {
        let line = match orders.first() {
            Some(order) => line.replace("ORDER", order),
            None => line,
        };
        // What only a machine with a way to a container registry can do.
        if line.contains(" build") || line.contains("--profile observe") {
            continue;
        }
        let said = engine.line(&line).passes();
        if line.contains("order place") {
            assert!(said.contains("completed"), "{line}\n{said}");
            orders.push(order_in(&said).to_owned());
        }
        if line.contains("order show") {
            assert!(said.contains("completed"), "{line}\n{said}");
        }
    }
    assert_eq!(orders.len(), 2, "one order before the fleet was stopped, one after");
}
