//! Until when AWS supports a version: a dated table, so that a calendar and not an outage tells.
//!
//! Terraform's guards read the same file.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::civil::Date;
use serde::Deserialize;

/// Ends of standard support by version. It cannot be unreadable unless the test below fails; then
/// every version would be unknown, and refused.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../terraform/support.json")).unwrap_or_default()
});

#[derive(Debug, Default, Deserialize)]
struct Table {
    /// Minors of EKS.
    kubernetes: BTreeMap<String, Date>,
    /// Majors of RDS for PostgreSQL.
    postgres: BTreeMap<String, Date>,
}

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
    support(&TABLE.kubernetes, version, today)
}

pub(crate) fn postgres_support(version: &str, today: Date) -> Support {
    support(&TABLE.postgres, version, today)
}

fn support(table: &BTreeMap<String, Date>, version: &str, today: Date) -> Support {
    let Some(until) = table.get(version) else { return Support::Unknown };
    let days = today.until(*until).map_or(0, |span| span.get_days());
    match days {
        days if days <= 0 => Support::Ended { since: *until },
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
