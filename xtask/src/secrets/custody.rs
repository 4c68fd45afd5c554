//! Where a secret is kept, and under which key in every version that can still be read.
//!
//! SSM keeps old versions of a parameter under the key that each was written with. A value that was
//! ever stored under another key than the environment's can be read by whoever may use that one, so
//! a parameter is never overwritten to change its key: what is stored before the environment's key
//! exists waits under a name of its own, which is deleted with all its versions.

use xtask_cloud::ParameterVersion;
use xtask_tools::Secret;

/// The folder, below the environment's prefix, of values that wait for the environment's key.
const WAITING: &str = "pending";

/// Where a secret waits until the environment's key exists.
pub(crate) fn waiting_path(path: &str) -> String {
    format!("{WAITING}/{path}")
}

/// What has to happen so that `value` is stored under the environment's key and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Keep,
    Create,
    Overwrite,
    /// Delete it with all its versions, then create it.
    Recreate,
}

/// `versions`: everything that is stored under the secret's own name, the oldest first.
pub(crate) fn deed(value: &Secret, versions: &[ParameterVersion], key: &str) -> Deed {
    let Some(current) = versions.last() else { return Deed::Create };
    let same = |version: &ParameterVersion| version.value.expose() == value.expose();
    let is_elsewhere = |version: &ParameterVersion| version.key_id.as_deref() != Some(key);
    if versions.iter().any(|version| is_elsewhere(version) && same(version)) {
        Deed::Recreate
    } else if same(current) {
        Deed::Keep
    } else {
        Deed::Overwrite
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/ours";
    const OTHER: &str = "alias/aws/ssm";

    fn decided(versions: &[(&str, &str)]) -> Deed {
        let versions: Vec<_> = versions
            .iter()
            .map(|(value, key)| ParameterVersion {
                value: Secret::new(*value),
                key_id: Some((*key).to_owned()),
            })
            .collect();
        deed(&Secret::new("live"), &versions, KEY)
    }

    #[test]
    fn a_value_under_the_environments_key_alone_is_kept() {
        assert_eq!(decided(&[("live", KEY)]), Deed::Keep);
        assert_eq!(decided(&[("old", KEY), ("live", KEY)]), Deed::Keep);
        assert_eq!(decided(&[]), Deed::Create);
    }

    #[test]
    fn no_readable_version_under_another_key_holds_the_live_value() {
        assert_eq!(decided(&[("live", OTHER)]), Deed::Recreate);
        assert_eq!(decided(&[("live", OTHER), ("live", KEY)]), Deed::Recreate);
        assert_eq!(decided(&[("live", OTHER), ("old", KEY)]), Deed::Recreate);
    }

    #[test]
    fn what_an_old_version_holds_does_not_matter_once_it_opens_nothing() {
        assert_eq!(decided(&[("old", OTHER), ("live", KEY)]), Deed::Keep);
        assert_eq!(decided(&[("old", OTHER)]), Deed::Overwrite);
    }
}
