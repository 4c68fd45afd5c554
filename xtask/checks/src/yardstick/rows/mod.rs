//! The table: each requirement with its evidence. One file a chapter.

mod cluster;
mod database;
mod identity;
mod network;
mod operations;
mod storage;

use super::row::Row;

/// Every row, in the order of its number.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    let chapters = [
        network::ROWS,
        cluster::ROWS,
        database::ROWS,
        storage::ROWS,
        identity::ROWS,
        operations::ROWS,
    ];
    chapters.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yardstick::row::Proof;

    #[test]
    fn rows_are_numbered_without_a_gap_and_none_is_without_evidence() {
        let numbers: Vec<_> = all().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=69).collect::<Vec<_>>());
        for row in all() {
            assert_eq!(row.proofs.is_empty(), row.option.is_some(), "row {}", row.number);
        }
    }

    #[test]
    fn proofs_over_plans_and_files_have_counterexamples() {
        for row in all() {
            for proof in row.proofs {
                let has_some = match proof {
                    Proof::Plan(_, broken) | Proof::Bootstrap(_, broken) => !broken.is_empty(),
                    Proof::Code(_, edits) => !edits.is_empty(),
                    _ => true,
                };
                assert!(has_some, "row {}", row.number);
            }
        }
    }
}
