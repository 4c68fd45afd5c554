//! A certificate that is replaced while the load balancer uses it: the old one has to serve until the
//! release uses the new one, and AWS refuses to delete it before. Terraform does both in one apply, so
//! it is made to forget the old one, which the release stage deletes.

use xtask_pipeline::StepRun;

use crate::{context::Context, exit::Exit, terraform::Plan, watch::Watch};

/// Forgets the certificates that the plan would replace although they are in use; their addresses.
/// The plan is out of date where there was any.
pub(super) fn let_go(
    context: &Context,
    run: &StepRun<'_>,
    plan: &Plan,
) -> anyhow::Result<Vec<String>> {
    let mut forgotten = Vec::new();
    for (address, arn) in replaced(plan) {
        if context.cloud()?.users_of(arn)?.is_empty() {
            continue;
        }
        run.note(&format!(
            "{address}: {arn} serves until the release uses the new certificate, and is deleted then"
        ));
        context.terraform()?.forget(&Watch::of(run), address)?;
        forgotten.push(address.to_owned());
    }
    Ok(forgotten)
}

/// What becomes of a reviewed plan that would delete one. `plan` makes the next one.
pub(super) fn out_of_date(forgotten: &[String], plan: &str) -> anyhow::Error {
    Exit::Refused.error(format!(
        "the reviewed plan would delete what {} is while the load balancer uses it; it is kept until the release \
         uses the new one, and the reviewed plan is out of date now: make and review a new one: `{plan} --out <file>`",
        forgotten.join(", ")
    ))
}

fn replaced(plan: &Plan) -> Vec<(&str, &str)> {
    let deeds = plan
        .deeds()
        .into_iter()
        .filter(|(deed, change)| deed.verb() == "replace" && change.kind == "aws_acm_certificate");
    deeds
        .filter_map(|(_, change)| Some((&*change.address, change.change.before["arn"].as_str()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_replaced_certificate_is_let_go_of() {
        let change = |address: &str, actions: &[&str]| {
            let kind = address.rsplit('.').nth(1);
            json!({"address": address, "type": kind, "mode": "managed", "change": {"actions": actions, "before": {"arn": "arn:1"}}})
        };
        let changes = [
            change("module.dns[0].aws_acm_certificate.this", &["create", "delete"]),
            change("module.dns[1].aws_acm_certificate.this", &["delete"]),
            change("module.edge[0].aws_wafv2_web_acl.this", &["delete", "create"]),
        ];
        let plan = Plan::parse(&json!({"resource_changes": changes}).to_string()).unwrap();
        assert_eq!(replaced(&plan), [("module.dns[0].aws_acm_certificate.this", "arn:1")]);
    }
}
