//! Rows 58 to 69: watching, recovery, cost, and the life of an environment.

use serde_json::Value;

use super::database::{NO_ALARMS, no_alarms};
use crate::yardstick::{
    plan::PlanView,
    row::{
        Breakage::{Forget, Remove, Set},
        Proof::{Bootstrap, Checkov, Code, Observed, Plan, Says, Test},
        Row, Verdict, edit, must,
    },
    sources::{Sources, all, attribute, has_block, labels},
};

const QUERY: &str = "module.observability.aws_cloudwatch_metric_alarm.query";

pub(super) const ROWS: &[Row] = &[
    Row::new(
        58,
        "alarms reach somebody, over an encrypted topic",
        "modules/observability/main.tf, guards.tf",
        &[
            Test("guards:alarms_nobody_hears"),
            Test("guards:alarms_heard"),
            Checkov("CKV_AWS_26"),
            Plan(
                heard,
                &[
                    Remove("aws_sns_topic_subscription"),
                    Forget("aws_sns_topic", "kms_master_key_id"),
                ],
            ),
        ],
    )
    .or_outside_production(
        NO_ALARMS,
        &[
            Plan(encrypted_topic, &[Forget("aws_sns_topic", "kms_master_key_id")]),
            Plan(no_alarms, &[]),
        ],
    ),
    Row::new(
        59,
        "alarms on 5xx, unhealthy targets, latency, nodes and restarts",
        "modules/observability/traffic-alarms.tf",
        &[
            Test("observability:p99"),
            Plan(
                traffic_alarms,
                &[
                    Remove("module.observability.aws_cloudwatch_metric_alarm.query[\"latency\"]"),
                    Remove(
                        "module.observability.aws_cloudwatch_metric_alarm.query[\"target-errors\"]",
                    ),
                    Remove(
                        "module.observability.aws_cloudwatch_metric_alarm.query[\"node-failed\"]",
                    ),
                    Set(QUERY, "/alarm_actions", "[]"),
                ],
            ),
        ],
    )
    .or_outside_production(NO_ALARMS, &[Test("observability:p99"), Plan(no_alarms, &[])]),
    Row::new(
        60,
        "logs of nodes and Pods are shipped, encrypted, and forgotten after a year",
        "modules/observability/main.tf",
        &[Plan(
            shipped_logs,
            &[
                Remove("module.observability.aws_eks_addon.insights"),
                Remove("module.observability.aws_cloudwatch_log_group.insights"),
                Forget(
                    "module.observability.aws_cloudwatch_log_group.insights[\"application\"]",
                    "kms_key_id",
                ),
                Set(
                    "module.observability.aws_cloudwatch_log_group.insights",
                    "/retention_in_days",
                    "0",
                ),
            ],
        )],
    ),
    Row::new(
        61,
        "locked backups, a copy in another region, restores that are tested",
        "modules/backup, bootstrap/main.tf",
        &[
            Test("bootstrap/identities:backup_copy"),
            Plan(
                backups,
                &[
                    Remove("aws_backup_vault_lock_configuration"),
                    Set("aws_backup_plan", "/rule/0/copy_action", "[]"),
                    Remove("aws_backup_restore_testing_plan"),
                    Remove("aws_backup_restore_testing_selection"),
                ],
            ),
        ],
    )
    .or_outside_production(
        "backup is null: the backups of RDS are enough for it",
        &[Plan(no_backups, &[])],
    ),
    Row::new(
        62,
        "a budget by environment; a watch for unusual spending where the account may have one",
        "modules/cost",
        &[
            Test("cost:member_account"),
            Test("cost:management_account"),
            Plan(
                budget,
                &[
                    Remove("aws_budgets_budget"),
                    Set("aws_budgets_budget", "/cost_filter", "[]"),
                    Set("aws_budgets_budget", "/notification", "[]"),
                ],
            ),
        ],
    ),
    Row::new(
        63,
        "state: locked, versioned, encrypted, over TLS; bootstrapping twice changes nothing",
        "bootstrap/main.tf, versions.tf",
        &[
            Observed("bootstrap-twice"),
            Bootstrap(
                state_bucket,
                &[
                    Remove("module.state_bucket.aws_s3_bucket_versioning.this"),
                    Set("module.state_bucket.aws_s3_bucket.this", "/bucket", "\"state\""),
                    Remove("module.state_bucket.aws_s3_bucket_public_access_block.this"),
                    Set("module.state_bucket.aws_s3_bucket.this", "/force_destroy", "true"),
                ],
            ),
            Code(
                locked_state,
                &[
                    edit("terraform/versions.tf", "backend \"s3\"", "backend \"local\""),
                    edit("xtask/src/terraform/mod.rs", "use_lockfile=true", "use_lockfile=false"),
                    edit("xtask/src/terraform/mod.rs", "encrypt=true", "encrypt=false"),
                ],
            ),
        ],
    ),
    Row::new(
        64,
        "the provider's lock file is committed, for four platforms",
        ".terraform.lock.hcl",
        &[Code(
            locked_provider,
            &[
                edit("terraform/.terraform.lock.hcl", "\"h1:", "\"x1:"),
                edit("terraform/bootstrap/.terraform.lock.hcl", "hashicorp/aws", "example/aws"),
            ],
        )],
    ),
    Row::new(
        65,
        "the workspace has to be the environment's; `default` is refused",
        "guards.tf, modules/invocation",
        &[
            Test("guards:default_workspace"),
            Test("guards:other_workspace"),
            Test("guards:right_workspace"),
            Says("validations:first", "var.environment"),
        ],
    ),
    Row::new(
        66,
        "environments are typed data, and wrong data gets a sentence",
        "variables.tf, environments/",
        &[
            Test("validations:first"),
            Test("validations:second"),
            Test("validations:third"),
            Test("validations:fourth"),
            Test("validations:fifth"),
            Test("validations:sixth"),
            Test("validations:seventh"),
            Test("validations:eighth"),
            Test("validations:ninth"),
            Test("validations:tenth"),
            Test("validations:eleventh"),
            Test("validations:twelfth"),
            Test("validations:thirteenth"),
            Test("validations:fourteenth"),
            Test("validations:fifteenth"),
            Test("validations:sixteenth"),
            Test("validations:seventeenth"),
            Test("validations:eighteenth"),
            Code(
                typed_variables,
                &[
                    edit("terraform/variables.tf", "type        = bool", "x = bool"),
                    edit("terraform/modules/bucket/variables.tf", "description", "x"),
                    edit("terraform/environments/prod.tfvars", "kubernetes_version", "kubernetes"),
                ],
            ),
        ],
    ),
    Row::new(
        67,
        "what exists is adopted by `import`, and `check` blocks look after an apply",
        "bootstrap/main.tf, guards.tf",
        &[Code(
            adopts_and_checks,
            &[
                edit("terraform/bootstrap/main.tf", "import {", "locals {"),
                edit("terraform/guards.tf", "check \"cluster_serves\"", "check \"other\""),
                edit("terraform/guards.tf", "check \"database_serves\"", "check \"other\""),
            ],
        )],
    ),
    Row::new(
        68,
        "a tear-down in order: Ingress, releases, volumes, protection in its own apply, destroy",
        "xtask/src/stages, locals.tf",
        &[Observed("tear-down-order")],
    ),
    Row::new(
        69,
        "five tags from one place on everything; a resource adds no more than a name",
        "locals.tf, versions.tf",
        &[Plan(
            tags,
            &[
                Set("aws_vpc", "/tags_all/CostCenter", "null"),
                Set("aws_vpc", "/tags/environment", "\"dev\""),
                Set("aws_launch_template", "/tag_specifications/0/tags", "{}"),
            ],
        )],
    ),
];

fn encrypted_topic(plan: &PlanView<'_>) -> Verdict {
    plan.every("aws_sns_topic", "is not encrypted", |it| it.has("kms_master_key_id"))
}

fn heard(plan: &PlanView<'_>) -> Verdict {
    encrypted_topic(plan)?;
    plan.some("aws_sns_topic_subscription").map(drop)
}

fn traffic_alarms(plan: &PlanView<'_>) -> Verdict {
    for alarm in [
        "load-balancer-errors",
        "target-errors",
        "unhealthy-targets",
        "latency",
        "node-failed",
        "pod-restarts",
    ] {
        plan.every(&format!("{QUERY}[\"{alarm}\"]"), "tells nobody", |it| {
            !it.list("/alarm_actions").is_empty()
        })?;
    }
    Ok(())
}

fn shipped_logs(plan: &PlanView<'_>) -> Verdict {
    plan.every("module.observability.aws_eks_addon.insights", "ships nothing", |it| {
        it.text("/addon_name") == "amazon-cloudwatch-observability"
            && it.has("service_account_role_arn")
    })?;
    let groups = "module.observability.aws_cloudwatch_log_group.insights";
    must(plan.find(groups).len() == 4, "one of the four groups is not made beforehand")?;
    plan.every(groups, "is kept for ever, or in plain text", |it| {
        it.number("/retention_in_days") >= 365 && it.has("kms_key_id")
    })
}

fn backups(plan: &PlanView<'_>) -> Verdict {
    plan.every("aws_backup_vault_lock_configuration", "locks nothing", |it| {
        it.number("/min_retention_days") >= 7
    })?;
    let region = plan.variable("region").as_str().unwrap_or_default();
    plan.every("aws_backup_plan", "copies to no other region", |it| {
        let vault = it.text("/rule/0/copy_action/0/destination_vault_arn");
        !vault.is_empty() && !vault.contains(&format!(":{region}:"))
    })?;
    plan.some("aws_backup_restore_testing_plan")?;
    plan.some("aws_backup_restore_testing_selection").map(drop)
}

fn no_backups(plan: &PlanView<'_>) -> Verdict {
    must(plan.variable("backup").is_null(), "backup is set")?;
    must(plan.find("aws_backup_plan").is_empty(), "there is a backup plan after all")
}

fn budget(plan: &PlanView<'_>) -> Verdict {
    let wanted = format!("user:Environment${}", plan.environment());
    plan.every("aws_budgets_budget", "is not the environment's, or tells nobody", |it| {
        it.list("/cost_filter/0/values") == [wanted.as_str()]
            && it.text("/notification/0/comparison_operator") == "GREATER_THAN"
    })
}

fn state_bucket(plan: &PlanView<'_>) -> Verdict {
    let account = plan.variable("account_id").as_str().unwrap_or_default();
    plan.every(
        "module.state_bucket.aws_s3_bucket.this",
        "is named for no account, or may be emptied",
        |it| it.text("/bucket").contains(account) && *it.at("/force_destroy") == false,
    )?;
    plan.every("module.state_bucket.aws_s3_bucket_versioning.this", "is off", |it| {
        it.text("/versioning_configuration/0/status") == "Enabled"
    })?;
    plan.some("module.state_bucket.aws_s3_bucket_server_side_encryption_configuration.this")?;
    plan.some("module.state_bucket.aws_s3_bucket_public_access_block.this").map(drop)
}

fn locked_state(sources: &Sources) -> Verdict {
    for path in ["terraform/versions.tf", "terraform/bootstrap/versions.tf"] {
        let body = sources.hcl(path)?;
        let is_s3 = |block: &hcl::Block| labels(block) == ["s3"];
        must(has_block(&body, "backend", &is_s3), format!("{path}: the state is not in S3"))?;
    }
    let runner = sources.text("xtask/src/terraform/mod.rs")?;
    all(["use_lockfile=true", "encrypt=true"]
        .map(|flag| must(runner.contains(flag), format!("the runner does not say {flag}"))))
}

fn locked_provider(sources: &Sources) -> Verdict {
    all(["terraform", "terraform/bootstrap"].map(|root| {
        let path = format!("{root}/.terraform.lock.hcl");
        let body = sources.hcl(&path)?;
        let is_aws = |block: &hcl::Block| labels(block)[0].ends_with("hashicorp/aws");
        must(has_block(&body, "provider", &is_aws), format!("{path} does not lock the provider"))?;
        // One a platform: Linux and macOS, on arm64 and amd64.
        let hashes = sources.text(&path)?.matches("\"h1:").count();
        must(hashes >= 4, format!("{path} knows {hashes} platforms"))
    }))
}

fn typed_variables(sources: &Sources) -> Verdict {
    let mut declared = Vec::new();
    for (path, _) in sources.below("terraform/", ".tf") {
        for block in sources.hcl(path)?.blocks().filter(|it| it.identifier() == "variable") {
            let name = labels(block)[0];
            for key in ["type", "description"] {
                must(attribute(block, key).is_some(), format!("{path}: `{name}` has no {key}"))?;
            }
            if path == "terraform/variables.tf" {
                declared.push(name.to_owned());
            }
        }
    }
    for (name, values) in sources.environments()? {
        for key in values.as_object().into_iter().flat_map(|map| map.keys()) {
            must(declared.contains(key), format!("{name}.tfvars: `{key}` is no variable"))?;
        }
    }
    Ok(())
}

fn adopts_and_checks(sources: &Sources) -> Verdict {
    let bootstrap = sources.hcl("terraform/bootstrap/main.tf")?;
    must(has_block(&bootstrap, "import", &|_| true), "the state bucket is not adopted")?;
    let guards = sources.hcl("terraform/guards.tf")?;
    all(["cluster_serves", "database_serves"].map(|name| {
        let named = |block: &hcl::Block| labels(block) == [name];
        must(has_block(&guards, "check", &named), format!("there is no check {name}"))
    }))
}

const TAGS: [&str; 5] = ["CostCenter", "Environment", "ManagedBy", "Project", "Repository"];

fn tags(plan: &PlanView<'_>) -> Verdict {
    let complete = |tags: &Value| TAGS.iter().all(|key| tags[*key].is_string());
    let mut tagged = 0;
    for resource in plan.all().iter().filter(|it| it.values["tags_all"].is_object()) {
        tagged += 1;
        must(complete(&resource.values["tags_all"]), format!("{} lacks a tag", resource.address))?;
        for key in resource.values["tags"].as_object().into_iter().flat_map(|tags| tags.keys()) {
            let is_own = key == "Name" || key.starts_with("kubernetes.io/");
            must(is_own, format!("{} has a tag `{key}` of its own", resource.address))?;
        }
    }
    must(tagged > 50, format!("only {tagged} resources are tagged"))?;
    plan.every("aws_launch_template", "makes instances without tags", |it| {
        let specifications = it.at("/tag_specifications").as_array().into_iter().flatten();
        specifications.into_iter().all(|of| complete(&of["tags"]))
    })
}
