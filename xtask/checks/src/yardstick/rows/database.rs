//! Rows 25 to 35: the database.

use crate::yardstick::{
    plan::PlanView,
    row::{
        Breakage::{Express, Forget, Remove, Set},
        Proof::{Checkov, CheckovSkip, Code, Observed, Plan, Says, Test, TestOf},
        Row, Verdict, edit, must,
    },
    sources::{Sources, all, attribute, has_block, labels, written},
};

const PRIMARY: &str = "module.database.aws_db_instance.primary";
const REPLICA: &str = "module.database.aws_db_instance.replica";
const ALARM: &str = "module.observability.aws_cloudwatch_metric_alarm.database";

/// What an environment without alarms has to be without, and why.
pub(super) const NO_ALARMS: &str = "alerts.alarms is off: nobody is woken for it";

pub(super) const ROWS: &[Row] = &[
    Row::new(
        25,
        "storage and Performance Insights are encrypted with a key of ours",
        "modules/database/main.tf",
        &[
            Checkov("CKV_AWS_16"),
            Checkov("CKV_AWS_354"),
            Plan(
                encrypted,
                &[
                    Set(PRIMARY, "/storage_encrypted", "false"),
                    Forget(PRIMARY, "kms_key_id"),
                    Forget(PRIMARY, "performance_insights_kms_key_id"),
                ],
            ),
        ],
    ),
    Row::new(
        26,
        "a standby in another zone, switchable",
        "modules/database/main.tf",
        &[
            Checkov("CKV_AWS_157"),
            Plan(standby, &[Set(PRIMARY, "/multi_az", "false")]),
        ],
    ),
    Row::new(
        27,
        "a read replica as guarded as the primary, and no smaller",
        "modules/database/main.tf",
        &[
            Checkov("CKV_AWS_129"),
            Checkov("CKV2_AWS_60"),
            Test("database:small_replica"),
            Test("database:large_replica"),
            Plan(
                guarded_replica,
                &[
                    Remove(REPLICA),
                    Set(REPLICA, "/deletion_protection", "false"),
                    Set(REPLICA, "/copy_tags_to_snapshot", "false"),
                    Set(REPLICA, "/enabled_cloudwatch_logs_exports", "[]"),
                    Express(
                        "module.database.aws_db_instance.replica",
                        "vpc_security_group_ids",
                        "{}",
                    ),
                ],
            ),
        ],
    )
    .or_outside_production(
        "nobody reads so much that it pays for a second instance",
        &[Plan(no_replica, &[])],
    ),
    Row::new(
        28,
        "static parameters wait for a reboot; a new family comes before the old one goes",
        "modules/database/parameters.tf",
        &[
            Plan(
                apply_methods,
                &[
                    Set(
                        "aws_db_parameter_group",
                        "/parameter",
                        r#"[{"name": "shared_preload_libraries", "apply_method": "immediate", "value": "x"}]"#,
                    ),
                    Set("aws_db_parameter_group", "/name_prefix", "\"\""),
                ],
            ),
            Code(
                new_family_first,
                &[edit(
                    "terraform/modules/database/parameters.tf",
                    "create_before_destroy = true",
                    "create_before_destroy = false",
                )],
            ),
        ],
    ),
    Row::new(
        29,
        "the database refuses connections without TLS, and every client uses it",
        "modules/database/parameters.tf, helm/supabase/templates/_database.tpl",
        &[
            Checkov("CKV2_AWS_69"),
            Plan(tls_forced, &[Set("aws_db_parameter_group", "/parameter", "[]")]),
            Code(
                clients_use_tls,
                &[
                    edit("rendered/prod-supabase.yaml", "sslmode=", "sslmode=disable&x="),
                    edit("rendered/prod-supabase.yaml", "DB_SSL", "DB_TLS"),
                ],
            ),
        ],
    ),
    Row::new(
        30,
        "logs name changes of the schema and of rights, not data",
        "modules/database/parameters.tf",
        &[
            Checkov("CKV2_AWS_30"),
            Plan(
                audited,
                &[Set(
                    "aws_db_parameter_group",
                    "/parameter",
                    r#"[{"name": "log_statement", "value": "all"}]"#,
                )],
            ),
        ],
    ),
    Row::new(
        31,
        "a write-only master password of URL-safe characters",
        "modules/database/main.tf, variables.tf",
        &[
            Says("validations:first", "var.database_password"),
            Says("validations:second", "var.database_password"),
            Observed("passwords"),
            Plan(
                write_only_password,
                &[
                    Set(PRIMARY, "/password", "\"secret\""),
                    Set(PRIMARY, "/manage_master_user_password", "true"),
                    Set(PRIMARY, "/password_wo_version", "null"),
                ],
            ),
        ],
    ),
    Row::new(
        32,
        "backups for a week in dev and a month in prod, windows apart, a stable snapshot name",
        "environments/, modules/database/main.tf",
        &[
            Checkov("CKV_AWS_133"),
            Plan(
                backups,
                &[
                    Set(PRIMARY, "/backup_retention_period", "1"),
                    Set(PRIMARY, "/maintenance_window", "\"sun:02:30-sun:03:30\""),
                    Express(
                        "module.database.aws_db_instance.primary",
                        "final_snapshot_identifier",
                        r#"{"references": ["local.identifier"]}"#,
                    ),
                ],
            ),
            Code(
                no_clock_in_names,
                &[edit(
                    "terraform/modules/database/main.tf",
                    "substr(terraform_data.generation.id, 0, 8)",
                    "timestamp()",
                )],
            ),
        ],
    ),
    Row::new(
        33,
        "deletion protection and a final snapshot, lifted by a tear-down only",
        "locals.tf, modules/database/main.tf",
        &[
            TestOf("dev", "dev:teardown"),
            TestOf("prod", "prod:teardown"),
            CheckovSkip("CKV_AWS_293"),
            Plan(
                protected,
                &[
                    Set(PRIMARY, "/deletion_protection", "false"),
                    Set(PRIMARY, "/skip_final_snapshot", "true"),
                ],
            ),
        ],
    )
    .or_outside_production(
        "it is made to be destroyed; its variables say so",
        &[Plan(unprotected_by_choice, &[Set(PRIMARY, "/deletion_protection", "true")])],
    ),
    Row::new(
        34,
        "storage grows by itself, and an alarm tells when it cannot",
        "modules/database/main.tf, modules/observability",
        &[
            Says("validations:third", "var.database,"),
            Plan(
                growing_storage,
                &[
                    Set(PRIMARY, "/max_allocated_storage", "0"),
                    Remove("module.observability.aws_cloudwatch_metric_alarm.database[\"primary-free-storage\"]"),
                ],
            ),
        ],
    )
    .or_outside_production(NO_ALARMS, &[Plan(grows_without_alarms, &[Set(PRIMARY, "/max_allocated_storage", "0")])]),
    Row::new(
        35,
        "alarms on CPU, storage, memory, connections, disk bursts and lag, by class",
        "modules/observability/database-alarms.tf",
        &[
            Plan(
                database_alarms,
                &[
                    Remove("module.observability.aws_cloudwatch_metric_alarm.database[\"primary-cpu\"]"),
                    Remove("module.observability.aws_cloudwatch_metric_alarm.database[\"replica-lag\"]"),
                    Remove("module.observability.aws_cloudwatch_metric_alarm.database[\"replica-connections\"]"),
                    Set(ALARM, "/alarm_actions", "[]"),
                ],
            ),
        ],
    )
    .or_outside_production(NO_ALARMS, &[Plan(no_alarms, &[])]),
];

fn encrypted(plan: &PlanView<'_>) -> Verdict {
    plan.every("aws_db_instance", "is not encrypted", |it| it.is_true("/storage_encrypted"))?;
    plan.every(PRIMARY, "has no key of ours", |it| it.has("kms_key_id"))?;
    plan.every("aws_db_instance", "shows queries without a key of ours", |it| {
        it.is_true("/performance_insights_enabled") && it.has("performance_insights_kms_key_id")
    })
}

fn standby(plan: &PlanView<'_>) -> Verdict {
    plan.every(PRIMARY, "has no standby", |it| it.is_true("/multi_az"))
}

fn guarded_replica(plan: &PlanView<'_>) -> Verdict {
    plan.every(REPLICA, "is less guarded than the primary", |it| {
        it.is_true("/deletion_protection")
            && it.is_true("/copy_tags_to_snapshot")
            && it.list("/enabled_cloudwatch_logs_exports").len() == 2
    })?;
    let (primary, replica) = (plan.block(PRIMARY)?, plan.block(REPLICA)?);
    all(["vpc_security_group_ids", "parameter_group_name"].map(|key| {
        let is_same = !replica.expressions[key].is_null()
            && replica.expressions[key] == primary.expressions[key];
        must(is_same, format!("the replica has another {key}"))
    }))
}

fn no_replica(plan: &PlanView<'_>) -> Verdict {
    let is_wanted = !plan.variable("database")["replica"].is_null();
    must(plan.find(REPLICA).is_empty() && !is_wanted, "there is a replica after all")
}

/// What PostgreSQL reads only when it starts.
const STATIC: [&str; 10] = [
    "cron.database_name",
    "max_connections",
    "max_replication_slots",
    "max_wal_senders",
    "max_worker_processes",
    "rds.logical_replication",
    "shared_buffers",
    "shared_preload_libraries",
    "track_activity_query_size",
    "wal_level",
];

fn parameter<'a>(plan: &PlanView<'a>, name: &str) -> Result<&'a str, String> {
    let group = plan.one("aws_db_parameter_group")?;
    let mut parameters = group.at("/parameter").as_array().into_iter().flatten();
    let found = parameters.find(|parameter| parameter["name"] == name);
    found.and_then(|it| it["value"].as_str()).ok_or_else(|| format!("{name} is not set"))
}

fn apply_methods(plan: &PlanView<'_>) -> Verdict {
    let group = plan.one("aws_db_parameter_group")?;
    must(!group.text("/name_prefix").is_empty(), "a new group would collide with the old one")?;
    let parameters = group.at("/parameter").as_array().into_iter().flatten();
    all(parameters.into_iter().map(|parameter| {
        let name = parameter["name"].as_str().unwrap_or_default();
        let wanted = if STATIC.contains(&name) { "pending-reboot" } else { "immediate" };
        must(parameter["apply_method"] == wanted, format!("{name} has to be applied {wanted}"))
    }))
}

fn new_family_first(sources: &Sources) -> Verdict {
    let body = sources.hcl("terraform/modules/database/parameters.tf")?;
    let comes_first = |block: &hcl::Block| {
        labels(block).first() == Some(&"aws_db_parameter_group")
            && has_block(block.body(), "lifecycle", &|lifecycle| {
                let first = attribute(lifecycle, "create_before_destroy").map(written);
                matches!(first, Some(Ok(text)) if text == "true")
            })
    };
    must(has_block(&body, "resource", &comes_first), "the old group would go first")
}

fn tls_forced(plan: &PlanView<'_>) -> Verdict {
    must(parameter(plan, "rds.force_ssl")? == "1", "the database takes connections without TLS")
}

/// Modes in which a client never goes on in plain text.
const TLS_MODES: [&str; 4] = ["require", "verify-ca", "verify-full", "no-verify"];

/// Every connection string of a rendered chart names its TLS mode, and the one client that has a
/// switch instead has it on.
fn clients_use_tls(sources: &Sources) -> Verdict {
    let mut connections = 0;
    for (path, text) in sources.below("rendered/", "-supabase.yaml") {
        for line in text.lines() {
            let Some((_, url)) = line.split_once("postgres") else { continue };
            if !url.starts_with("://") && !url.starts_with("ql://") {
                continue;
            }
            connections += 1;
            must(
                TLS_MODES.iter().any(|mode| url.contains(&format!("sslmode={mode}"))),
                format!("{path}: a connection without TLS: {}", line.trim()),
            )?;
        }
        if let Some((_, realtime)) = text.split_once("name: supabase-realtime\n") {
            let has_switch = realtime.contains("name: DB_SSL\n");
            must(has_switch, format!("{path}: realtime does not switch TLS on"))?;
        }
    }
    must(connections > 0, "no rendered chart connects to the database")
}

fn audited(plan: &PlanView<'_>) -> Verdict {
    must(parameter(plan, "log_statement")? == "ddl", "statements with data are logged")?;
    must(
        parameter(plan, "shared_preload_libraries")?.contains("pgaudit"),
        "pgaudit is not loaded",
    )?;
    must(!parameter(plan, "pgaudit.log")?.is_empty(), "pgaudit logs nothing")
}

fn write_only_password(plan: &PlanView<'_>) -> Verdict {
    plan.every("aws_db_instance", "keeps a password in plan and state", |it| {
        !it.has("password") && !it.is_true("/manage_master_user_password")
    })?;
    plan.every(PRIMARY, "has no version of the password", |it| {
        it.number("/password_wo_version") >= 1
    })
}

fn backups(plan: &PlanView<'_>) -> Verdict {
    let wanted = if plan.is_production() { 30 } else { 7 };
    plan.every(PRIMARY, "forgets too soon", |it| it.number("/backup_retention_period") >= wanted)?;
    plan.every(PRIMARY, "backs up during maintenance", |it| {
        // `02:00-03:00` and `sun:04:00-sun:05:00`, both UTC.
        let backup = it.text("/backup_window").split_once('-');
        let maintenance = it.text("/maintenance_window").split_once('-');
        let (Some((from, to)), Some((begin, end))) = (backup, maintenance) else { return false };
        let clock = |text: &'_ str| text.get(4..).unwrap_or_default().to_owned();
        clock(begin).as_str() >= to || clock(end).as_str() <= from
    })?;
    let stable =
        plan.block(PRIMARY)?.refers_to("/final_snapshot_identifier", "terraform_data.generation");
    must(stable, "the final snapshot's name is not of the database's generation")
}

fn no_clock_in_names(sources: &Sources) -> Verdict {
    all(sources.below("terraform/", ".tf").map(|(path, text)| {
        let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let clock = code
            .into_iter()
            .any(|line| line.contains(" timestamp()") || line.contains("{timestamp()"));
        must(!clock, format!("{path}: timestamp() changes in every plan"))
    }))
}

fn protected(plan: &PlanView<'_>) -> Verdict {
    plan.every(PRIMARY, "can be deleted without a trace", |it| {
        it.is_true("/deletion_protection") && *it.at("/skip_final_snapshot") == false
    })
}

fn unprotected_by_choice(plan: &PlanView<'_>) -> Verdict {
    must(
        *plan.variable("deletion_protection") == false && *plan.variable("final_snapshot") == false,
        "the environment's variables do not say so",
    )?;
    plan.every(PRIMARY, "is protected after all", |it| !it.is_true("/deletion_protection"))
}

fn growing_storage(plan: &PlanView<'_>) -> Verdict {
    grows(plan)?;
    let alarm = format!("{ALARM}[\"primary-free-storage\"]");
    plan.every(&alarm, "does not watch the free storage", |it| {
        it.text("/metric_name") == "FreeStorageSpace"
    })
}

fn grows(plan: &PlanView<'_>) -> Verdict {
    plan.every(PRIMARY, "cannot grow", |it| {
        it.number("/max_allocated_storage") > it.number("/allocated_storage")
    })
}

fn grows_without_alarms(plan: &PlanView<'_>) -> Verdict {
    grows(plan)?;
    no_alarms(plan)
}

pub(super) fn no_alarms(plan: &PlanView<'_>) -> Verdict {
    must(
        *plan.variable("alerts").pointer("/alarms").unwrap_or(&serde_json::Value::Null) == false,
        "alerts.alarms is on",
    )?;
    must(plan.find("aws_cloudwatch_metric_alarm").is_empty(), "there are some alarms after all")
}

fn database_alarms(plan: &PlanView<'_>) -> Verdict {
    let watched = ["cpu", "free-storage", "free-memory", "connections", "io-balance"];
    let mut wanted: Vec<_> = watched.iter().map(|alarm| format!("primary-{alarm}")).collect();
    if !plan.find(REPLICA).is_empty() {
        wanted.extend(watched.iter().map(|alarm| format!("replica-{alarm}")));
        wanted.push("replica-lag".to_owned());
    }
    for alarm in wanted {
        plan.every(&format!("{ALARM}[\"{alarm}\"]"), "tells nobody", |it| {
            !it.list("/alarm_actions").is_empty() && it.number("/threshold") > 0
        })?;
    }
    Ok(())
}
