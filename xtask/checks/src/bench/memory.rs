//! The memory of a family of processes over time, sampled from Linux's `/proc`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, bail};

/// How often it looks. A peak that is shorter than this may be missed.
const EVERY: Duration = Duration::from_millis(500);

/// Watches processes until it is asked for their peak.
#[derive(Debug)]
pub struct MemoryWatch {
    stop: Sender<()>,
    thread: JoinHandle<anyhow::Result<u64>>,
}

/// One line of the process table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    parent: u32,
    group: u32,
    session: u32,
}

impl MemoryWatch {
    /// Watches the processes `roots`, all that descend from them, and all of the groups and
    /// sessions that they lead (a daemon's descendants may have lost their parents).
    ///
    /// # Errors
    /// When there is no `/proc`, or the thread cannot be started.
    pub fn start(roots: &[u32]) -> anyhow::Result<Self> {
        let roots: BTreeSet<_> = roots.iter().copied().collect();
        processes()?;
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            let mut peak = 0;
            // Who was once seen still counts after its parent ended: a daemon's always does.
            let mut known = roots.clone();
            loop {
                let family = family(&processes()?, &known);
                peak = peak.max(memory_of(&family));
                known = &roots | &family;
                match stopped.recv_timeout(EVERY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(peak),
                }
            }
        };
        let thread = thread::Builder::new().name("memory".to_owned()).spawn(watch);
        Ok(Self { stop, thread: thread.context("failed to start the memory watch")? })
    }

    /// Ends the watch: the most bytes that the processes had together.
    ///
    /// # Errors
    /// When `/proc` could not be read all the time, or no process was ever there.
    pub fn finish(self) -> anyhow::Result<u64> {
        // The thread may have ended by itself, with an error that join shows.
        let _ = self.stop.send(());
        match self.thread.join() {
            Ok(Ok(0)) => bail!("none of the watched processes was there"),
            Ok(peak) => peak,
            Err(_) => bail!("the memory watch broke off"),
        }
    }
}

fn processes() -> anyhow::Result<BTreeMap<u32, Process>> {
    let entries = fs::read_dir("/proc").context("this needs Linux's /proc")?;
    let mut processes = BTreeMap::new();
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        processes.extend(parse_process(&stat).map(|process| (pid, process)));
    }
    Ok(processes)
}

/// Fields 4 to 6 of proc(5); the name before them may hold blanks and brackets itself.
fn parse_process(stat: &str) -> Option<Process> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(1).map(str::parse);
    let mut next = || fields.next()?.ok();
    Some(Process { parent: next()?, group: next()?, session: next()? })
}

/// The roots and all that belong to them.
fn family(processes: &BTreeMap<u32, Process>, roots: &BTreeSet<u32>) -> BTreeSet<u32> {
    let mut family: BTreeSet<_> =
        roots.iter().copied().filter(|pid| processes.contains_key(pid)).collect();
    loop {
        let belongs = |(pid, process): &(&u32, &Process)| {
            !family.contains(pid)
                && (family.contains(&process.parent)
                    || roots.contains(&process.group)
                    || roots.contains(&process.session))
        };
        let more: Vec<_> = processes.iter().filter(belongs).map(|(pid, _)| *pid).collect();
        if more.is_empty() {
            return family;
        }
        family.extend(more);
    }
}

/// Their proportional memory in bytes: a page that two share counts once.
fn memory_of(family: &BTreeSet<u32>) -> u64 {
    let rollup = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    family.iter().filter_map(rollup).filter_map(|text| proportional(&text)).sum()
}

/// `Pss:   1234 kB` -> bytes.
fn proportional(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(parent: u32, group: u32, session: u32) -> Process {
        Process { parent, group, session }
    }

    #[test]
    fn a_family_is_descendants_groups_and_sessions() {
        let table = BTreeMap::from([
            (10, process(1, 10, 10)),
            (11, process(10, 10, 10)),
            (12, process(11, 12, 10)),
            (13, process(1, 10, 99)),
            (14, process(1, 14, 14)),
            (15, process(12, 15, 15)),
        ]);
        assert_eq!(family(&table, &BTreeSet::from([10])), BTreeSet::from([10, 11, 12, 13, 15]));
        assert_eq!(family(&table, &BTreeSet::from([77])), BTreeSet::new());
    }

    #[test]
    fn lines_of_proc_are_read() {
        let stat = "7 (a) b (c)) S 1 7 8 0 -1 4";
        assert_eq!(parse_process(stat), Some(process(1, 7, 8)));
        assert_eq!(proportional("00-ff\nRss:  9 kB\nPss:     12 kB\n"), Some(12 * 1024));
        assert_eq!(proportional(""), None);
    }

    #[test]
    fn this_process_has_memory() {
        let watch = MemoryWatch::start(&[std::process::id()]).unwrap();
        assert!(watch.finish().unwrap() > 1024 * 1024);
    }

    #[test]
    fn nobody_has_none() {
        assert!(MemoryWatch::start(&[u32::MAX]).unwrap().finish().is_err());
    }
}
