//! The environment variables that a run starts with: an empty one counts as not set.
//!
//! A workflow writes empty variables all the time (`AWS_ENDPOINT_URL: ${{ vars.X }}`), and every
//! client has an opinion of its own: Terraform passes over them, the AWS SDK refuses an empty
//! profile and panics on an empty endpoint, an empty AWS_REGION hides AWS_DEFAULT_REGION. So they
//! are taken out once, before anybody reads them: the process replaces itself.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::process::CommandExt as _,
};

/// Starts this program anew without empty variables, where there are any; returns otherwise.
///
/// # Errors
/// When the system refuses to start it.
pub(crate) fn take_out_empty_variables() -> io::Result<()> {
    let empty: Vec<OsString> = env::vars_os()
        .filter(|(name, value)| counts_as_unset(name, value))
        .map(|it| it.0)
        .collect();
    if empty.is_empty() {
        return Ok(());
    }
    let mut arguments = env::args_os();
    #[expect(clippy::disallowed_methods, reason = "replaces this process; it is no child")]
    let mut again = std::process::Command::new(env::current_exe()?);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    again.args(arguments);
    for name in empty {
        again.env_remove(name);
    }
    Err(again.exec())
}

fn counts_as_unset(name: &OsStr, value: &OsStr) -> bool {
    let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { return false };
    let is_read = name.starts_with("AWS_")
        || name.to_ascii_uppercase().ends_with("_PROXY")
        || ["GITHUB_TOKEN", "GH_TOKEN", "KUBECONFIG", "SSL_CERT_FILE", "TMPDIR"].contains(&name);
    is_read && value.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_clients_read_and_only_when_it_is_empty() {
        let unset = |name: &str, value: &str| counts_as_unset(name.as_ref(), value.as_ref());
        for name in ["AWS_PROFILE", "AWS_ENDPOINT_URL_STS", "https_proxy", "NO_PROXY", "GH_TOKEN"] {
            assert!(unset(name, "") && unset(name, " "), "{name}");
            assert!(!unset(name, "x"), "{name}");
        }
        assert!(!unset("TF_CLI_ARGS", "") && !unset("MY_VARIABLE", ""));
    }
}
