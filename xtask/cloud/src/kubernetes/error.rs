//! What the Kubernetes API and its client report, as sentences.

use anyhow::anyhow;
use kube::{Error, core::Status, runtime::watcher};

use crate::text::chain;

/// `action` is a fragment: "failed to read Secret `a/b`".
pub(super) fn explain(action: &str, error: Error) -> anyhow::Error {
    match error {
        Error::Api(status) => anyhow!("{action}: {}", refusal(&status)),
        Error::Auth(error) => {
            anyhow!("{action}: the login to the cluster failed: {}", chain(&error))
        }
        Error::Service(error) => {
            anyhow!("{action}: failed to reach the Kubernetes API: {}", chain(error.as_ref()))
        }
        Error::HyperError(error) => {
            anyhow!("{action}: the connection to the Kubernetes API broke: {}", chain(&error))
        }
        error => anyhow!("{action}: {}", chain(&error)),
    }
}

fn refusal(status: &Status) -> String {
    let said = match (status.message.as_str(), status.reason.as_str()) {
        ("", "") => format!("status {}", status.code),
        ("", reason) => reason.to_owned(),
        (message, _) => message.to_owned(),
    };
    match status.code {
        401 => format!(
            "the cluster does not know this identity ({said}): give the role that runs this an access entry of the cluster"
        ),
        403 => format!("not allowed ({said})"),
        _ => said,
    }
}

pub(super) fn status(error: &Error) -> Option<&Status> {
    match error {
        Error::Api(status) => Some(status),
        _ => None,
    }
}

pub(super) fn is_not_found(error: &Error) -> bool {
    status(error).is_some_and(|status| status.code == 404)
}

/// Why a watch does not run, and whether it will not run later either.
pub(super) fn explain_watch(what: &str, error: watcher::Error) -> (anyhow::Error, bool) {
    let action = format!("failed to watch {what}");
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => {
            let refused = status(&error).is_some_and(|status| matches!(status.code, 401 | 403));
            (explain(&action, error), refused)
        }
        watcher::Error::WatchError(status) => (anyhow!("{action}: {}", refusal(&status)), false),
        error => (anyhow!("{action}: {}", chain(&error)), false),
    }
}
