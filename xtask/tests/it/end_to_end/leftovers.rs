//! What AWS holds, asked of it service by service and not through the tags that `destroy` reads.

use std::collections::{BTreeMap, BTreeSet};

use super::sandbox::{Sandbox, tell, toolbox};
use crate::harness::{processes, root};

/// Every resource, as `service call: name`.
pub(super) fn holdings(sandbox: &Sandbox) -> BTreeSet<String> {
    let requirements = root().join("xtask/sandbox/aws/requirements.txt");
    let python = toolbox().python_environment("moto", &requirements).unwrap();
    let lists: BTreeMap<String, Vec<String>> = processes()
        .command(python)
        .arg(root().join("xtask/tests/it/end_to_end/leftovers.py").display().to_string())
        .args(["eu-west-1", "123456789012"])
        .environment(&sandbox.environment())
        .json()
        .unwrap();
    assert!(lists.len() > 40, "only {} lists", lists.len());
    let names = |(call, names): (String, Vec<String>)| {
        names.into_iter().map(move |name| format!("{call}: {name}")).collect::<Vec<_>>()
    };
    lists.into_iter().flat_map(names).collect()
}

/// What `bootstrap` makes belongs to the account and outlives its environments.
fn is_of_the_account(resource: &str) -> bool {
    const ROLES: [&str; 3] = ["-boundary", "-deploy", "-plan"];
    let is_identity = resource.starts_with("iam list_policies: supabase-")
        || resource.starts_with("iam list_roles: supabase-");
    resource.starts_with("s3 list_buckets: supabase-terraform-state-")
        || resource.starts_with("iam list_open_id_connect_providers: ")
            && resource.ends_with("token.actions.githubusercontent.com")
        || is_identity && ROLES.iter().any(|role| resource.contains(role))
}

/// Two environments came and went: the database's last snapshot of prod is all that they leave, and
/// the key that it is read with.
pub(super) fn nothing_is_left(before: &BTreeSet<String>, after: &BTreeSet<String>) {
    let left = after.difference(before).filter(|one| !is_of_the_account(one));
    let is_kept = |one: &&&String| {
        one.starts_with("rds describe_db_snapshots: supabase-prod-final-")
            || **one == "kms list_aliases: alias/supabase-prod-database"
            || one.starts_with("kms list_keys: ")
    };
    let (kept, lost): (Vec<_>, Vec<_>) = left.partition(|one| is_kept(&one));
    assert!(lost.is_empty(), "left behind: {lost:#?}");
    assert_eq!(kept.len(), 3, "the last snapshot of prod, its key and the key's alias: {kept:?}");
    tell("AWS, asked service by service, holds what it held before and prod's last snapshot");
}
