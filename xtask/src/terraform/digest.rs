//! A plan for people: the gravest first, totals always complete, never longer than asked.

use std::fmt::Write as _;

use super::{
    drift::Drifted,
    plan::{Deed, Plan},
};

/// Markdown of at most `limit` bytes. Lines that do not fit are counted, never cut in the middle.
/// `drift` is what others changed in AWS, which applying the plan records or takes back.
pub(crate) fn markdown(plan: &Plan, drift: &[Drifted], environment: &str, limit: usize) -> String {
    let deeds = plan.deeds();
    let mut text = format!("### Terraform plan for `{environment}`\n\n{}\n", totals(plan));
    const HEAD: usize = 1_000;
    for (at, line) in drift.iter().flat_map(Drifted::lines).enumerate() {
        if at == 0 {
            text.push_str("\nChanged in AWS by somebody else:\n\n");
        }
        if text.len() + line.len() + HEAD > limit {
            text.push_str("- and more: `cargo xtask drift` lists all\n");
            break;
        }
        let _ = writeln!(text, "- {line}");
    }
    let outputs = plan.changed_outputs();
    if !outputs.is_empty() && text.len() + outputs.join(", ").len() + HEAD < limit {
        let _ = writeln!(text, "\nOutputs that change: {}", outputs.join(", "));
    }
    if deeds.is_empty() {
        return text;
    }
    text.push_str("\n| | resource | |\n|---|---|---|\n");
    const TAIL: usize = 120;
    for (place, (deed, change)) in deeds.iter().enumerate() {
        let why = change.remarks();
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

/// One line: `2 to destroy, 1 to replace, 0 to update, 7 to create`. What is rare is only told where
/// it happens.
pub(crate) fn totals(plan: &Plan) -> String {
    let (deeds, outputs) = (plan.deeds(), plan.changed_outputs().len());
    if deeds.is_empty() && outputs == 0 {
        return "No changes: AWS is as the code says.".to_owned();
    }
    let count = |wanted: Deed| deeds.iter().filter(|(deed, _)| *deed == wanted).count();
    let told = |deed: &Deed| Deed::USUAL.contains(deed) || count(*deed) > 0;
    let parts = Deed::ALL.into_iter().filter(told);
    let mut parts: Vec<_> =
        parts.map(|deed| format!("{} to {}", count(deed), deed.verb())).collect();
    if outputs > 0 {
        parts.push(format!("{outputs} output{} to change", if outputs == 1 { "" } else { "s" }));
    }
    parts.join(", ")
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
        let text = markdown(&plan(2, 1), &[], "dev", 60_000);
        assert!(text.find("destroy[0]").unwrap() < text.find("create[0]").unwrap());
        assert_eq!(totals(&plan(2, 1)), "1 to destroy, 0 to replace, 0 to update, 2 to create");
        assert_eq!(totals(&plan(0, 0)), "No changes: AWS is as the code says.");
    }

    #[test]
    fn what_is_let_go_of_is_told() {
        let change = json!({"address": "aws_x.y", "type": "aws_x", "mode": "managed", "change": {"actions": ["forget"]}});
        let plan = Plan::parse(&json!({"resource_changes": [change]}).to_string()).unwrap();
        assert!(totals(&plan).contains("1 to forget"), "{}", totals(&plan));
        assert!(markdown(&plan, &[], "dev", 60_000).contains("| forget | `aws_x.y` |"));
    }

    #[test]
    fn a_plan_that_only_changes_an_output_is_a_change() {
        let json = json!({"output_changes": {"hostname": {"actions": ["update"]}}});
        let plan = Plan::parse(&json.to_string()).unwrap();
        assert!(totals(&plan).ends_with("0 to create, 1 output to change"), "{}", totals(&plan));
        assert!(markdown(&plan, &[], "dev", 60_000).contains("Outputs that change: hostname"));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
        /// However many changes: never too long, totals exact, every line whole.
        #[test]
        fn the_budget_holds(creates in 0_usize..3000, destroys in 0_usize..50, limit in 2_000_usize..60_000) {
            let plan = plan(creates, destroys);
            let text = markdown(&plan, &[], "dev", limit);
            proptest::prop_assert!(text.len() <= limit);
            proptest::prop_assert!(text.contains(&totals(&plan)));
            let whole = |line: &str| line.ends_with('|');
            proptest::prop_assert!(text.lines().filter(|line| line.starts_with('|')).all(whole));
        }
    }
}
