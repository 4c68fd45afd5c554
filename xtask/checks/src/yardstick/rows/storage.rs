//! Rows 36 to 43: object storage and parameters.

use serde_json::Value;

use crate::yardstick::{
    plan::PlanView,
    row::{
        Breakage::{Add, Forget, Remove, Set},
        Proof::{Bootstrap, Checkov, CheckovSkip, Code, Observed, Plan, Says, TestOf},
        Row, Verdict, edit, must,
    },
    sources::{Sources, all, attribute, has_block, labels, written},
};

const ENCRYPTION: &str = "aws_s3_bucket_server_side_encryption_configuration";
const OF_STORAGE: &str =
    "module.storage.module.storage.aws_s3_bucket_server_side_encryption_configuration.this";

pub(super) const ROWS: &[Row] = &[
    Row::new(
        36,
        "buckets: private, owner enforced, versioned, encrypted with a key of ours",
        "modules/bucket",
        &[
            Checkov("CKV_AWS_53"),
            Checkov("CKV_AWS_54"),
            Checkov("CKV_AWS_55"),
            Checkov("CKV_AWS_56"),
            Checkov("CKV_AWS_21"),
            Checkov("CKV2_AWS_6"),
            CheckovSkip("CKV_AWS_145"),
            Plan(
                private_buckets,
                &[
                    Set("aws_s3_bucket_public_access_block", "/block_public_policy", "false"),
                    Set(
                        "aws_s3_bucket_ownership_controls",
                        "/rule/0/object_ownership",
                        "\"ObjectWriter\"",
                    ),
                    Set(
                        "aws_s3_bucket_versioning",
                        "/versioning_configuration/0/status",
                        "\"Suspended\"",
                    ),
                    Remove("aws_s3_bucket_versioning"),
                    Set(OF_STORAGE, "/rule/0/bucket_key_enabled", "false"),
                    Set(
                        OF_STORAGE,
                        "/rule/0/apply_server_side_encryption_by_default/0/sse_algorithm",
                        "\"AES256\"",
                    ),
                ],
            ),
        ],
    ),
    Row::new(
        37,
        "every bucket refuses plain HTTP",
        "modules/bucket/main.tf",
        &[
            Plan(
                tls_only,
                &[
                    Remove("aws_s3_bucket_policy"),
                    Set("aws_s3_bucket_policy", "/policy", r#""{\"Statement\": []}""#),
                ],
            ),
            Bootstrap(tls_only, &[Remove("aws_s3_bucket_policy")]),
        ],
    ),
    Row::new(
        38,
        "unfinished uploads and old versions expire; live objects only move by their use",
        "modules/bucket/main.tf",
        &[
            Checkov("CKV_AWS_300"),
            Plan(
                lifecycle,
                &[
                    Remove("aws_s3_bucket_lifecycle_configuration"),
                    Set("aws_s3_bucket_lifecycle_configuration", "/rule", "[]"),
                    Set(
                        "aws_s3_bucket_lifecycle_configuration",
                        "/rule/1/transition",
                        r#"[{"storage_class": "GLACIER"}]"#,
                    ),
                ],
            ),
        ],
    ),
    Row::new(
        39,
        "access logs of buckets and load balancer, in a bucket of their own",
        "modules/storage/main.tf",
        &[
            CheckovSkip("CKV_AWS_18"),
            Plan(
                access_logs,
                &[
                    Remove("aws_s3_bucket_logging"),
                    Set(
                        "module.storage.module.logs[0].aws_s3_bucket_policy.this",
                        "/policy",
                        r#""{\"Statement\": []}""#,
                    ),
                ],
            ),
            Code(
                same_log_prefix,
                &[
                    edit(
                        "rendered/prod-supabase.yaml",
                        "access_logs.s3.prefix=alb",
                        "access_logs.s3.prefix=api",
                    ),
                    edit("terraform/modules/storage/main.tf", "/alb/AWSLogs/", "/AWSLogs/"),
                ],
            ),
        ],
    ),
    Row::new(
        40,
        "only named web origins may use the bucket from a browser",
        "variables.tf, modules/storage/main.tf",
        &[
            Says("validations:first", "var.storage"),
            Plan(
                named_origins,
                &[Add(
                    "aws_s3_bucket_cors_configuration",
                    r#"{"cors_rule": [{"allowed_origins": ["*"]}]}"#,
                )],
            ),
        ],
    ),
    Row::new(
        41,
        "buckets are emptied by a tear-down only",
        "locals.tf",
        &[
            TestOf("dev", "dev:teardown"),
            TestOf("prod", "prod:teardown"),
            Plan(kept_objects, &[Set("aws_s3_bucket", "/force_destroy", "true")]),
        ],
    ),
    Row::new(
        42,
        "no secret in plan or state",
        "variables.tf, modules/database/main.tf",
        &[
            Observed("no-secret-in-plans"),
            Plan(
                ephemeral_password,
                &[Set("aws_db_instance", "/password", "\"x\""), Add("random_password", "{}")],
            ),
            Code(
                ephemeral_variables,
                &[
                    edit("terraform/variables.tf", "  ephemeral   = true", ""),
                    edit("terraform/modules/database/main.tf", "password_wo ", "password "),
                ],
            ),
        ],
    ),
    Row::new(
        43,
        "secrets are SecureStrings under a key of ours; Terraform writes none of them",
        "parameters.tf, xtask/src/stages/secrets.rs",
        &[
            CheckovSkip("CKV2_AWS_34"),
            Observed("encrypted-parameters"),
            Plan(
                plain_parameters,
                &[
                    Add("aws_ssm_parameter", r#"{"name": "/x/jwt/secret", "type": "String"}"#),
                    Add("aws_ssm_parameter", r#"{"name": "/x/host", "type": "SecureString"}"#),
                    Forget("aws_kms_alias", "name"),
                ],
            ),
        ],
    ),
];

fn private_buckets(plan: &PlanView<'_>) -> Verdict {
    let buckets = plan.some("aws_s3_bucket")?.len();
    for kind in [
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_versioning",
        ENCRYPTION,
    ] {
        must(plan.find(kind).len() == buckets, format!("a bucket has no {kind}"))?;
    }
    plan.every("aws_s3_bucket_public_access_block", "leaves a way to the public", |it| {
        [
            "block_public_acls",
            "block_public_policy",
            "ignore_public_acls",
            "restrict_public_buckets",
        ]
        .iter()
        .all(|key| it.values[*key] == true)
    })?;
    plan.every("aws_s3_bucket_ownership_controls", "lets writers own objects", |it| {
        it.text("/rule/0/object_ownership") == "BucketOwnerEnforced"
    })?;
    plan.every("aws_s3_bucket_versioning", "is off", |it| {
        it.text("/versioning_configuration/0/status") == "Enabled"
    })?;
    for bucket in ["storage", "backup"] {
        let address = format!("module.storage.module.{bucket}.{ENCRYPTION}.this");
        plan.every(&address, "uses no key of ours, or no bucket key", |it| {
            let algorithm = "/rule/0/apply_server_side_encryption_by_default/0/sse_algorithm";
            it.text(algorithm) == "aws:kms" && it.is_true("/rule/0/bucket_key_enabled")
        })?;
    }
    Ok(())
}

fn tls_only(plan: &PlanView<'_>) -> Verdict {
    let policies = plan.policies("aws_s3_bucket_policy");
    let buckets = plan.some("aws_s3_bucket")?.len();
    must(policies.len() == buckets, "a bucket has no policy")?;
    all(policies.iter().map(|(bucket, statements)| {
        let refuses = statements.iter().any(|it| {
            let resources = it["Resource"].as_array().map_or(0, Vec::len);
            it["Effect"] == "Deny"
                && (it["Principal"] == "*" || it["Principal"]["AWS"] == "*")
                && it["Action"] == "s3:*"
                && resources == 2
                && it["Condition"]["Bool"]["aws:SecureTransport"] == "false"
        });
        must(refuses, format!("{} lets plain HTTP in", bucket.address))
    }))
}

fn lifecycle(plan: &PlanView<'_>) -> Verdict {
    let kind = "aws_s3_bucket_lifecycle_configuration";
    must(
        plan.find(kind).len() == plan.some("aws_s3_bucket")?.len(),
        "a bucket keeps all for ever",
    )?;
    plan.every(kind, "keeps what nobody can see, or moves what is in use", |it| {
        let rules = || it.at("/rule").as_array().into_iter().flatten();
        let enabled = |key: &str| {
            rules().any(|rule| {
                rule["status"] == "Enabled"
                    && rule[key].as_array().is_some_and(|list| !list.is_empty())
            })
        };
        let mut moves =
            rules().flat_map(|rule| rule["transition"].as_array().into_iter().flatten());
        enabled("abort_incomplete_multipart_upload")
            && enabled("noncurrent_version_expiration")
            && moves.all(|to| to["storage_class"] == "INTELLIGENT_TIERING")
    })
}

fn access_logs(plan: &PlanView<'_>) -> Verdict {
    for bucket in ["storage", "backup"] {
        let address = format!("module.storage.module.{bucket}.aws_s3_bucket_logging.this");
        plan.every(&address, "logs elsewhere", |it| it.text("/target_bucket").contains("-logs-"))?;
    }
    let policies = plan.policies("module.storage.module.logs[0].aws_s3_bucket_policy.this");
    let mut statements = policies.iter().flat_map(|(_, statements)| statements);
    let service = "logdelivery.elasticloadbalancing.amazonaws.com";
    must(
        statements
            .any(|it| it["Principal"]["Service"] == service && it["Action"] == "s3:PutObject"),
        "the load balancer cannot write its log",
    )
}

/// The load balancer writes its log where the bucket's policy lets it; elsewhere, AWS refuses all of
/// its attributes, and it never gets a name.
fn same_log_prefix(sources: &Sources) -> Verdict {
    let policy = sources.text("terraform/modules/storage/main.tf")?;
    for (path, text) in sources.below("rendered/", "-supabase.yaml") {
        let (_, rest) = text
            .split_once("access_logs.s3.prefix=")
            .ok_or_else(|| format!("{path}: the load balancer logs without a prefix"))?;
        let prefix = rest.split([',', '"']).next().unwrap_or_default();
        must(
            !prefix.is_empty() && policy.contains(&format!("}}/{prefix}/AWSLogs/")),
            format!("{path}: the bucket's policy lets nobody write below `{prefix}`"),
        )?;
    }
    Ok(())
}

fn named_origins(plan: &PlanView<'_>) -> Verdict {
    let wanted = plan.variable("storage")["cors_allowed_origins"].as_array().map_or(0, Vec::len);
    let rules = plan.find("aws_s3_bucket_cors_configuration");
    must((wanted > 0) != rules.is_empty(), "the rule does not follow the environment's variable")?;
    all(rules.into_iter().map(|it| {
        let origins = it.list("/cors_rule/0/allowed_origins");
        let is_open = origins.iter().any(|origin| origin.contains('*'));
        must(!is_open, format!("{}: any origin may use it", it.address))
    }))
}

fn kept_objects(plan: &PlanView<'_>) -> Verdict {
    must(*plan.variable("teardown") == false, "this is the plan of a tear-down")?;
    plan.every("aws_s3_bucket", "would be emptied without a question", |it| {
        *it.at("/force_destroy") == false
    })
}

/// Resources that put what they generate into the state.
const GENERATORS: [&str; 4] =
    ["random_password", "random_string", "tls_private_key", "aws_secretsmanager_secret_version"];

fn ephemeral_password(plan: &PlanView<'_>) -> Verdict {
    must(plan.document["variables"]["database_password"].is_null(), "the plan holds the password")?;
    plan.every("aws_db_instance", "keeps its password in the state", |it| !it.has("password"))?;
    all(GENERATORS
        .map(|kind| must(plan.find(kind).is_empty(), format!("{kind} is kept in the state"))))
}

fn ephemeral_variables(sources: &Sources) -> Verdict {
    for path in ["terraform/variables.tf", "terraform/modules/database/variables.tf"] {
        let body = sources.hcl(path)?;
        let is_password = |block: &hcl::Block| labels(block)[0].ends_with("password");
        must(has_block(&body, "variable", &is_password), format!("{path} has no password"))?;
        let is_kept = |block: &hcl::Block| {
            let ephemeral = attribute(block, "ephemeral").map(written);
            is_password(block) && !matches!(ephemeral, Some(Ok(text)) if text == "true")
        };
        must(
            !has_block(&body, "variable", &is_kept),
            format!("{path}: a password is not ephemeral"),
        )?;
    }
    let body = sources.hcl("terraform/modules/database/main.tf")?;
    let writes_once = |block: &hcl::Block| attribute(block, "password_wo").is_some();
    let keeps = |block: &hcl::Block| attribute(block, "password").is_some();
    must(has_block(&body, "resource", &writes_once), "no password is write-only")?;
    must(!has_block(&body, "resource", &keeps), "a password is kept in the state")
}

/// How the names of secret parameters end.
const SECRET_ENDINGS: [&str; 4] = ["password", "secret", "key", "token"];

fn plain_parameters(plan: &PlanView<'_>) -> Verdict {
    plan.every("aws_ssm_parameter", "is a secret that Terraform would write", |it| {
        let name = it.text("/name");
        it.text("/type") == "String" && !SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
    })?;
    let has_key =
        plan.some("aws_kms_alias")?.iter().any(|alias| alias.text("/name").ends_with("-secrets"));
    let unnamed = plan.find("aws_kms_alias").iter().any(|alias| alias.at("/name") == &Value::Null);
    must(has_key && !unnamed, "there is no key of ours for secrets")
}
