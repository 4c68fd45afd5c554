//! The identities that bootstrap makes, asked what they may do: attacks have to end, work has to go on.
//!
//! The policies are the text that Terraform renders; an evaluator decides by them. Principals, resource policies and
//! service control policies are not asked.

mod evaluate;
mod grants;
mod rendered;
mod table;

use anyhow::{Context as _, ensure};
use iam_rs::IAMPolicy;

use self::{evaluate::Identity, table::Rows};
use crate::{CheckContext, CheckOutcome};

/// The environments of `terraform/bootstrap/tests/decisions.tftest.hcl`.
const ENVIRONMENTS: [&str; 2] = ["dev", "prod"];

/// The only values of an environment that its plan role reads from the Parameter Store.
const PARAMETERS: &str = "terraform/parameters.tf";

/// What whoever deploys can make of an own role: everything that its boundary lets it.
const EVERYTHING: &str = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

/// Asks every identity of two environments that share an account.
pub(crate) fn decisions(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let identities = rendered::identities(context)?;
    let plain = plain_parameters(&context.read(PARAMETERS)?)?;
    let mut verdicts = Verdicts::default();
    for own in ENVIRONMENTS {
        let of_role = |role: &str| {
            let name = format!("supabase-{own}-{role}");
            identities
                .iter()
                .find(|identity| identity.name == name)
                .with_context(|| format!("there is no role {name}"))
        };
        let (deploy, plan) = (of_role("deploy")?, of_role("plan")?);
        let made = Identity {
            name: format!("a role that supabase-{own}-deploy made"),
            grants: vec![IAMPolicy::from_json(EVERYTHING)?],
            ceiling: deploy.ceiling.clone(),
        };
        for other in ENVIRONMENTS.into_iter().filter(|other| *other != own) {
            for identity in [deploy, &made, plan] {
                verdicts.ask(identity, &table::attacks(own, other), false)?;
            }
            verdicts.ask(plan, &table::beyond_planning(own, other), false)?;
        }
        verdicts.ask(deploy, &table::deployment(own), true)?;
        verdicts.ask(&made, &table::work(own), true)?;
        verdicts.ask(plan, &table::planning(own, &plain), true)?;
        verdicts.wrong.extend(grants::in_vain(deploy)?);
    }
    Ok(CheckOutcome::of_findings(&verdicts.wrong, format!("{} decisions", verdicts.asked)))
}

#[derive(Default)]
struct Verdicts {
    asked: usize,
    wrong: Vec<String>,
}

impl Verdicts {
    fn ask(&mut self, identity: &Identity, rows: &[Rows], should: bool) -> anyhow::Result<()> {
        for row in rows {
            for question in &row.questions {
                self.asked += 1;
                let (may, reason) = identity.decide(question)?;
                if may != should {
                    let (may, should) =
                        if may { ("may", "may not") } else { ("may not", "has to") };
                    self.wrong.push(format!(
                        "{} {may} {question} ({reason}), but {should}: {}",
                        identity.name, row.because
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The names of the parameters that Terraform writes.
fn plain_parameters(code: &str) -> anyhow::Result<Vec<String>> {
    let body =
        hcl::parse(code).with_context(|| format!("`{PARAMETERS}` is not HCL that can be read"))?;
    let locals = body.blocks().filter(|block| block.identifier() == "locals");
    let values = locals
        .flat_map(|block| block.body().attributes())
        .find(|attribute| attribute.key() == "parameters");
    let names: Vec<_> = match values.map(hcl::Attribute::expr) {
        Some(hcl::Expression::Object(values)) => {
            values.keys().map(|key| key.to_string().trim_matches('"').to_owned()).collect()
        }
        _ => Vec::new(),
    };
    ensure!(!names.is_empty(), "`{PARAMETERS}` has no `parameters`");
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{evaluate::Question, *};

    #[test]
    fn a_wrong_decision_is_told_with_its_reason_either_way() {
        let policy = || IAMPolicy::from_json(EVERYTHING).unwrap();
        let identity = Identity {
            name: "dev".to_owned(),
            grants: vec![policy()],
            ceiling: IAMPolicy::from_json(
                &EVERYTHING.replace("\"*\", \"Resource", "\"kms:*\", \"Resource"),
            )
            .unwrap(),
        };
        let rows = |action: &str| {
            vec![Rows { because: "why", questions: vec![Question::new(action, "*")] }]
        };
        let mut verdicts = Verdicts::default();
        verdicts.ask(&identity, &rows("kms:ListKeys"), true).unwrap();
        verdicts.ask(&identity, &rows("s3:ListAllMyBuckets"), false).unwrap();
        assert_eq!((verdicts.asked, verdicts.wrong.len()), (2, 0));
        verdicts.ask(&identity, &rows("kms:ListKeys"), false).unwrap();
        verdicts.ask(&identity, &rows("s3:ListAllMyBuckets"), true).unwrap();
        assert_eq!(
            verdicts.wrong,
            [
                "dev may kms:ListKeys on * (allowed by Everything), but may not: why",
                "dev may not s3:ListAllMyBuckets on * (nothing in the boundary allows it), but has to: why",
            ]
        );
    }

    #[test]
    fn the_parameters_that_terraform_writes_are_found() {
        let code =
            "locals {\n  parameters = {\n    \"a/b\" = module.x.y\n    \"c\" = \"d\"\n  }\n}\n";
        assert_eq!(plain_parameters(code).unwrap(), ["a/b", "c"]);
        assert!(plain_parameters("locals {}").is_err());
    }
}
