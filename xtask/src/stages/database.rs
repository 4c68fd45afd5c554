//! Runs the bootstrap Job: roles, schemas and grants on RDS, and what the server allows.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xtask_cloud::{Cluster, kinds};
use xtask_pipeline::{Action, Effect, Outcome, Output, Preview, Stage, Step, StepRun, Undo};

use crate::{
    authorities,
    context::{Context, NAMESPACE, waiting},
    helm::{self, Chart, Install},
    secrets,
    terraform::Infrastructure,
};

const RELEASE: &str = "supabase-database";

/// How long Helm waits for the release to work.
const TIMEOUT: Duration = Duration::from_secs(8 * 60);

/// What the bootstrap found out about the server; the Job writes it as its termination message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Database {
    pub(crate) server_version: String,
    /// Whether `service_role` can bypass row level security.
    pub(crate) bypassrls: bool,
    pub(crate) event_triggers: bool,
    /// What opens new tables to `service_role`: `bypass`, `event trigger` or `schedule`.
    #[serde(default)]
    pub(crate) row_security: String,
    /// Tables of which `service_role` does not see every row, and nothing within reach changes that.
    #[serde(default)]
    pub(crate) hidden_tables: Vec<String>,
    pub(crate) realtime: Feature,
    /// The scripts that the ledger lists as done.
    #[serde(default)]
    pub(crate) ledger: Vec<String>,
}

/// A part of Supabase that a server may not be able to carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Feature {
    pub(crate) enabled: bool,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) fix: String,
}

impl Database {
    /// Whether a new table stays closed to `service_role` until the schedule comes round.
    pub(crate) fn waits_for_schedule(&self) -> bool {
        !matches!(self.row_security.as_str(), "bypass" | "event trigger")
    }
}

impl Output for Database {
    const STAGE: &'static str = "database";
}

/// See the module.
pub(super) struct DatabaseStage;

impl Stage<Context> for DatabaseStage {
    fn name(&self) -> &'static str {
        "database"
    }

    fn purpose(&self) -> &'static str {
        "the database has Supabase's roles, schemas and grants"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["secrets"]
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn undo(&self) -> Undo {
        Undo::TearDown
    }

    fn deadline(&self) -> Duration {
        // The rest is what the report takes.
        helm::time_for(TIMEOUT) + Duration::from_secs(5 * 60)
    }

    fn plan(&self, context: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(vec![
            Step::new(
                "authorities",
                "fetch what the server's certificate is verified with",
                Effect::Read,
                FetchAuthorities { url: authorities::url(&context.environment.region) },
            ),
            Step::new("bootstrap", "run the bootstrap Job", Effect::Write, Bootstrap).leaves(
                "the scripts that the ledger lists are done; the next run goes on with the others",
            ),
            Step::new("report", "read what the server allows", Effect::Read, Report),
        ])
    }

    fn tear_down(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(vec![Step::new("release", "remove the bootstrap Job", Effect::Destructive, Remove)])
    }
}

struct FetchAuthorities {
    url: String,
}

impl Action<Context> for FetchAuthorities {
    fn preview(&self) -> Preview {
        Preview::Request(format!("GET {}", self.url))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let found = authorities::of_databases(context, run)?;
        let noun = if found.count == 1 { "authority" } else { "authorities" };
        Ok(Outcome::Unchanged(format!("verified with {} {noun}", found.count)))
    }
}

struct Bootstrap;

impl Action<Context> for Bootstrap {
    fn preview(&self) -> Preview {
        Preview::Command(format!(
            "helm upgrade --install {RELEASE} helm/database --namespace {NAMESPACE} --wait"
        ))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let infrastructure = run.output::<Infrastructure>()?;
        let authorities = authorities::of_databases(context, run)?;
        let mut values = values(&infrastructure, &authorities.pem);
        values["imageRegistries"] = json!(context.environment.overlay.image_registries());
        values["passwordsVersion"] = json!(secrets::passwords_version(&context.secret_versions()?));
        let values = context.generated_values(RELEASE, &values)?;
        let install = Install {
            release: RELEASE.to_owned(),
            namespace: NAMESPACE.to_owned(),
            chart: Chart::Local(context.root.join("helm/database")),
            values: vec![values],
            timeout: TIMEOUT,
            wait: true,
        };
        Ok(context.helm()?.install(context, run, &infrastructure, &install)?.into())
    }
}

fn values(infrastructure: &Infrastructure, authorities: &str) -> Value {
    json!({
        "environment": infrastructure.environment,
        "database": {
            "host": infrastructure.database_host,
            "port": infrastructure.database_port,
            "name": infrastructure.database_name,
            "masterUsername": infrastructure.database_master_username,
            "caBundle": {"pem": authorities},
        },
        "networkPolicy": {"databaseCidrs": only(&infrastructure.database_subnet_cidrs)},
    })
}

/// Address ranges by name, in place of the chart's wide default.
pub(super) fn only(ranges: &BTreeMap<String, String>) -> Value {
    let mut named = json!({"vpc": null});
    for (name, range) in ranges {
        named[name] = json!(range);
    }
    named
}

struct Report;

impl Action<Context> for Report {
    fn preview(&self) -> Preview {
        Preview::Check("read the Job's termination message".to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let cluster = context.cluster(&run.output::<Infrastructure>()?)?;
        let job = newest_job(context, &cluster)?;
        let finished = waiting(run, |wait| cluster.wait_job(NAMESPACE, &job, wait))?;
        let message = finished.termination_message.unwrap_or_default();
        let database: Database = serde_json::from_str(&message)
            .context("failed to read the capability report of the bootstrap Job")?;
        run.publish(&database)?;
        if !database.realtime.enabled {
            run.note(&format!(
                "warning: realtime is switched off, because {}; {}",
                database.realtime.reason, database.realtime.fix
            ));
        }
        if !database.bypassrls {
            run.note("the server grants no BYPASSRLS: policies let service_role read and write every table instead");
        }
        if !database.hidden_tables.is_empty() {
            run.note(&format!(
                "warning: row security hides rows from service_role and from the backup: {}; let the master user act \
                 for the owner (grant <owner> to <master user>), or name the roles that a restrictive policy is \
                 meant for (alter policy <name> on <table> to anon, authenticated)",
                database.hidden_tables.join("; ")
            ));
        }
        Ok(Outcome::Unchanged(format!(
            "PostgreSQL {}, {} scripts in the ledger",
            database.server_version,
            database.ledger.len()
        )))
    }
}

/// The Job's name carries a digest of its inputs, so it is found by its label.
fn newest_job(context: &Context, cluster: &Cluster) -> anyhow::Result<String> {
    let jobs = cluster.list(
        &kinds::JOB,
        Some(NAMESPACE),
        &format!("app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=bootstrap"),
    )?;
    let text = |job: &Value, pointer: &str| {
        job.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    jobs.iter()
        .max_by_key(|job| text(job, "/metadata/creationTimestamp"))
        .map(|job| text(job, "/metadata/name"))
        .with_context(|| {
            format!(
                "the bootstrap Job is not in the cluster any more; run `{}` again",
                context.command_line("stage database")
            )
        })
}

struct Remove;

impl Action<Context> for Remove {
    fn preview(&self) -> Preview {
        Preview::Command(format!("helm uninstall {RELEASE} --namespace {NAMESPACE} --wait"))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        context.uninstall(run, RELEASE, NAMESPACE)
    }
}
