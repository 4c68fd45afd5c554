//! Decides the rows and prints them.

use std::collections::BTreeMap;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::{
    evidence::{EnvironmentEvidence, Evidence},
    plan::{self, PlanView, is_production},
    row::{Breakage, Proof, Row, Verdict, must},
    rows,
};

/// How a row stands in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "verdict")]
pub enum Standing {
    Pass,
    Fail {
        because: Vec<String>,
    },
    /// On purpose, and proven to be so.
    Differs {
        reason: &'static str,
    },
    /// The row describes an alternative that was not taken.
    Option {
        reason: &'static str,
    },
}

/// A row with how it stands.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    pub row: u8,
    pub requirement: &'static str,
    pub place: &'static str,
    pub evidence: Vec<String>,
    /// By environment.
    pub standing: BTreeMap<String, Standing>,
}

/// Every row, decided.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub rows: Vec<Measured>,
}

impl Report {
    pub(super) fn of(evidence: &Evidence) -> Self {
        let measured = rows::all().map(|row| Measured {
            row: row.number,
            requirement: row.requirement,
            place: row.place,
            evidence: described(row.proofs),
            standing: evidence
                .environments
                .keys()
                .map(|name| (name.clone(), stand(row, evidence, name)))
                .collect(),
        });
        Self { rows: measured.collect() }
    }

    /// Whether no row fails anywhere.
    pub fn passes(&self) -> bool {
        self.failures().is_empty()
    }

    /// One line a failure.
    pub fn failures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            for (environment, standing) in &row.standing {
                if let Standing::Fail { because } = standing {
                    let because = because.join("; ");
                    lines.push(format!(
                        "row {} ({}), {environment}: {because}",
                        row.row, row.requirement
                    ));
                }
            }
        }
        lines
    }

    /// `prod: 69 of 69 (1 option), dev: 63 pass, 6 differ`.
    pub fn summary(&self) -> String {
        let names = self.rows.first().map(|row| row.standing.keys().cloned().collect::<Vec<_>>());
        let of = |environment: &String| {
            let count = |wanted: fn(&Standing) -> bool| {
                self.rows
                    .iter()
                    .filter(|row| row.standing.get(environment).is_some_and(wanted))
                    .count()
            };
            let differ = count(|it| matches!(it, Standing::Differs { .. }));
            let options = count(|it| matches!(it, Standing::Option { .. }));
            let failed = count(|it| matches!(it, Standing::Fail { .. }));
            let met = self.rows.len() - failed;
            format!(
                "{environment}: {met} of {} rows ({options} an option, {differ} differ on purpose, {failed} fail)",
                self.rows.len()
            )
        };
        names.unwrap_or_default().iter().map(of).collect::<Vec<_>>().join("\n")
    }

    /// The table for people, without the count.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if table.width().is_none() {
            table.set_width(160);
        }
        let names: Vec<&String> =
            self.rows.first().map(|row| row.standing.keys().collect()).unwrap_or_default();
        let mut header = vec!["row", "requirement", "where", "how checked"];
        header.extend(names.iter().map(|name| name.as_str()));
        table.set_header(header);
        for row in &self.rows {
            let mut cells = vec![
                row.row.to_string(),
                row.requirement.to_owned(),
                row.place.to_owned(),
                row.evidence.join(", "),
            ];
            cells.extend(row.standing.values().map(Standing::text));
            table.add_row(cells);
        }
        table.to_string()
    }
}

impl Standing {
    fn text(&self) -> String {
        match self {
            Self::Pass => "pass".to_owned(),
            Self::Fail { because } => format!("FAIL: {}", because.join("; ")),
            Self::Differs { reason } => format!("differs: {reason}"),
            Self::Option { .. } => "option".to_owned(),
        }
    }
}

fn described(proofs: &[Proof]) -> Vec<String> {
    let mut names: Vec<String> = proofs
        .iter()
        .map(|proof| match proof {
            Proof::Test(run) | Proof::Says(run, _) | Proof::TestOf(_, run) => format!("test {run}"),
            Proof::Checkov(id) | Proof::CheckovSkip(id) => (*id).to_owned(),
            Proof::Plan(..) => "plan".to_owned(),
            Proof::Bootstrap(..) => "bootstrap plan".to_owned(),
            Proof::Code(..) => "code".to_owned(),
            Proof::Observed(name) => format!("runner: {name}"),
            Proof::Parliament => "parliament".to_owned(),
        })
        .collect();
    names.dedup();
    names
}

fn stand(row: &Row, evidence: &Evidence, name: &str) -> Standing {
    if let Some(reason) = row.option {
        return Standing::Option { reason };
    }
    let (mut of_plan, mut others) = (Vec::new(), Vec::new());
    for proof in row.proofs {
        if let Err(because) = prove(proof, evidence, name) {
            let list = if matches!(proof, Proof::Plan(..)) { &mut of_plan } else { &mut others };
            list.push(because);
        }
    }
    if of_plan.is_empty() && others.is_empty() {
        return Standing::Pass;
    }
    if let Some(difference) = row.difference.filter(|_| !is_production(name) && others.is_empty()) {
        let wrong = difference.instead.iter().filter_map(|it| prove(it, evidence, name).err());
        let wrong: Vec<_> = wrong.collect();
        if wrong.is_empty() {
            return Standing::Differs { reason: difference.reason };
        }
        of_plan.extend(wrong);
    }
    of_plan.append(&mut others);
    Standing::Fail { because: of_plan }
}

fn prove(proof: &Proof, evidence: &Evidence, name: &str) -> Verdict {
    let environment =
        evidence.environments.get(name).ok_or_else(|| format!("there is no evidence of {name}"))?;
    match proof {
        Proof::Test(run) => passed(evidence, run),
        Proof::Says(run, about) => said(evidence, run, about),
        Proof::TestOf(of, run) => {
            if *of == name {
                passed(evidence, run)
            } else {
                Ok(())
            }
        }
        Proof::Checkov(id) => {
            not_failed(environment, id)?;
            must(environment.checkov.passed.contains(*id), format!("{id} looked at nothing"))
        }
        Proof::CheckovSkip(id) => {
            not_failed(environment, id)?;
            must(environment.checkov.skipped.contains(*id), format!("{id} is not skipped any more"))
        }
        Proof::Plan(holds, broken) => planned(&environment.plan, *holds, broken),
        Proof::Bootstrap(holds, broken) => planned(&evidence.bootstrap, *holds, broken),
        Proof::Code(holds, edits) => {
            holds(&evidence.sources)?;
            edits.iter().try_for_each(|edit| notices(holds(&evidence.sources.edited(*edit)?), edit))
        }
        Proof::Observed(name) => {
            let seen = evidence.observed.get(*name);
            seen.cloned().unwrap_or_else(|| Err(format!("the runner did not look at {name}")))
        }
        Proof::Parliament => evidence.parliament.clone(),
    }
}

fn passed(evidence: &Evidence, run: &str) -> Verdict {
    match evidence.tests.get(run) {
        Some(ended) if ended.passed => Ok(()),
        Some(ended) => Err(format!("terraform test {run} failed: {}", ended.told.join("; "))),
        None => Err(format!("terraform test has no run {run}")),
    }
}

/// A failed run is this row's when it failed over what the row is about, or over no claim at all.
fn said(evidence: &Evidence, run: &str, about: &str) -> Verdict {
    let Err(failed) = passed(evidence, run) else { return Ok(()) };
    let blames =
        |told: &String| told.contains(about) || !CLAIMS.iter().any(|it| told.starts_with(it));
    let told = evidence.tests.get(run).map(|ended| ended.told.as_slice()).unwrap_or_default();
    must(!told.is_empty() && !told.iter().any(blames), failed)
}

/// How Terraform begins when an assertion of a run, or a refusal that it expects, does not hold.
const CLAIMS: [&str; 2] = ["Test assertion failed", "Missing expected failure"];

fn not_failed(environment: &EnvironmentEvidence, id: &str) -> Verdict {
    match environment.checkov.failed.get(id) {
        Some(resources) => Err(format!("{id} fails on {}", resources.join(", "))),
        None => Ok(()),
    }
}

/// Holds for the plan, and for none of the broken ones. What is not in the plan, because the
/// environment does not have it, was refused by the claim itself.
fn planned(
    plan: &serde_json::Value,
    holds: fn(&PlanView<'_>) -> Verdict,
    breakages: &[Breakage],
) -> Verdict {
    holds(&PlanView::new(plan))?;
    breakages.iter().try_for_each(|breakage| {
        let broken = plan::broken(plan, *breakage)?;
        notices(holds(&PlanView::new(&broken)), breakage)
    })
}

fn notices(verdict: Verdict, counterexample: &impl std::fmt::Debug) -> Verdict {
    must(verdict.is_err(), format!("the check does not notice {counterexample:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::terraform::Ended;
    use crate::yardstick::{evidence::Checkov, row::edit, sources::Sources};

    fn evidence() -> Evidence {
        let checkov = Checkov {
            passed: ["GOOD".to_owned()].into(),
            skipped: ["SKIPPED".to_owned()].into(),
            failed: [("BAD".to_owned(), vec!["aws_x.y".to_owned()])].into(),
        };
        let plan = json!({ "planned_values": { "root_module": { "resources": [
            { "address": "aws_x.y", "type": "aws_x", "values": { "on": true } },
        ] } } });
        Evidence {
            tests: [
                ("f:good".to_owned(), Ended { passed: true, told: Vec::new() }),
                (
                    "f:bad".to_owned(),
                    Ended { passed: false, told: vec!["Test assertion failed: mine".to_owned()] },
                ),
                (
                    "f:error".to_owned(),
                    Ended { passed: false, told: vec!["Invalid value".to_owned()] },
                ),
            ]
            .into(),
            environments: [("dev".to_owned(), EnvironmentEvidence { plan, checkov })].into(),
            bootstrap: json!({}),
            sources: Sources::default(),
            observed: [("seen".to_owned(), Ok(())), ("wrong".to_owned(), Err("no".to_owned()))]
                .into(),
            parliament: Err("a finding".to_owned()),
        }
    }

    fn on(plan: &PlanView<'_>) -> Verdict {
        plan.every("aws_x", "is off", |it| it.is_true("/on"))
    }

    fn off(plan: &PlanView<'_>) -> Verdict {
        must(on(plan).is_err(), "is on")
    }

    fn blind(_: &PlanView<'_>) -> Verdict {
        Ok(())
    }

    fn any_sources(_: &Sources) -> Verdict {
        Ok(())
    }

    const OFF: &[Breakage] = &[Breakage::Set("aws_x", "/on", "false")];

    #[test]
    fn each_kind_of_proof_can_fail() {
        let evidence = evidence();
        let holds = |proof: Proof| prove(&proof, &evidence, "dev").is_ok();
        for good in [
            Proof::Test("f:good"),
            Proof::TestOf("dev", "f:good"),
            Proof::TestOf("prod", "f:bad"),
            Proof::Says("f:good", "mine"),
            Proof::Says("f:bad", "another"),
            Proof::Checkov("GOOD"),
            Proof::CheckovSkip("SKIPPED"),
            Proof::Plan(on, OFF),
            Proof::Observed("seen"),
        ] {
            assert!(holds(good), "{good:?}");
        }
        for bad in [
            Proof::Test("f:bad"),
            Proof::Test("f:none"),
            Proof::Says("f:bad", "mine"),
            Proof::Says("f:error", "mine"),
            Proof::Says("f:none", "mine"),
            Proof::TestOf("dev", "f:bad"),
            Proof::Checkov("BAD"),
            Proof::Checkov("NONE"),
            Proof::Checkov("SKIPPED"),
            Proof::CheckovSkip("GOOD"),
            Proof::Plan(off, OFF),
            Proof::Bootstrap(on, OFF),
            Proof::Observed("wrong"),
            Proof::Observed("none"),
            Proof::Parliament,
        ] {
            assert!(!holds(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_check_that_notices_nothing_proves_nothing() {
        let evidence = evidence();
        let blind = prove(&Proof::Plan(blind, OFF), &evidence, "dev").unwrap_err();
        assert!(blind.starts_with("the check does not notice Set("), "{blind}");
        const EDITS: &[crate::yardstick::row::Edit] = &[edit("none", "a", "b")];
        let nothing = prove(&Proof::Code(any_sources, EDITS), &evidence, "dev").unwrap_err();
        assert_eq!(nothing, "there is no `none`");
    }

    #[test]
    fn a_difference_counts_only_when_it_is_meant_and_outside_production() {
        const WANTED: &[Proof] = &[Proof::Plan(off, &[])];
        let row =
            |instead| Row::new(1, "off", "x", WANTED).or_outside_production("a reason", instead);
        let meant = row(&[Proof::Plan(on, &[])]);
        let mut evidence = evidence();
        assert_eq!(stand(&meant, &evidence, "dev"), Standing::Differs { reason: "a reason" });
        let not_so = row(&[Proof::Plan(off, &[])]);
        assert!(matches!(stand(&not_so, &evidence, "dev"), Standing::Fail { .. }));
        let dev = evidence.environments.remove("dev").unwrap();
        evidence.environments.insert("prod".to_owned(), dev);
        assert!(matches!(stand(&meant, &evidence, "prod"), Standing::Fail { .. }));
    }
}
