//! What AWS and its SDK report, as sentences with a remedy.

use std::error::Error;

use anyhow::anyhow;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ssm::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::text::chain;

const LOG_IN: &str = "log in again (`aws sso login`, or new keys in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN)";

/// Why there are no credentials.
pub(super) fn credentials(error: &CredentialsError) -> anyhow::Error {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => anyhow!(
            "no AWS credentials found: set AWS_PROFILE to a profile of ~/.aws/config (and run `aws sso login`), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ),
        CredentialsError::InvalidConfiguration(_) => {
            anyhow!("the AWS configuration cannot be used: {}", chain(error))
        }
        CredentialsError::ProviderTimedOut(_) => {
            anyhow!("the source of the AWS credentials did not answer in time: {}", chain(error))
        }
        _ => anyhow!("failed to get AWS credentials: {}; {LOG_IN}", chain(error)),
    }
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
            anyhow!("the AWS credentials have expired ({call}): {LOG_IN}")
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "AuthFailure" => {
            anyhow!("AWS does not know these credentials ({call}, {said}): {LOG_IN}")
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
        let text = credentials(&CredentialsError::not_loaded_no_source()).to_string();
        assert!(text.starts_with("no AWS credentials found: set AWS_PROFILE"), "{text}");
    }
}
