//! Until when AWS supports a version: a dated table, so that a calendar and not an outage tells.
//!
//! Source: the Amazon EKS Kubernetes release calendar and the Amazon RDS for PostgreSQL release
//! calendar, as of August 2026.

use jiff::civil::{Date, date};

/// Minor of EKS and the end of its standard support.
const KUBERNETES: [(&str, Date); 3] =
    [("1.34", date(2026, 12, 2)), ("1.35", date(2027, 3, 27)), ("1.36", date(2027, 8, 2))];

/// Major of RDS for PostgreSQL and the end of its standard support.
const POSTGRES: [(&str, Date); 4] = [
    ("15", date(2028, 2, 29)),
    ("16", date(2029, 2, 28)),
    ("17", date(2030, 2, 28)),
    ("18", date(2031, 2, 28)),
];

const WARNING_DAYS: i32 = 60;

/// How much longer a version is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    Supported { until: Date },
    EndsSoon { until: Date, days: i32 },
    Ended { since: Date },
    Unknown,
}

pub(crate) fn kubernetes_support(version: &str, today: Date) -> Support {
    support(&KUBERNETES, version, today)
}

pub(crate) fn postgres_support(version: &str, today: Date) -> Support {
    support(&POSTGRES, version, today)
}

fn support(table: &[(&str, Date)], version: &str, today: Date) -> Support {
    let Some((_, until)) = table.iter().find(|(known, _)| *known == version) else {
        return Support::Unknown;
    };
    let days = today.until(*until).map_or(0, |span| span.get_days());
    match days {
        days if days < 0 => Support::Ended { since: *until },
        days if days < WARNING_DAYS => Support::EndsSoon { until: *until, days },
        _ => Support::Supported { until: *until },
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{Support, kubernetes_support, postgres_support};

    #[test]
    fn the_verdict_follows_the_calendar() {
        let until = date(2027, 3, 27);
        assert_eq!(kubernetes_support("1.35", date(2026, 11, 21)), Support::Supported { until });
        assert_eq!(
            kubernetes_support("1.35", date(2027, 1, 27)),
            Support::EndsSoon { until, days: 59 }
        );
        assert_eq!(kubernetes_support("1.35", date(2027, 1, 26)), Support::Supported { until });
        assert_eq!(kubernetes_support("1.35", date(2027, 3, 28)), Support::Ended { since: until });
        assert_eq!(kubernetes_support("1.28", date(2026, 11, 21)), Support::Unknown);
        assert!(matches!(postgres_support("17", date(2026, 11, 21)), Support::Supported { .. }));
    }
}
