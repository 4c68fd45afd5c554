//! Durations as Go writes them: `1h0m0s`, `15s`, `0`.

use std::time::Duration;

use jiff::SignedDuration;

/// An hour, as the kind's default is.
pub(super) const DEFAULT: Duration = Duration::from_secs(3600);

/// Reads one; none if it is malformed.
pub(super) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let read: SignedDuration = text.parse().ok()?;
    Duration::try_from(read).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        assert_eq!(parse("1h0m0s"), Some(DEFAULT));
        assert_eq!(parse("15s"), Some(Duration::from_secs(15)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(parse("soon"), None);
    }
}
