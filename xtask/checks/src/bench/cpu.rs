//! The processor time of child processes, from Linux's own accounts.

use std::{fs, time::Duration};

use anyhow::Context;

/// The unit in which `/proc` counts processor time: Linux fixes it at 100 a second for programs.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time of all ended children of this process, and of theirs.
pub(super) fn of_ended_children() -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").context("this needs Linux's /proc")?;
    let ticks = ended_children(&stat).context("failed to understand /proc/self/stat")?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Fields 16 and 17 (`cutime`, `cstime`) of proc(5). The second field, the program's name in
/// brackets, may hold blanks and brackets itself.
fn ended_children(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(13);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_fields_are_read() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4 9 10 11 12 13 14 15 16 20 0 1 0";
        assert_eq!(ended_children(stat), Some(15 + 16));
        assert_eq!(ended_children("nonsense"), None);
    }
}
