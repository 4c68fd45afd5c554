//! From nothing to nothing in a sandbox of its own, as a person would do it.
//!
//! One long story and not many short ones: each chapter needs the world that the one before left.
//! It prints `end-to-end: ...` lines for whoever waits.

mod cancelled;
mod leaks;
mod leftovers;
mod mishaps;
mod repair;
mod sandbox;

use leaks::{no_secret_leaks, secrets_have_one_key};
use sandbox::{Sandbox, outcomes, tell};

use crate::harness::Said;

#[test]
fn dev_and_prod_from_nothing_to_nothing() {
    let sandbox = Sandbox::new();
    sandbox.must("sandbox up");
    mishaps::another_account_is_refused(&sandbox);
    let before = leftovers::holdings(&sandbox);

    // Both environments at the same time, in one sandbox; prod takes longer, so that dev has time
    // for everything that can happen to an environment.
    std::thread::scope(|scope| {
        let prod = scope.spawn(|| sandbox.must("deploy prod --sandbox --format json"));
        scope.spawn(|| an_account_is_prepared_twice(&sandbox));
        life_of_an_environment(&sandbox);
        answers(&prod.join().unwrap());
    });

    let plan = sandbox.must("plan prod --sandbox");
    assert!(plan.out.contains("No changes"), "{}", plan.out);
    no_secret_leaks(&sandbox, "dev");
    no_secret_leaks(&sandbox, "prod");
    secrets_have_one_key(&sandbox, "dev");
    secrets_have_one_key(&sandbox, "prod");

    std::thread::scope(|scope| {
        let prod = scope.spawn(|| sandbox.must("destroy prod --sandbox --confirm prod"));
        gone(&sandbox.must("destroy dev --sandbox --confirm dev"));
        gone(&prod.join().unwrap());
    });
    leftovers::nothing_is_left(&before, &leftovers::holdings(&sandbox));
    a_new_environment_takes_over_the_key(&sandbox);
    mishaps::a_dead_sandbox_is_started_anew(&sandbox);
    tell("done");
}

fn life_of_an_environment(sandbox: &Sandbox) {
    mishaps::an_interrupt_is_heard(sandbox);
    answers(&sandbox.must("deploy dev --sandbox --resume --format json"));
    nothing_changes(&sandbox.must("deploy dev --sandbox --format json"));
    repair::what_was_changed_by_hand_is_put_back(sandbox);
    a_kubeconfig_context_takes_the_clusters_place(sandbox);
    drift_is_found_and_taken_back(sandbox);
    mishaps::a_killed_runner_leaves_no_lock(sandbox);
    mishaps::a_failed_release_is_rolled_back(sandbox);
    mishaps::a_crash_tells_no_secret(sandbox);
}

fn answers(said: &Said) {
    let outcomes = outcomes(said);
    for probe in
        ["rest-service", "rest-none", "auth-health", "auth-address", "storage-status", "meta-anon"]
    {
        let name = format!("smoke/{probe}");
        assert!(
            outcomes.contains(&(name, "unchanged".to_owned())),
            "{probe} was not asked: {outcomes:?}"
        );
    }
}

fn nothing_changes(said: &Said) {
    let changed: Vec<_> =
        outcomes(said).into_iter().filter(|(_, result)| result == "changed").collect();
    assert!(changed.is_empty(), "a second deployment changed {changed:?}");
}

fn a_kubeconfig_context_takes_the_clusters_place(sandbox: &Sandbox) {
    let theirs = sandbox.runs().join("theirs.kubeconfig");
    std::fs::copy(sandbox.runs().join("dev/kubeconfig"), &theirs).unwrap();
    let run = |context: &str| {
        let line = format!("stage release dev --sandbox --cluster {context}");
        sandbox.xtask(&line).env("KUBECONFIG", theirs.display()).run()
    };
    let said = run("supabase-dev");
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.error);
    assert!(said.out.contains("has these inputs"), "{}", said.out);
    let said = run("nobody");
    assert_eq!(said.code, 10, "{}", said.out);
    let told = format!("{}{}", said.out, said.error);
    assert!(told.contains("--sandbox --cluster nobody"), "{told}");
}

fn drift_is_found_and_taken_back(sandbox: &Sandbox) {
    let said = sandbox.must("drift dev --sandbox");
    assert!(said.out.contains("no drift in `dev`"), "{}", said.out);
    let deleted = sandbox.cloud().delete_parameters_by_path("/dev/supabase/cluster").unwrap();
    assert!(!deleted.is_empty(), "Terraform made no plain parameters");
    let said = sandbox.xtask("drift dev --sandbox").run();
    assert_eq!(said.code, 2, "{} {}", said.out, said.error);
    assert!(said.out.contains("was deleted"), "{}", said.out);
    // The way of a pull request: what was reviewed is what is applied.
    let reviewed = sandbox.runs().join("reviewed.plan").display().to_string();
    let plan = sandbox.must(&format!("plan dev --sandbox --out {reviewed}"));
    assert!(plan.out.contains("aws_ssm_parameter"), "{}", plan.out);
    let applied = sandbox.must(&format!("stage infrastructure dev --sandbox --plan {reviewed}"));
    assert!(applied.out.contains("as reviewed"), "{}", applied.out);
    sandbox.must("drift dev --sandbox");
}

fn an_account_is_prepared_twice(sandbox: &Sandbox) {
    sandbox.must("bootstrap dev --sandbox");
    let again = sandbox.must("bootstrap dev --sandbox");
    assert!(again.out.contains("0 added, 0 changed, 0 destroyed"), "{}", again.out);
    assert!(again.out.contains("workspace dev: there"), "{}", again.out);
    // A deployment of dev is at work meanwhile, with Terraform data of its own.
    let noted = sandbox.runs().join("dev/workspace/terraform/environment");
    assert_eq!(std::fs::read_to_string(noted).unwrap(), "dev");
}

/// Another key would find the alias taken, and could not read the last snapshot.
fn a_new_environment_takes_over_the_key(sandbox: &Sandbox) {
    let plan = sandbox.must("plan prod --sandbox --format json");
    let action = |purpose: &str| {
        let summary: Vec<serde_json::Value> = serde_json::from_str(&plan.out).unwrap();
        let address = format!("module.encryption.aws_kms_alias.this[\"{purpose}\"]");
        let found = summary.into_iter().find(|change| change["address"] == *address);
        found.unwrap()["action"].as_str().unwrap().to_owned()
    };
    assert_eq!((&*action("storage"), &*action("database")), ("create", "import"));
}

fn gone(said: &Said) {
    assert!(said.out.contains("nothing of `"), "{}", said.out);
}
