//! The memory of each service while the measurement runs, read a few times a second. The system itself
//! only keeps a peak since the process began, which says nothing about phases.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::task::JoinHandle;

use crate::fleet::Fleet;
use crate::process::{self, Part, Process};

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The most that a service used in each phase, and in each second of the window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceMemory {
    pub name: String,
    pub before_mib: f64,
    pub away_mib: f64,
    pub drain_mib: f64,
    pub by_second_mib: Vec<f64>,
}

/// The bytes of every service at a moment.
type Look = (Instant, Vec<u64>);

/// A task that reads the memory until it is stopped.
pub(super) struct MemoryWatch {
    services: Vec<Process>,
    looks: Arc<Mutex<Vec<Look>>>,
    task: JoinHandle<()>,
}

impl MemoryWatch {
    pub(super) fn start(fleet: &Fleet) -> Self {
        let services = fleet.processes.iter().filter(|process| process.part == Part::Services);
        let services: Vec<Process> = services.cloned().collect();
        let looks = Arc::new(Mutex::default());
        let task = tokio::spawn(look(services.clone(), Arc::clone(&looks)));
        MemoryWatch { services, looks, task }
    }

    /// Stops the task. The phases end when Kafka goes, when it comes back, and when nothing waits.
    pub(super) fn stop(self, begin: Instant, ends: [Instant; 3]) -> Vec<ServiceMemory> {
        self.task.abort();
        let looks = self.looks.lock().expect("no panic under this lock");
        (0..)
            .zip(self.services)
            .map(|(n, service)| of(service.name, n, &looks, begin, ends))
            .collect()
    }
}

async fn look(services: Vec<Process>, looks: Arc<Mutex<Vec<Look>>>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        // A reading that fails does not matter.
        if let Ok(memories) = process::memories(&services) {
            let bytes = memories.iter().map(|memory| memory.bytes).collect();
            looks.lock().expect("no panic under this lock").push((Instant::now(), bytes));
        }
    }
}

/// The memory of the `n`th service.
fn of(
    name: String,
    n: usize,
    looks: &[Look],
    begin: Instant,
    [gone, back, drained]: [Instant; 3],
) -> ServiceMemory {
    let peak = |from: Instant, to: Instant| {
        let within = looks.iter().filter(|(at, _)| (from..to).contains(at));
        within.map(|(_, bytes)| bytes[n]).max().unwrap_or(0) as f64 / 1_048_576.0
    };
    let second = Duration::from_secs(1);
    let last = looks.last().map_or(begin, |(at, _)| *at);
    let seconds = (0..).map(|n| begin + second * n).take_while(|from| *from < last);
    ServiceMemory {
        name,
        before_mib: peak(begin, gone),
        away_mib: peak(gone, back),
        drain_mib: peak(back, drained),
        by_second_mib: seconds.map(|from| peak(from, from + second)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_and_each_second_has_its_own_peak() {
        let begin = Instant::now();
        let half = Duration::from_millis(500);
        let mib = |mib: u64| vec![0, mib << 20];
        let looks: Vec<Look> =
            (0..).zip([3, 1, 7, 2, 5, 4]).map(|(n, size)| (begin + half * n, mib(size))).collect();
        let ends = [begin + half * 2, begin + half * 4, begin + half * 5];
        let memory = of("order".to_owned(), 1, &looks, begin, ends);
        assert_eq!((memory.before_mib, memory.away_mib, memory.drain_mib), (3.0, 7.0, 5.0));
        assert_eq!(memory.by_second_mib, [3.0, 7.0, 5.0]);
    }
}
