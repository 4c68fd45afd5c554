//! Which version of its secrets a release was made with: what Pods follow when one is rotated.

use std::collections::BTreeMap;

use super::CATALOGUE;

/// The user of this password is the bootstrap Job alone.
const OF_THE_MASTER: &str = "database-master";

/// A number for each Kubernetes Secret, by its name in the chart (`jwt`, `databaseAdmin`): the sum of
/// its parameters' versions, which rises with every write of any of them.
///
/// `stored`: version by the path below the environment's prefix.
pub(crate) fn versions(stored: &BTreeMap<String, i64>) -> BTreeMap<String, String> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for spec in &CATALOGUE {
        let name = spec.kubernetes_secret.trim_start_matches("supabase-");
        if let Some(version) = stored.get(spec.path).filter(|_| name != OF_THE_MASTER) {
            *sums.entry(name).or_default() += version;
        }
    }
    sums.into_iter().map(|(name, version)| (camel_case(name), version.to_string())).collect()
}

/// One number for all passwords that the bootstrap sets.
pub(crate) fn passwords_version(versions: &BTreeMap<String, String>) -> String {
    let passwords = versions.iter().filter(|(name, _)| name.starts_with("database"));
    passwords.filter_map(|(_, version)| version.parse::<i64>().ok()).sum::<i64>().to_string()
}

/// `database-admin` -> `databaseAdmin`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let (start, rest) = word.split_at(word.len().min(1));
        text + &start.to_ascii_uppercase() + rest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(versions: &[(&str, i64)]) -> BTreeMap<String, i64> {
        versions.iter().map(|(path, version)| ((*path).to_owned(), *version)).collect()
    }

    #[test]
    fn a_secret_has_the_sum_of_its_parameters() {
        let found = versions(&stored(&[
            ("jwt/secret", 1),
            ("jwt/anon-key", 2),
            ("database/admin-password", 4),
            ("database/backup-password", 1),
            ("database/master-password", 9),
            ("unknown/path", 3),
        ]));
        let wanted = [("databaseAdmin", "4"), ("databaseBackup", "1"), ("jwt", "3")];
        assert_eq!(found, wanted.map(|(name, sum)| (name.to_owned(), sum.to_owned())).into());
        assert_eq!(passwords_version(&found), "5");
    }
}
