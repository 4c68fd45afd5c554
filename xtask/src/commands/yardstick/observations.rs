//! What a row of the yardstick asks of the runner itself, shown by running that very code.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, ensure};
use jiff::ToSpan as _;
use serde_json::json;
use xtask_pipeline::{Plan, Selection};
use xtask_tools::Secret;

use crate::{
    commands::deploy,
    config::{self, Environment, Support},
    context::Context,
    secrets::{self, ANON_KEY, Alphabet, ApiRole, CATALOGUE, JWT_SECRET, MASTER_PASSWORD, Source},
    stages,
};

/// Every observation by the name that a row asks for. `contexts`: all environments, in a sandbox.
pub(super) fn all(contexts: &[Context]) -> BTreeMap<&'static str, anyhow::Result<()>> {
    let each = |observe: fn(&Context) -> anyhow::Result<()>| contexts.iter().try_for_each(observe);
    BTreeMap::from([
        ("support-calendar", each(support_calendar)),
        ("passwords", passwords()),
        ("api-keys", api_keys()),
        ("jwt-secret", jwt_secret()),
        ("rotation", each(rotation)),
        ("placeholders", each(placeholders)),
        ("encrypted-parameters", each(encrypted_parameters)),
        ("tear-down-order", each(tear_down_order)),
    ])
}

/// Fails with each of the findings, if there are any.
pub(super) fn none_of(findings: &[String]) -> anyhow::Result<()> {
    ensure!(findings.is_empty(), "{}", findings.join("; "));
    Ok(())
}

/// A verdict about a version on a day.
type Calendar = fn(&str, jiff::civil::Date) -> Support;

/// The versions of an environment are in the table, with 60 days' notice of their end.
fn support_calendar(context: &Context) -> anyhow::Result<()> {
    let environment = &context.environment;
    let rows: [(&str, Calendar); 2] = [
        (&environment.kubernetes_version, config::kubernetes_support),
        (&environment.postgres_version, config::postgres_support),
    ];
    let today = jiff::Zoned::now().date();
    for (version, verdict_on) in rows {
        let end = match verdict_on(version, today) {
            Support::Supported { until } | Support::EndsSoon { until, .. } => until,
            other => anyhow::bail!("{version} is {other:?}"),
        };
        let before = |days: i64| end.checked_sub(days.days()).context("the calendar ends");
        ensure!(
            matches!(verdict_on(version, before(59)?), Support::EndsSoon { .. })
                && matches!(verdict_on(version, before(61)?), Support::Supported { .. })
                && matches!(verdict_on(version, before(-1)?), Support::Ended { .. }),
            "the end of {version} on {end} is not announced 60 days before"
        );
    }
    Ok(())
}

/// Generated passwords fit the rules of RDS and of connection URLs.
fn passwords() -> anyhow::Result<()> {
    for spec in &CATALOGUE {
        let Source::Random(length, alphabet) = spec.source else { continue };
        for _ in 0..64 {
            let secret = secrets::random_text(length, alphabet)?;
            let safe = secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric());
            ensure!(safe && secret.expose().len() == length, "{} is not URL-safe", spec.path);
        }
    }
    let master = CATALOGUE.iter().find(|spec| spec.path == MASTER_PASSWORD);
    let fits = matches!(master.map(|spec| spec.source), Some(Source::Random(16..=128, _)));
    ensure!(fits, "RDS wants 16 to 128 characters");
    Ok(())
}

/// Both keys carry their role and the signature of the secret they were made with, and of no other.
fn api_keys() -> anyhow::Result<()> {
    let (secret, other) = (
        secrets::random_text(64, Alphabet::Alphanumeric)?,
        secrets::random_text(64, Alphabet::Alphanumeric)?,
    );
    for role in [ApiRole::Anon, ApiRole::ServiceRole] {
        let key = secrets::api_key(role, &secret, jiff::Timestamp::now().as_second())?;
        let claims = secrets::verify(&key, &secret)?;
        ensure!(claims.role == role && claims.exp > claims.iat, "{role:?} has other claims");
        ensure!(secrets::verify(&key, &other).is_err(), "any secret verifies the key of {role:?}");
    }
    Ok(())
}

fn jwt_secret() -> anyhow::Result<()> {
    let spec = CATALOGUE.iter().find(|spec| spec.path == JWT_SECRET);
    let Some(Source::Random(length, _)) = spec.map(|spec| spec.source) else {
        anyhow::bail!("the JWT secret is not random");
    };
    ensure!(length >= 32, "the JWT secret has {length} characters");
    let short = Secret::new("too-short");
    ensure!(secrets::api_key(ApiRole::Anon, &short, 0).is_err(), "a short secret signs keys");
    Ok(())
}

/// A secret that was written anew gives keys, Pods and the bootstrap Job something to follow.
fn rotation(context: &Context) -> anyhow::Result<()> {
    let old = secrets::random_text(64, Alphabet::Alphanumeric)?;
    let new = secrets::random_text(64, Alphabet::Alphanumeric)?;
    let key = secrets::api_key(ApiRole::Anon, &old, jiff::Timestamp::now().as_second())?;
    let spec = CATALOGUE.iter().find(|spec| spec.path == ANON_KEY).context("there is no key")?;
    ensure!(stages::is_stale(spec, &key, Some(&new)), "a key of the old secret is kept");
    ensure!(!stages::is_stale(spec, &key, Some(&old)), "a key of today's secret is made anew");
    let render = |version: i64| {
        let stored = BTreeMap::from([(JWT_SECRET.to_owned(), version)]);
        let mut values = stages::sample_values(context);
        values["secretVersions"] = json!(secrets::versions(&stored));
        context.helm()?.render(&stages::chart(context, &values)?)
    };
    let (before, after) = (render(1)?, render(2)?);
    ensure!(before != after, "Pods that read the JWT secret do not restart");
    Ok(())
}

/// Values that were never filled in are found, each with its place.
fn placeholders(context: &Context) -> anyhow::Result<()> {
    placeholders_are_found(&context.root, &context.folder().join("sample"))
}

fn placeholders_are_found(root: &Path, sample: &Path) -> anyhow::Result<()> {
    let write = |path: &str, text: &str| {
        let file = sample.join(path);
        let folder = file.parent().context("the file has no folder")?;
        fs::create_dir_all(folder).and_then(|()| fs::write(&file, text)).context("failed to write")
    };
    for file in config::SHARED {
        let text = fs::read_to_string(root.join(file));
        write(file, &text.with_context(|| format!("failed to read `{file}`"))?)?;
    }
    write(
        "terraform/environments/sample.tfvars",
        "environment = \"sample\"\nregion = \"eu-west-1\"\naccount_id = \"123456789012\"\n\
         kubernetes_version = \"1.35\"\npostgres_version = \"17\"\ndomain = \"example.com\"\n\
         network = { cidr = \"10.20.0.0/16\", zones = [] }\n\
         cluster = { public_access_cidrs = [\"203.0.113.0/24\"], access = {} }\n\
         nodes = { instance_types = [] }\ndatabase = { instance_class = \"db.t4g.medium\" }\n\
         alerts = { emails = [\"ops@example.com\"] }\n",
    )?;
    write("helm/overlays/sample.yaml", "auth:\n  siteUrl: https://app.example.com\n")?;
    let found = Environment::load(sample, "sample")?.placeholders;
    for key in
        ["account_id", "domain", "cluster.public_access_cidrs", "alerts.emails", "auth.siteUrl"]
    {
        ensure!(found.iter().any(|it| it.key == key), "the placeholder in `{key}` is not noticed");
    }
    Ok(())
}

/// What the runner stores is encrypted with the key that it names.
fn encrypted_parameters(context: &Context) -> anyhow::Result<()> {
    let cloud = context.cloud()?;
    let prefix = format!("/yardstick-{}", context.environment.name);
    let name = format!("{prefix}/sample");
    let key = format!("alias/{}-secrets", context.environment.name_prefix());
    let value = secrets::random_text(40, Alphabet::Alphanumeric)?;
    cloud.put_parameter_if_absent(&name, &value, Some(&key))?;
    let stored = cloud.describe_parameters(&prefix)?;
    cloud.delete_parameters_by_path(&prefix)?;
    let found = stored.iter().find(|parameter| parameter.name == name);
    let named = found.and_then(|parameter| parameter.key_id.as_deref());
    ensure!(named == Some(key.as_str()), "a secret was stored under the key {named:?}");
    Ok(())
}

/// What has to be gone before what.
const ORDER: [&str; 8] = [
    "release.load-balancer",
    "release.release",
    "release.volumes",
    "secrets.release",
    "addons.aws-load-balancer-controller",
    "infrastructure.unprotect",
    "infrastructure.destroy",
    "infrastructure.parameters",
];

fn tear_down_order(context: &Context) -> anyhow::Result<()> {
    let table = deploy::table()?;
    let name = &context.environment.name;
    let plan = Plan::destroy(&table, &Selection::default(), name, context)?.document();
    let steps: Vec<String> = plan
        .stages
        .iter()
        .flat_map(|stage| stage.steps.iter().map(|step| format!("{}.{}", stage.name, step.id)))
        .collect();
    in_order(&steps, &ORDER)
}

fn in_order(steps: &[String], order: &[&str]) -> anyhow::Result<()> {
    let place = |wanted: &&str| {
        let place = steps.iter().position(|step| step == wanted);
        place.with_context(|| format!("a tear-down has no step {wanted}"))
    };
    let places = order.iter().map(place).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(places.is_sorted(), "a tear-down goes another way: {}", steps.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_refused_when_a_step_is_early_or_missing() {
        let steps = |names: [&str; 3]| names.map(str::to_owned);
        in_order(&steps(["a", "x", "b"]), &["a", "b"]).unwrap();
        assert!(in_order(&steps(["b", "x", "a"]), &["a", "b"]).is_err());
        assert!(in_order(&steps(["a", "x", "y"]), &["a", "b"]).is_err());
    }

    #[test]
    fn what_the_runner_makes_satisfies_its_rows() {
        passwords().unwrap();
        api_keys().unwrap();
        jwt_secret().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        placeholders_are_found(root, tempfile::tempdir().unwrap().path()).unwrap();
    }
}
