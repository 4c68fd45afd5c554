//! A plan for people: the gravest first, totals always complete, never longer than asked.

use std::fmt::Write as _;

use super::plan::{Deed, Plan};

/// Markdown of at most `limit` bytes. Lines that do not fit are counted, never cut in the middle.
pub(crate) fn markdown(plan: &Plan, environment: &str, limit: usize) -> String {
    let deeds = plan.deeds();
    let mut text = format!("### Terraform plan for `{environment}`\n\n{}\n", totals(plan));
    if deeds.is_empty() {
        return text;
    }
    text.push_str("\n| | resource | |\n|---|---|---|\n");
    const TAIL: usize = 120;
    for (place, (deed, change)) in deeds.iter().enumerate() {
        let why = change.forced_by().map(|path| format!("forced by `{path}`")).unwrap_or_default();
        let line = format!("| {} | `{}` | {why} |\n", deed.verb(), change.address);
        if text.len() + line.len() + TAIL > limit {
            let left = deeds.len() - place;
            let _ = writeln!(text, "\n{left} more; the whole plan is in the job's log.");
            break;
        }
        text.push_str(&line);
    }
    text
}

/// One line: `2 to destroy, 1 to replace, 0 to update, 7 to create`. Forgetting and taking over are rare
/// and only told where they happen.
pub(crate) fn totals(plan: &Plan) -> String {
    let deeds = plan.deeds();
    if deeds.is_empty() {
        return "No changes: AWS is as the code says.".to_owned();
    }
    let count = |wanted: Deed| deeds.iter().filter(|(deed, _)| *deed == wanted).count();
    let rare = |deed: &Deed| matches!(deed, Deed::Forget | Deed::Import);
    let told = |deed: &Deed| !rare(deed) || count(*deed) > 0;
    let parts = Deed::ALL.into_iter().filter(told);
    parts.map(|deed| format!("{} to {}", count(deed), deed.verb())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Plan, markdown, totals};

    fn plan(creates: usize, destroys: usize) -> Plan {
        let change = |name: String, action: &str| json!({"address": name, "type": "aws_x", "mode": "managed", "change": {"actions": [action]}});
        let changes: Vec<_> = (0..creates)
            .map(|n| change(format!("aws_x.create[{n}]"), "create"))
            .chain((0..destroys).map(|n| change(format!("aws_x.destroy[{n}]"), "delete")))
            .collect();
        Plan::parse(&json!({"resource_changes": changes}).to_string()).unwrap()
    }

    #[test]
    fn destroys_come_first_and_totals_are_complete() {
        let text = markdown(&plan(2, 1), "dev", 60_000);
        assert!(text.find("destroy[0]").unwrap() < text.find("create[0]").unwrap());
        assert_eq!(totals(&plan(2, 1)), "1 to destroy, 0 to replace, 0 to update, 2 to create");
        assert_eq!(totals(&plan(0, 0)), "No changes: AWS is as the code says.");
    }

    #[test]
    fn what_is_let_go_of_is_told() {
        let change = json!({"address": "aws_x.y", "type": "aws_x", "mode": "managed", "change": {"actions": ["forget"]}});
        let plan = Plan::parse(&json!({"resource_changes": [change]}).to_string()).unwrap();
        assert!(totals(&plan).contains("1 to forget"), "{}", totals(&plan));
        assert!(markdown(&plan, "dev", 60_000).contains("| forget | `aws_x.y` |"));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
        /// However many changes: never too long, totals exact, every line whole.
        #[test]
        fn the_budget_holds(creates in 0_usize..3000, destroys in 0_usize..50, limit in 2_000_usize..60_000) {
            let plan = plan(creates, destroys);
            let text = markdown(&plan, "dev", limit);
            proptest::prop_assert!(text.len() <= limit);
            proptest::prop_assert!(text.contains(&totals(&plan)));
            let whole = |line: &str| line.ends_with('|');
            proptest::prop_assert!(text.lines().filter(|line| line.starts_with('|')).all(whole));
        }
    }
}
