//! CPU time and memory of processes, from `/proc`. A Postgres is a postmaster and its backends, which
//! come and go, so a process is counted with all its descendants.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Linux shows times in hundredths of a second, whatever its own clock does.
const TICK: Duration = Duration::from_millis(10);

/// What a process is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Services,
    Postgres,
    Kafka,
    Registry,
    /// The simulator of the payment provider and the carrier, where it is a program of its own.
    Providers,
    Generator,
    /// Where the services send their telemetry: represents a machine outside the fleet.
    Collector,
}

impl Part {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Part::Services => "services",
            Part::Postgres => "postgres",
            Part::Kafka => "kafka",
            Part::Registry => "registry",
            Part::Providers => "providers",
            Part::Generator => "generator",
            Part::Collector => "collector",
        }
    }
}

/// A process to be watched.
#[derive(Debug, Clone)]
pub struct Process {
    pub name: String,
    pub part: Part,
    pub pid: u32,
}

/// Memory of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// In use now. For a Postgres, the proportional share, as its processes share their buffers.
    pub bytes: u64,
    /// The most it ever used; not known for a Postgres.
    pub peak_bytes: Option<u64>,
}

/// Time of all cores together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    pub busy: Duration,
    /// Time in which the machine was ready to run but its host ran somebody else.
    pub stolen: Duration,
}

/// The CPU time that each process has used since it started; zero for a process that is gone.
pub fn cpu_times(processes: &[Process]) -> io::Result<Vec<Duration>> {
    let stats = all_stats()?;
    let children = children(&stats);
    let time = |process: &Process| match process.part {
        // The generator may be the parent of the whole fleet, which must not count as its own.
        Part::Generator => stats.get(&process.pid).map_or(Duration::ZERO, |stat| stat.own),
        // The time of a backend that has ended is counted at the parent that waited for it.
        _tree => descendants(process.pid, &children)
            .iter()
            .filter_map(|pid| stats.get(pid))
            .map(|stat| stat.own + stat.reaped)
            .sum(),
    };
    Ok(processes.iter().map(time).collect())
}

/// The memory of each process. Takes milliseconds: the system adds up page by page.
pub fn memories(processes: &[Process]) -> io::Result<Vec<Memory>> {
    let stats = all_stats()?;
    let children = children(&stats);
    let memory = |process: &Process| match descendants(process.pid, &children).as_slice() {
        tree @ [_, _, ..] if process.part != Part::Generator => {
            Memory { bytes: tree.iter().map(|pid| share(*pid)).sum(), peak_bytes: None }
        }
        _alone => resident(process.pid),
    };
    Ok(processes.iter().map(memory).collect())
}

/// The whole machine's time since it started.
pub fn machine() -> io::Result<Machine> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let first = text.lines().next().unwrap_or_default();
    let ticks: Vec<u32> =
        first.split_ascii_whitespace().skip(1).map(|n| n.parse().unwrap_or(0)).collect();
    let tick = |field: usize| TICK * ticks.get(field).copied().unwrap_or(0);
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    Ok(Machine { busy: tick(0) + tick(1) + tick(2) + tick(5) + tick(6), stolen: tick(7) })
}

struct Stat {
    parent: u32,
    /// Its own threads' time, ended ones included.
    own: Duration,
    /// The time of children that have ended.
    reaped: Duration,
}

fn all_stats() -> io::Result<HashMap<u32, Stat>> {
    let mut stats = HashMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may have ended since the folder was listed.
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some(stat) = parse_stat(&text) {
            stats.insert(pid, stat);
        }
    }
    Ok(stats)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The command's name is in parentheses and may itself contain spaces and parentheses.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok().map(|ticks| TICK * ticks);
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)? + ticks(12)?,
        reaped: ticks(13)? + ticks(14)?,
    })
}

fn children(stats: &HashMap<u32, Stat>) -> HashMap<u32, Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, stat) in stats {
        children.entry(stat.parent).or_default().push(*pid);
    }
    children
}

fn descendants(root: u32, children: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
    let mut tree = vec![root];
    let mut next = 0;
    while next < tree.len() {
        tree.extend(children.get(&tree[next]).into_iter().flatten());
        next += 1;
    }
    tree
}

fn resident(pid: u32) -> Memory {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    Memory { bytes: field_bytes(&text, "VmRSS:"), peak_bytes: Some(field_bytes(&text, "VmHWM:")) }
}

/// The proportional share where the system lets us see it (same user, or root), else the resident memory.
fn share(pid: u32) -> u64 {
    match std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        Ok(text) => field_bytes(&text, "Pss:"),
        Err(_not_ours) => resident(pid).bytes,
    }
}

fn field_bytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.split_ascii_whitespace().next());
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1_024
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_name_with_parentheses_confuses_nobody() {
        let text = "7 (a) S 9 (b) S 3 1 1 0 -1 4194560 1 0 0 0 10 20 5 1 20 0 1 0 100 1 1";
        let stat = parse_stat(text).unwrap();
        assert_eq!(stat.parent, 3);
        assert_eq!(stat.own, Duration::from_millis(300));
        assert_eq!(stat.reaped, Duration::from_millis(60));
    }

    #[test]
    fn a_process_counts_with_its_children_those_that_have_ended_included() {
        // The first child burns time and ends, the second burns on.
        let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let script = format!("sh -c '{burn}'; echo; sh -c 'while :; do :; done'; echo");
        let mut shell =
            Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut byte = [0];
        let stdout = shell.stdout.as_mut().unwrap();
        std::io::Read::read_exact(stdout, &mut byte).unwrap();
        let process = Process { name: "sh".to_owned(), part: Part::Postgres, pid: shell.id() };
        let read = || cpu_times(std::slice::from_ref(&process)).unwrap()[0];
        let first = read();
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut now = first;
        while now < first + Duration::from_millis(100) && Instant::now() < deadline {
            now = read();
        }
        let memory = memories(std::slice::from_ref(&process)).unwrap()[0];
        let all = all_stats().unwrap();
        let child = all.iter().find(|(_, stat)| stat.parent == shell.id()).map(|(pid, _)| *pid);
        let child = child.expect("the second child runs").to_string();
        shell.kill().unwrap();
        assert!(Command::new("kill").args(["-9", &child]).status().unwrap().success());
        shell.wait().unwrap();
        assert!(first >= TICK, "the child that ended is counted");
        assert!(now >= first + Duration::from_millis(100), "the child that runs is counted");
        assert!(memory.bytes > 0 && memory.peak_bytes.is_none());
    }

    #[test]
    fn a_process_that_is_gone_uses_nothing() {
        let gone = [Process { name: "gone".to_owned(), part: Part::Kafka, pid: u32::MAX }];
        assert_eq!(cpu_times(&gone).unwrap(), [Duration::ZERO]);
        assert_eq!(memories(&gone).unwrap()[0].bytes, 0);
    }

    #[test]
    fn this_process_has_memory_and_the_machine_has_worked() {
        let pid = std::process::id();
        let own = Process { name: "self".to_owned(), part: Part::Generator, pid };
        let memory = memories(&[own]).unwrap()[0];
        assert!(memory.bytes > 0 && memory.peak_bytes >= Some(memory.bytes));
        assert!(machine().unwrap().busy > Duration::ZERO);
    }
}
