use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::{Value, json};

use super::read;
use crate::{config::oracle::comparable, exit::Exit};

fn refused(text: &str) -> String {
    let error = read(text, "x.tfvars").unwrap_err();
    assert_eq!(Exit::of(&error), Exit::BadInput, "{error:#}");
    format!("{error:#}")
}

#[test]
fn plain_values_are_read() {
    let text = "# a comment\na = \"x\\n\\u00e9 $${y}\" // another\nb = [1, 2.5, -3, 1e3,]\r\nc = {\n  d = true, \"e f\" : null\n  \
                7 = false /* and\n one */\n}\ng={}\nh = []";
    assert_eq!(
        read(text, "x.tfvars").unwrap().to_json(),
        json!({
            "a": "x\né ${y}", "b": [1, 2.5, -3, 1000.0], "c": {"d": true, "e f": null, "7": false}, "g": {}, "h": []
        })
    );
}

#[test]
fn whatever_is_wrong_has_its_line_its_key_and_a_remedy() {
    let expression = "is an expression: write the value itself, as a text in quotes, a number, true, false, null, a list \
                      or a map";
    for (text, sentence) in [
        ("a = \"eu-${\"west\"}-1\"", format!("1: `a` {expression}")),
        ("a = \"eu-${west}-1\"", format!("1: `a` {expression}")),
        ("a = \"%{ if west }x\"", format!("1: `a` {expression}")),
        ("\na = upper(\"x\")", format!("2: `a` {expression}")),
        ("a = 1 + 1", format!("1: `a` {expression}")),
        ("a = var.b", format!("1: `a` {expression}")),
        ("a = (1)", format!("1: `a` {expression}")),
        ("a = <<X\nb\nX\n", format!("1: `a` {expression}")),
        ("a = {\n b = {\n c = yes\n}\n}", format!("3: `a.b.c` {expression}")),
        ("a = 1\nb = 2\na = 3", "3: `a` was set on line 1 already; keep one of the two".to_owned()),
        ("a = { b = 1\n b = 2 }", "2: `a.b` was set on line 1 already; keep one of the two".to_owned()),
        ("a =\nb = 1", "1: `a` has no value; write one after the `=`".to_owned()),
        ("a = \"x\nb = 1", "1: `a` has a quote that is not closed on its line; add the second `\"`".to_owned()),
        ("a = 1_000", "1: `a` is `1_000`, which is not a number here; put a text in quotes, and write a number without leading zeros".to_owned()),
        ("a = [1", "1: `a` is not closed: the file ends where `,` or `]` is expected".to_owned()),
        ("a = { b = 1 c = 2 }", "1: `a.b` has `c` where a new line, `,` or `}` is expected: only plain values stand in a tfvars file".to_owned()),
        ("a {\n}\n", "1: `a` has no `=` after it: a tfvars file holds lines `name = value` and nothing else".to_owned()),
        ("a = 1\n}", "2: `}` where a line `name = value` begins; compare with the lines around it".to_owned()),
    ] {
        assert_eq!(refused(text), format!("x.tfvars:{sentence}"));
    }
    let deep = format!("a = {}", "[".repeat(1000));
    assert!(refused(&deep).contains("nests values too deep"));
}

#[test]
fn a_long_file_is_read_key_by_key() {
    // Quadratic work would take minutes here.
    let count = 20_000;
    let entries: String = (0..count).map(|key| format!("  key_{key} = \"value\"\n")).collect();
    let map = read(&format!("a = {{\n{entries}}}\n"), "x.tfvars").unwrap();
    assert_eq!(map.get("a").unwrap().value.to_json().as_object().unwrap().len(), count);
    assert_eq!(read(&entries, "x.tfvars").unwrap().iter().count(), count);
}

const SHIPPED: [&str; 3] = [
    include_str!("../../../../terraform/environments/dev.tfvars"),
    include_str!("../../../../terraform/environments/prod.tfvars"),
    include_str!("../../../../terraform/bootstrap/accounts/123456789012.tfvars"),
];

/// A refusal names the file, and the line unless something is missing from the whole of it.
fn is_told_well(message: &str) -> bool {
    let rest = message.strip_prefix("x.tfvars").unwrap_or_default();
    let digits = rest.strip_prefix(':').map(|rest| rest.split(':').next().unwrap_or_default());
    !message.contains('\n')
        && digits
            .is_some_and(|digits| digits.parse::<usize>().is_ok() || rest.contains(" is missing"))
}

proptest! {
    // The same damage in every run.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(20_000), cases: 1000, ..ProptestConfig::default() })]

    /// Whatever becomes of a file, it is refused with its line, or read as HCL's own library reads it.
    #[test]
    fn a_damaged_file_is_refused_or_read_as_hcl_reads_it(
        file in 0..SHIPPED.len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), 0..4, "[\\PC\\n]{0,3}|[={}\\[\\]\",#$%.:/ \\n-]{1,2}"), 1..4),
    ) {
        let mut text: Vec<char> = SHIPPED[file].chars().collect();
        for (place, way, inserted) in damage {
            let at = place.index(text.len());
            let end = match way { 0 => at, 1 => at + 1, 2 => (at + 9).min(text.len()), _ => (at + 60).min(text.len()) };
            text.splice(at..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        match read(&text, "x.tfvars") {
            Err(error) => prop_assert!(is_told_well(&format!("{error:#}")), "{error:#}"),
            Ok(entries) => {
                let theirs: Value = hcl::from_str(&text).map_err(|error| {
                    TestCaseError::fail(format!("HCL refuses what is read here: {error}\n{text}"))
                })?;
                prop_assert_eq!(comparable(&entries.to_json()), comparable(&theirs));
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        if let Err(error) = read(&text, "x.tfvars") {
            prop_assert!(is_told_well(&format!("{error:#}")), "{error:#}");
        }
    }
}
