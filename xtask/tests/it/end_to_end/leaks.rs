//! The search for secrets in all that a run left behind.

use std::fs;

use xtask_tools::{Redactor, Secret};

use super::sandbox::{Sandbox, files, tell};

/// Looks for every stored secret, in every form.
pub(super) fn no_secret_leaks(sandbox: &Sandbox, environment: &str) {
    let secrets = secrets(sandbox, environment);
    assert!(secrets.len() >= 15, "{environment} has only {} secrets", secrets.len());
    let redactor = knowing(&secrets);
    let folder = sandbox.runs().join(environment);
    let mut looked_at = 0;
    for file in files(&folder) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!redactor.reveals(&text), "{} holds a secret", file.display());
        looked_at += 1;
    }
    assert!(looked_at > 10, "only {looked_at} files in {}", folder.display());
    let state = sandbox.terraform_state(environment);
    assert!(state.contains("aws_db_instance"), "the state is empty");
    assert!(!redactor.reveals(&state), "the state of {environment} holds a secret");
    tell(&format!(
        "{} secrets of {environment} are in none of {looked_at} files and not in the state",
        secrets.len()
    ));
}

/// No version of a secret can be read under another key than the environment's, and none still waits
/// for that key.
pub(super) fn secrets_have_one_key(sandbox: &Sandbox, environment: &str) {
    let (cloud, prefix) = (sandbox.cloud(), format!("/{environment}/supabase"));
    let described = cloud.describe_parameters(&prefix).unwrap();
    let signing = format!("{prefix}/jwt/secret");
    let key = described.iter().find(|one| one.name == signing).unwrap().key_id.clone();
    assert!(key.as_ref().is_some_and(|key| key.starts_with("arn:aws:kms:")), "{key:?}");
    for secret in described.iter().filter(|one| one.key_id.is_some()) {
        let versions = cloud.parameter_versions(&secret.name).unwrap();
        let is_exposed = versions.iter().any(|version| version.key_id != key);
        assert!(!is_exposed, "a version of {} is under another key", secret.name);
        assert!(!secret.name.contains("/pending/"), "{} still waits", secret.name);
    }
}

/// Whether a text holds a stored secret, in any form.
pub(super) fn reveals_a_secret(sandbox: &Sandbox, environment: &str, text: &str) -> bool {
    knowing(&secrets(sandbox, environment)).reveals(text)
}

fn knowing(secrets: &[Secret]) -> Redactor {
    let redactor = Redactor::new();
    for secret in secrets {
        redactor.register(secret).unwrap();
    }
    redactor
}

fn secrets(sandbox: &Sandbox, environment: &str) -> Vec<Secret> {
    // Terraform's plain parameters lie below the same prefix.
    const PLAIN: [&str; 6] =
        ["/cluster/name", "/host", "/identifier", "/database/name", "/port", "/bucket"];
    let is_secret =
        |name: &str| !name.ends_with("/username") && !PLAIN.iter().any(|end| name.ends_with(end));
    let stored = sandbox.cloud().parameters_by_path(&format!("/{environment}/supabase")).unwrap();
    stored.into_iter().filter(|one| is_secret(&one.name)).map(|one| one.value).collect()
}
