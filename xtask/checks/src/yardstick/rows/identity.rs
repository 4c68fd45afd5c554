//! Rows 44 to 57: secrets, and who may do what.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::yardstick::{
    plan::PlanView,
    row::{
        Breakage::{Forget, Remove, Set},
        Proof::{Bootstrap, Checkov, Code, Observed, Parliament, Plan, Says, Test},
        Row, Verdict, edit, must,
    },
    sources::{Sources, all},
};

pub(super) const ROWS: &[Row] = &[
    Row::new(
        44,
        "API keys are JWTs signed with the JWT secret",
        "xtask/src/secrets/jwt.rs",
        &[Observed("api-keys")],
    ),
    Row::new(
        45,
        "a JWT secret of 32 bytes or more from the system's generator, URL-safe",
        "xtask/src/secrets/generate.rs",
        &[Observed("jwt-secret")],
    ),
    Row::new(
        46,
        "a rotation reaches keys, database and Pods",
        "xtask/src/stages, helm/supabase/templates/_helpers.tpl",
        &[Test("database:rotation"), Observed("rotation")],
    ),
    Row::new(
        47,
        "values that were never filled in stop preflight",
        "xtask/src/config/placeholders.rs",
        &[Observed("placeholders")],
    ),
    Row::new(
        48,
        "a role is trusted for one service account and audience: the one the charts render",
        "modules/service-account-role, modules/identity/main.tf",
        &[
            Test("workloads:trust"),
            Code(
                accounts_are_rendered,
                &[
                    edit("rendered/prod-supabase.yaml", "name: supabase-storage", "name: storage"),
                    edit(
                        "helm/addons/addons.yaml",
                        "serviceAccount: cluster-autoscaler",
                        "serviceAccount: x",
                    ),
                    edit("terraform/modules/identity/main.tf", "\"secrets-reader\"", "\"reader\""),
                ],
            ),
        ],
    ),
    Row::new(
        49,
        "one role a workload; nothing that writes may do so to any resource",
        "modules/identity",
        &[
            Says("workloads:workloads", "Nothing that writes may do so to any resource."),
            Checkov("CKV_AWS_290"),
            Checkov("CKV_AWS_355"),
            Parliament,
            Plan(
                one_role_each,
                &[Remove("module.identity.module.role[\"backup\"].aws_iam_role.this")],
            ),
        ],
    ),
    Row::new(
        50,
        "keys are used through the service whose data they encrypt",
        "modules/identity/workloads.tf",
        &[Says(
            "workloads:workloads",
            "Keys are used only through the service whose data they encrypt.",
        )],
    ),
    Row::new(
        51,
        "what cannot be narrowed to a resource stands in statements of its own",
        "modules/identity",
        &[
            Says("workloads:workloads", "Nothing that writes may do so to any resource."),
            Parliament,
        ],
    ),
    Row::new(
        52,
        "the load balancer controller may do what its project documents for its version",
        "modules/identity/load-balancer-controller.tf",
        &[
            Test("workloads:load_balancer_controller"),
            Code(
                controller_version,
                &[edit("helm/addons/addons.yaml", "version: 3.5.0", "version: 3.6.0")],
            ),
        ],
    ),
    Row::new(
        53,
        "lists on the bucket, reads and writes on its objects, apart",
        "modules/identity/workloads.tf",
        &[
            Test("workloads:buckets"),
            Says("workloads:workloads", "Supabase Storage tags the objects of resumable uploads."),
        ],
    ),
    Row::new(
        54,
        "GitHub deploys by OIDC: exact subject and audience, plan and deploy apart",
        "bootstrap/identities.tf",
        &[
            Test("bootstrap/identities:github"),
            Test("bootstrap/identities:provider_exists"),
            Test("bootstrap/identities:operators"),
            Test("bootstrap/identities:accepted"),
            Checkov("CKV_AWS_393"),
            Bootstrap(
                exact_subjects,
                &[
                    Remove("aws_iam_openid_connect_provider"),
                    Set(
                        "aws_iam_role.this",
                        "/assume_role_policy",
                        r#""{\"Statement\": [{\"Condition\": {\"StringLike\": {}}}]}""#,
                    ),
                ],
            ),
        ],
    ),
    Row::new(
        55,
        "no role above the environment's permissions boundary",
        "bootstrap/boundary.tf",
        &[
            Test("bootstrap/identities:least_privilege"),
            Plan(
                bounded_roles,
                &[
                    Set("aws_iam_role", "/permissions_boundary", "null"),
                    Set("aws_iam_role", "/permissions_boundary", "\"arn:aws:iam::aws:policy/x\""),
                ],
            ),
            Bootstrap(bounded_deployers, &[Forget("aws_iam_role.this", "permissions_boundary")]),
        ],
    ),
    Row::new(
        56,
        "work in another account is refused",
        "versions.tf",
        &[
            Observed("other-account"),
            Plan(
                one_account,
                &[Set(
                    "module.cluster.aws_iam_role.node",
                    "/permissions_boundary",
                    "\"arn:aws:iam::999999999999:policy/x\"",
                )],
            ),
            Code(
                account_is_fixed,
                &[
                    edit("terraform/versions.tf", "allowed_account_ids", "x"),
                    edit("terraform/bootstrap/versions.tf", "allowed_account_ids", "x"),
                ],
            ),
        ],
    ),
    Row::option(
        57,
        "Pod Identity in the place of IRSA",
        "modules/service-account-role",
        "option: IRSA is the default and is what is built",
    ),
];

/// Namespace and name of the service accounts that Terraform trusts.
fn trusted_accounts(sources: &Sources) -> Result<Vec<(String, String)>, String> {
    let text = sources.text("terraform/modules/identity/main.tf")?;
    let value = |line: &str, key: &str| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
    };
    let mut accounts = Vec::new();
    let mut namespace = String::new();
    for line in text.lines() {
        if let Some(found) = value(line, "namespace").filter(|it| !it.contains('.')) {
            namespace = found;
        }
        if let Some(name) = value(line, "service_account").filter(|it| !it.contains('.')) {
            accounts.push((namespace.clone(), name));
        }
    }
    must(!accounts.is_empty(), "Terraform trusts no service account")?;
    Ok(accounts)
}

fn accounts_are_rendered(sources: &Sources) -> Verdict {
    let addons = sources.yaml("helm/addons/addons.yaml")?;
    let of_addons: BTreeSet<_> = addons["addons"]
        .as_sequence()
        .into_iter()
        .flatten()
        .filter_map(|addon| addon["serviceAccount"].as_str().map(str::to_owned))
        .collect();
    // Production has every workload; elsewhere one may be switched off.
    let in_production = sources.rendered("prod-supabase.yaml", "ServiceAccount")?;
    let of_secrets = sources.rendered("-secrets.yaml", "ServiceAccount")?;
    for (namespace, name) in trusted_accounts(sources)? {
        let is_rendered = if namespace == "supabase" {
            in_production.contains(&name) || of_secrets.contains(&name)
        } else {
            of_addons.contains(&name)
        };
        must(is_rendered, format!("no chart renders the service account {namespace}/{name}"))?;
    }
    Ok(())
}

fn one_role_each(plan: &PlanView<'_>) -> Verdict {
    all(["external_secrets", "storage", "backup", "load_balancer_controller", "cluster_autoscaler"]
        .map(|workload| {
            let address = format!("module.identity.module.role[\"{workload}\"].aws_iam_role.this");
            plan.one(&address).map(drop)
        }))
}

/// The list of actions in the tests is that of this version of the chart.
const CONTROLLER: &str = "3.5.";

fn controller_version(sources: &Sources) -> Verdict {
    let addons = sources.yaml("helm/addons/addons.yaml")?;
    let listed = addons["addons"].as_sequence().into_iter().flatten();
    let controller = listed.into_iter().find(|it| it["name"] == "aws-load-balancer-controller");
    let version = controller.and_then(|it| it["version"].as_str()).unwrap_or_default();
    must(
        version.starts_with(CONTROLLER),
        format!(
            "the policy is that of {CONTROLLER}x, the chart is {version}: compare its documented actions"
        ),
    )
}

fn exact_subjects(plan: &PlanView<'_>) -> Verdict {
    plan.one("aws_iam_openid_connect_provider")?;
    for role in plan.some("aws_iam_role.this")? {
        let trust: Value =
            serde_json::from_str(role.text("/assume_role_policy")).unwrap_or_default();
        let statements = trust["Statement"].as_array().into_iter().flatten();
        for it in statements.into_iter().filter(|it| it["Action"] != "sts:AssumeRole") {
            let exact = &it["Condition"]["StringEquals"];
            let issuer = "token.actions.githubusercontent.com";
            let subjects = exact[format!("{issuer}:sub")].to_string();
            must(
                exact[format!("{issuer}:aud")] == "sts.amazonaws.com"
                    && subjects.contains("repo:")
                    && !subjects.contains('*'),
                format!("{} trusts more than one kind of job", role.address),
            )?;
            let is_deployer = role.text("/name").ends_with("-deploy");
            must(
                is_deployer == subjects.contains(":environment:"),
                format!("{} does not keep plan and deploy apart", role.address),
            )?;
        }
    }
    Ok(())
}

fn bounded_roles(plan: &PlanView<'_>) -> Verdict {
    let wanted = format!(":policy/supabase-{}-boundary", plan.environment());
    plan.every("aws_iam_role", "has another ceiling, or none", |role| {
        role.text("/permissions_boundary").ends_with(&wanted)
    })
}

fn bounded_deployers(plan: &PlanView<'_>) -> Verdict {
    plan.every("aws_iam_role.this", "has no ceiling", |role| role.has("permissions_boundary"))?;
    plan.some("aws_iam_policy.boundary").map(drop)
}

fn one_account(plan: &PlanView<'_>) -> Verdict {
    let account = plan.variable("account_id").as_str().unwrap_or_default();
    let allowed = &plan.document["configuration"]["provider_config"]["aws"]["expressions"]["allowed_account_ids"];
    must(allowed["references"][0] == "var.account_id", "the provider works in any account")?;
    plan.every("aws_iam_role", "belongs to another account", |role| {
        role.text("/permissions_boundary").contains(&format!("::{account}:"))
    })
}

fn account_is_fixed(sources: &Sources) -> Verdict {
    all(["terraform/versions.tf", "terraform/bootstrap/versions.tf"].map(|path| {
        let body = sources.hcl(path)?;
        let providers: Vec<_> = body.blocks().filter(|it| it.identifier() == "provider").collect();
        must(!providers.is_empty(), format!("{path} configures no provider"))?;
        let fixed = providers
            .iter()
            .all(|it| it.body().attributes().any(|at| at.key() == "allowed_account_ids"));
        must(fixed, format!("{path}: a provider works in any account"))
    }))
}
