//! Whether the credentials at hand are for the account that an environment lives in.

use xtask_cloud::Identity;

use crate::config::{DOCUMENTATION_ACCOUNT, Environment};

/// Why they are not, in one sentence with the remedy; nothing when they are.
pub(crate) fn mismatch(environment: &Environment, identity: &Identity) -> Option<String> {
    let (expected, account) = (&environment.account_id, &identity.account);
    if account == expected {
        return None;
    }
    let file = format!("terraform/environments/{}.tfvars", environment.name);
    if expected == DOCUMENTATION_ACCOUNT {
        return Some(format!(
            "{file}: `account_id` still is {expected}, the account of AWS's documentation; write your own \
             (your credentials are for {account})"
        ));
    }
    Some(format!(
        "your AWS credentials are for account {account}, but {file} says {expected}; choose the other profile \
         (AWS_PROFILE) or correct `account_id`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::repository;

    fn told(expected: &str, account: &str) -> Option<String> {
        let mut environment = Environment::load(&repository(), "dev").unwrap();
        environment.account_id = expected.to_owned();
        let identity = Identity {
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:root"),
            user_id: String::new(),
            expires: None,
        };
        mismatch(&environment, &identity)
    }

    #[test]
    fn another_account_is_named_with_both_remedies() {
        assert_eq!(told("210987654321", "210987654321"), None);
        let text = told("210987654321", "345678901234").unwrap();
        for part in ["210987654321", "345678901234", "AWS_PROFILE", "dev.tfvars"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_placeholder_is_not_called_another_account() {
        let text = told(DOCUMENTATION_ACCOUNT, "345678901234").unwrap();
        assert!(text.contains("write your own"), "{text}");
        assert!(!text.contains("AWS_PROFILE"), "{text}");
    }
}
