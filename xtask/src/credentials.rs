//! One identity for a whole run: what the runner found out is what Terraform and Helm use.
//!
//! Every SDK walks its own chain from variables over profiles to the machine's role, and they
//! disagree: with `credential_process` in one file and keys in the other, the runner takes the
//! process and Terraform the keys. Preflight would vouch for an identity that nothing uses. So the
//! children are given one profile whose credentials come from this program. Keys in the environment
//! come first in every chain and stay as they are.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use xtask_cloud::Cloud;

/// The profile's name in the children's files.
const PROFILE: &str = "xtask";

/// What decides in a chain before a profile, or chooses it: kept for this program, not for children.
const CHOICES: [&str; 6] = [
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
];

/// Settings of the chosen profile that are no credentials; the children lose sight of it.
const SETTINGS: [&str; 7] = [
    "endpoint_url",
    "ca_bundle",
    "use_fips_endpoint",
    "use_dualstack_endpoint",
    "sts_regional_endpoints",
    "max_attempts",
    "retry_mode",
];

/// Variables that give a child the identity of `cloud`; none where the environment has keys.
///
/// # Errors
/// When the profile cannot be written below `folder`.
pub(crate) fn for_children(
    cloud: &Cloud,
    folder: &Path,
) -> anyhow::Result<BTreeMap<String, String>> {
    if cloud.has_keys_in_environment() {
        return Ok(BTreeMap::new());
    }
    let program = std::env::current_exe().context("failed to find the runner's own binary")?;
    let chosen: Vec<(&str, Option<String>)> = CHOICES
        .iter()
        .map(|name| (*name, std::env::var(name).ok().filter(|value| !value.is_empty())))
        .collect();
    let command = command_line(&program, cloud.region(), &chosen)?;
    let mut profile = format!("[profile {PROFILE}]\ncredential_process = {command}\n");
    for key in SETTINGS {
        if let Some(value) = cloud.profile_setting(key) {
            let _ = writeln!(profile, "{key} = {value}");
        }
    }
    let folder = folder.join("aws");
    let write = |name: &str, text: &str| -> anyhow::Result<PathBuf> {
        let path = folder.join(name);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("failed to write `{}`", path.display()))?;
        Ok(path)
    };
    let (config, keys) = (write("config", &profile)?, write("credentials", "")?);
    Ok(BTreeMap::from([
        ("AWS_PROFILE".to_owned(), PROFILE.to_owned()),
        ("AWS_CONFIG_FILE".to_owned(), config.display().to_string()),
        ("AWS_SHARED_CREDENTIALS_FILE".to_owned(), keys.display().to_string()),
        // Empty is unset to all of them. The role of a token would come before the profile.
        ("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(), String::new()),
        ("AWS_ROLE_ARN".to_owned(), String::new()),
    ]))
}

/// This program as it was called, asked for its credentials.
fn command_line(
    program: &Path,
    region: &str,
    chosen: &[(&str, Option<String>)],
) -> anyhow::Result<String> {
    let mut words = vec!["env".to_owned()];
    for (name, _) in chosen.iter().filter(|(_, value)| value.is_none()) {
        words.extend(["-u".to_owned(), (*name).to_owned()]);
    }
    words.extend(
        chosen.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?))),
    );
    words.extend([
        program.display().to_string(),
        "aws-credentials".to_owned(),
        "--region".to_owned(),
        region.to_owned(),
    ]);
    shlex::try_join(words.iter().map(String::as_str))
        .context("failed to write the command that gives children their credentials")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_sees_the_choices_that_this_run_was_started_with() {
        let chosen = [("AWS_PROFILE", Some("team a".to_owned())), ("AWS_ROLE_ARN", None)];
        let line = command_line(Path::new("/opt/x task"), "eu-west-1", &chosen).unwrap();
        assert_eq!(
            shlex::split(&line).unwrap(),
            [
                "env",
                "-u",
                "AWS_ROLE_ARN",
                "AWS_PROFILE=team a",
                "/opt/x task",
                "aws-credentials",
                "--region",
                "eu-west-1"
            ]
        );
    }
}
