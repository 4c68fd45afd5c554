//! What AWS and its SDK report, as sentences with a remedy.

use std::{error::Error, fmt};

use anyhow::anyhow;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ssm::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::text::chain;

/// There are no credentials that work: who asks needs others, and nothing is wrong with the request.
#[derive(Debug)]
pub struct NoCredentials(String);

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NoCredentials {}

const LOG_IN: &str = "log in again (`aws sso login`, or new keys in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN)";

/// Why there are no credentials.
///
/// `profile`: the one that was asked for by name.
pub(super) fn credentials(error: &CredentialsError, profile: Option<&str>) -> anyhow::Error {
    let of = profile.map(|name| format!(" of profile `{name}` (AWS_PROFILE)")).unwrap_or_default();
    let text = match error {
        CredentialsError::CredentialsNotLoaded(_) if profile.is_some() => format!(
            "no AWS credentials{of} found: write them into ~/.aws/config or ~/.aws/credentials, run `aws sso login`, or choose another profile"
        ),
        CredentialsError::CredentialsNotLoaded(_) => {
            "no AWS credentials found: set AWS_PROFILE to a profile of ~/.aws/config (and run `aws sso login`), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()
        }
        CredentialsError::InvalidConfiguration(_) => {
            format!("the AWS configuration{of} cannot be used: {}", chain(error))
        }
        CredentialsError::ProviderTimedOut(_) => format!(
            "the source of the AWS credentials{of} did not answer in time: {}",
            chain(error)
        ),
        _ => format!("failed to get the AWS credentials{of}: {}; {LOG_IN}", chain(error)),
    };
    NoCredentials(text).into()
}

/// Why a call of the SDK failed. `call` is the field's own name: `ssm:PutParameter`.
pub(super) fn sdk<E>(call: &str, error: &SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(service) = error.as_service_error() {
        let code = service.code().unwrap_or("an unnamed error");
        return answer(call, code, service.message().unwrap_or_default());
    }
    match error {
        SdkError::TimeoutError(_) => anyhow!("AWS did not answer {call} in time"),
        SdkError::DispatchFailure(_) => anyhow!("failed to reach AWS for {call}: {}", chain(error)),
        _ => anyhow!("{call} failed: {}", chain(error)),
    }
}

/// Why a service refused.
pub(super) fn answer(call: &str, code: &str, message: &str) -> anyhow::Error {
    let said = if message.is_empty() { code.to_owned() } else { format!("{code}: {message}") };
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            NoCredentials(format!("the AWS credentials have expired ({call}): {LOG_IN}")).into()
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "AuthFailure" => {
            NoCredentials(format!("AWS does not know these credentials ({call}, {said}): {LOG_IN}"))
                .into()
        }
        "SignatureDoesNotMatch" | "RequestTimeTooSkewed" | "InvalidSignatureException" => anyhow!(
            "AWS refused the signature of {call} ({said}): check AWS_SECRET_ACCESS_KEY and the clock of this machine"
        ),
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => anyhow!(
            "not allowed to call {call} ({said}): the identity that `aws sts get-caller-identity` shows needs this permission"
        ),
        _ => anyhow!("{call} failed ({said})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_its_remedy() {
        let told = |code| answer("sts:GetCallerIdentity", code, "why").to_string();
        assert!(
            told("ExpiredToken").contains("have expired")
                && told("ExpiredToken").contains("log in")
        );
        assert!(told("InvalidClientTokenId").contains("does not know"));
        assert!(told("AccessDenied").contains("needs this permission"));
        assert!(told("RequestTimeTooSkewed").contains("clock"));
        assert_eq!(told("Other"), "sts:GetCallerIdentity failed (Other: why)");
    }

    #[test]
    fn missing_credentials_say_where_to_put_them() {
        let told = |profile| {
            let error = credentials(&CredentialsError::not_loaded_no_source(), profile);
            assert!(error.is::<NoCredentials>());
            error.to_string()
        };
        assert!(told(None).starts_with("no AWS credentials found: set AWS_PROFILE"));
        assert!(told(Some("team")).contains("of profile `team` (AWS_PROFILE) found"));
    }
}
