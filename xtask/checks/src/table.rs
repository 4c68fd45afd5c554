//! The table of checks, in the order in which they run. Adding a check is one row.

use crate::{
    Check,
    Kind::{Fast, Slow},
    checkov, costs, create_first, helm, iam, joins, rust, scanners, settings, terraform, tidy,
    workflows, yardstick,
};

/// What `cargo xtask test` runs; the end-to-end run is added by the runner itself.
pub const CHECKS: &[Check] = &[
    Check {
        name: "rust-format",
        kind: Fast,
        claim: "the Rust code is formatted",
        remedy: "run `cargo xtask fmt`",
        run: rust::format,
    },
    Check {
        name: "terraform-format",
        kind: Fast,
        claim: "the Terraform code and the environments' values are formatted",
        remedy: "run `cargo xtask fmt`",
        run: terraform::format,
    },
    Check {
        name: "tidy",
        kind: Fast,
        claim: "no path of one machine, no registry host, no unfinished work, no broken link",
        remedy: "change the lines named above",
        run: tidy::tidy,
    },
    Check {
        name: "workflows",
        kind: Fast,
        claim: "each workflow step is one command of the runner, and no deploy is ever cancelled",
        remedy: "change the steps named above; .github/workflows/README.md has the rules",
        run: workflows::policy,
    },
    Check {
        name: "zizmor",
        kind: Fast,
        claim: "the workflows and dependabot.yml have no security finding",
        remedy: "change what zizmor names above; its documentation has a page for each audit",
        run: scanners::zizmor,
    },
    Check {
        name: "actionlint",
        kind: Fast,
        claim: "the workflows are valid, with all their expressions",
        remedy: "change what actionlint names above",
        run: scanners::actionlint,
    },
    Check {
        name: "shellcheck",
        kind: Fast,
        claim: "the shell scripts have no known mistake",
        remedy: "change what shellcheck names above; each SC number has a page in its wiki",
        run: scanners::shellcheck,
    },
    Check {
        name: "scanner-skips",
        kind: Fast,
        claim: "every suppressed finding has its reason, and there are few",
        remedy: "write the reason beside the skip, or meet the check",
        run: checkov::skips,
    },
    Check {
        name: "dependencies",
        kind: Fast,
        claim: "one HTTP stack and one TLS stack are built",
        remedy: "ask `cargo tree --invert <package>@<version>` who wants the second version",
        run: rust::duplicates,
    },
    Check {
        name: "licences",
        kind: Fast,
        claim: "every dependency has a licence that deny.toml allows",
        remedy: "use another package, or allow the licence in deny.toml with a reason",
        run: rust::licences,
    },
    Check {
        name: "iam-policies",
        kind: Fast,
        claim: "the IAM policies name real actions on resources that these have",
        remedy: "change the statements named above",
        run: iam::policies_of_code,
    },
    Check {
        name: "helm-lint",
        kind: Fast,
        claim: "the charts pass Helm's lint with the values of every environment",
        remedy: "change what helm names above",
        run: helm::lint,
    },
    Check {
        name: "helm-render",
        kind: Fast,
        claim: "the charts render for every environment, and their schemas refuse unknown values",
        remedy: "run the named `helm template` by hand and change the template or the schema",
        run: helm::render,
    },
    Check {
        name: "settings-read",
        kind: Fast,
        claim: "every environment variable of a Pod is one that its program reads in the pinned version",
        remedy: "correct the name in the template or the overlay, or the list in xtask/checks/data/settings.yaml",
        run: settings::read,
    },
    Check {
        name: "secrets-join",
        kind: Fast,
        claim: "every key of a Secret that a Pod reads is made by exactly one ExternalSecret",
        remedy: "make helm/secrets and the named release agree",
        run: joins::secrets,
    },
    Check {
        name: "roles-join",
        kind: Fast,
        claim: "the IAM roles trust the service accounts that the charts make, and no others",
        remedy: "make terraform/modules/identity and the named chart agree",
        run: joins::service_accounts,
    },
    Check {
        name: "kubernetes-schema",
        kind: Fast,
        claim: "every rendered object fits the schemas of Kubernetes 1.35 and 1.36",
        remedy: "change the template that renders the object",
        run: helm::schema,
    },
    Check {
        name: "terraform-validate",
        kind: Slow,
        claim: "the Terraform code is valid against the provider's schema",
        remedy: "change what terraform names above",
        run: terraform::validate,
    },
    Check {
        name: "terraform-create-first",
        kind: Slow,
        claim: "nothing that can be there only once is replaced by making the new one first",
        remedy: "take create_before_destroy from the resource that hands it on",
        run: create_first::check,
    },
    Check {
        name: "terraform-test",
        kind: Slow,
        claim: "dev and prod plan what they should, and wrong values are refused",
        remedy: "run `terraform -chdir=terraform test` and compare the failed run with the code",
        run: terraform::test,
    },
    Check {
        name: "iam-decisions",
        kind: Slow,
        claim: "no identity reaches another environment, the plan role reads no secret, and the work goes on",
        remedy: "change terraform/bootstrap; xtask/checks/src/iam/decisions/table.rs says who has to be able to do what",
        run: iam::decisions,
    },
    Check {
        name: "checkov-terraform",
        kind: Slow,
        claim: "the Terraform code of every environment passes checkov",
        remedy: "meet the check, or skip it with `#checkov:skip=<id>:<reason>` in the resource",
        run: checkov::terraform,
    },
    Check {
        name: "checkov-plans",
        kind: Slow,
        claim: "the plans of every environment and of the bootstrap pass checkov",
        remedy: "meet the check, or skip it with `#checkov:skip=<id>:<reason>` in the resource",
        run: checkov::plans,
    },
    Check {
        name: "iam-plans",
        kind: Slow,
        claim: "the IAM policies of the plans name real actions on resources that these have",
        remedy: "change the statements named above",
        run: iam::policies_of_plans,
    },
    Check {
        name: "costs",
        kind: Slow,
        claim: "the README names the computed costs, and no budget warns in a normal month",
        remedy: "change the README, the budget, or terraform/prices.json, as named above",
        run: costs::check,
    },
    Check {
        name: "yardstick",
        kind: Slow,
        claim: "every row of the yardstick is met, or differs from it on purpose",
        remedy: "run `cargo xtask yardstick` and look at the rows that fail",
        run: yardstick::check,
    },
    Check {
        name: "checkov-kubernetes",
        kind: Slow,
        claim: "the rendered charts pass checkov",
        remedy: "meet the check, or skip it with a reason in xtask/checks/checkov-kubernetes.yaml",
        run: checkov::kubernetes,
    },
    Check {
        name: "clippy",
        kind: Slow,
        claim: "the Rust code has no warning",
        remedy: "run `cargo clippy --workspace --all-targets` and change what it names",
        run: rust::lints,
    },
    Check {
        name: "rust-tests",
        kind: Slow,
        claim: "the unit and integration tests pass",
        remedy: "run `cargo test --workspace` and look at the first failure",
        run: rust::tests,
    },
    Check {
        name: "checks-can-fail",
        kind: Slow,
        claim: "every check above that asks a tool fails on a broken repository",
        remedy: "compare xtask/checks/tests/refusals.rs with what the tool says now",
        run: rust::refusals,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fast_checks_stand_first() {
        let names: BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
        assert!(CHECKS.is_sorted_by_key(|check| check.kind));
        assert!(CHECKS.iter().all(|check| !check.claim.is_empty() && !check.remedy.is_empty()));
    }
}
