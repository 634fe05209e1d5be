//! The process as the system sees it: processor time, memory, files, threads. By the names that Prometheus' own
//! clients use, so that everybody's dashboards know them. Read when somebody asks, from Linux' `/proc`; what cannot
//! be read is not shown. A program that runs several services shows itself under each of them.

use std::fs;

use super::maker::Maker;

/// In which the kernel tells programs about processor time, on every machine that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;
/// Fields of `/proc/self/stat` after the program's name, which may contain anything.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const STARTED_TICKS: usize = 19;

pub(super) fn measure(make: &Maker<'_>) {
    make.spent("process_cpu", "Processor time", || cpu_seconds(&of_self("stat")?));
    make.measured(("process_resident_memory", "By", "_bytes"), "Memory in use", || {
        Some(field(&of_self("status")?, "VmRSS:")? * 1024.0)
    });
    make.measured(("flotilla_memory_limit", "By", "_bytes"), "Memory that it may use", || {
        // Of its control group, as containers have one; `max` where there is no limit.
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?.trim().parse().ok()
    });
    make.measured(("process_threads", "", ""), "Threads", || {
        field(&of_self("status")?, "Threads:")
    });
    make.measured(("process_open_fds", "", ""), "Open files and connections", || {
        // The folder that is read is open meanwhile.
        Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
    });
    make.measured(("process_max_fds", "", ""), "Files that it may open", || {
        field(&of_self("limits")?, "Max open files")
    });
    // Once: the time of the machine's start, which it is counted from, moves as the clock is set.
    let started = started_seconds();
    let what = "When it was started, in seconds since 1970";
    make.measured(("process_start_time", "s", "_seconds"), what, move || started);
}

fn of_self(file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/{file}")).ok()
}

/// The number that a line begins with after this name.
fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A number of `/proc/self/stat`.
fn ticks(stat: &str, field: usize) -> Option<f64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(field)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((ticks(stat, USER_TICKS)? + ticks(stat, SYSTEM_TICKS)?) / TICKS_PER_SECOND)
}

fn started_seconds() -> Option<f64> {
    let machine = field(&fs::read_to_string("/proc/stat").ok()?, "btime")?;
    Some(machine + ticks(&of_self("stat")?, STARTED_TICKS)? / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel writes it, with a program whose name is no help.
    const STAT: &str = "7 (a) (b) 9) S 1 7 7 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 5 0 4200 1 2";

    #[test]
    fn processor_time_is_that_of_the_program_and_of_the_system_for_it() {
        assert_eq!(cpu_seconds(STAT), Some(1.75));
        assert_eq!(ticks(STAT, STARTED_TICKS), Some(4200.0));
    }

    #[test]
    fn a_field_is_the_number_after_its_name_and_an_unlimited_one_is_none() {
        assert_eq!(field("Name:\tx\nVmRSS:\t  2048 kB\n", "VmRSS:"), Some(2048.0));
        assert_eq!(
            field("Max open files            1024      4096    files", "Max open files"),
            Some(1024.0)
        );
        assert_eq!(
            field("Max open files            unlimited unlimited files", "Max open files"),
            None
        );
    }

    #[test]
    fn this_process_was_started_after_its_machine_and_has_spent_time() {
        let stat = of_self("stat").unwrap();
        assert!(cpu_seconds(&stat).is_some_and(|seconds| seconds < 1e6));
        assert!(
            started_seconds().is_some_and(|seconds| seconds > 1.7e9),
            "{:?}",
            started_seconds()
        );
    }
}
