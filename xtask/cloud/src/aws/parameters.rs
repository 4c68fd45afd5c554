//! Parameters of the SSM parameter store.
//!
//! Invariant: a value enters and leaves as [`Secret`] and never stands in an error: what SSM says
//! about a write is redacted with the value that was written.

use std::time::SystemTime;

use anyhow::{Result, anyhow};
use aws_sdk_ssm::{
    error::{ProvideErrorMetadata, SdkError},
    operation::put_parameter::PutParameterError,
    types::{ParameterHistory, ParameterMetadata, ParameterStringFilter, ParameterType},
};
use serde::Serialize;
use xtask_tools::{Redactor, Secret};

use super::{Cloud, error};
use crate::runtime::block_on;

/// A parameter with its value.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    pub value: Secret,
    /// Counts up from 1 with every write.
    pub version: i64,
}

/// A parameter without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParameterDescription {
    pub name: String,
    pub version: i64,
    /// The KMS key that encrypts it, as it was named on writing; absent for a plain string.
    pub key_id: Option<String>,
    pub last_modified: Option<SystemTime>,
}

/// One version of a parameter. SSM keeps the last hundred, each readable under the key that it was
/// written with.
#[derive(Debug, Clone)]
pub struct ParameterVersion {
    pub value: Secret,
    /// The KMS key that encrypts this version, as it was named on writing.
    pub key_id: Option<String>,
}

/// What a write of a parameter came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    Created {
        version: i64,
    },
    Overwritten {
        version: i64,
    },
    /// It was there before and has been left alone.
    Kept,
}

/// The most names that `ssm:DeleteParameters` takes at once.
const DELETE_BATCH: usize = 10;

impl Cloud {
    /// One parameter, decrypted; `None` when there is none of that name.
    ///
    /// # Errors
    /// When SSM refuses or is not reached.
    pub fn parameter(&self, name: &str) -> Result<Option<Parameter>> {
        block_on(async {
            self.credentials().await?;
            let sent = self.ssm().get_parameter().name(name).with_decryption(true).send().await;
            match sent {
                Ok(answer) => answer.parameter.map(parameter).transpose(),
                Err(failure)
                    if failure
                        .as_service_error()
                        .is_some_and(|error| error.is_parameter_not_found()) =>
                {
                    Ok(None)
                }
                Err(failure) => Err(error::sdk(&format!("ssm:GetParameter for {name}"), &failure)),
            }
        })
    }

    /// All parameters below `path`, decrypted, ordered by name.
    ///
    /// # Errors
    /// When SSM refuses or is not reached.
    pub fn parameters_by_path(&self, path: &str) -> Result<Vec<Parameter>> {
        block_on(async {
            self.credentials().await?;
            let mut pages = self
                .ssm()
                .get_parameters_by_path()
                .path(path)
                .recursive(true)
                .with_decryption(true)
                .into_paginator()
                .send();
            let mut found = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|failure| {
                    error::sdk(&format!("ssm:GetParametersByPath for {path}"), &failure)
                })?;
                for raw in page.parameters.unwrap_or_default() {
                    found.push(parameter(raw)?);
                }
            }
            found.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(found)
        })
    }

    /// Names, versions and keys of all parameters below `path`, ordered by name.
    ///
    /// # Errors
    /// When SSM refuses or is not reached.
    pub fn describe_parameters(&self, path: &str) -> Result<Vec<ParameterDescription>> {
        block_on(self.describe(path))
    }

    async fn describe(&self, path: &str) -> Result<Vec<ParameterDescription>> {
        self.credentials().await?;
        let filter = ParameterStringFilter::builder()
            .key("Path")
            .option("Recursive")
            .values(path)
            .build()
            .map_err(|error| anyhow!("failed to ask for the parameters below {path}: {error}"))?;
        let mut pages =
            self.ssm().describe_parameters().parameter_filters(filter).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failure| {
                error::sdk(&format!("ssm:DescribeParameters for {path}"), &failure)
            })?;
            found.extend(page.parameters.unwrap_or_default().into_iter().filter_map(described));
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Every version of a parameter that SSM still has, decrypted, the oldest first; none when there
    /// is no parameter of that name.
    ///
    /// # Errors
    /// When SSM refuses or is not reached.
    pub fn parameter_versions(&self, name: &str) -> Result<Vec<ParameterVersion>> {
        block_on(async {
            self.credentials().await?;
            let history = self.ssm().get_parameter_history().name(name).with_decryption(true);
            let mut pages = history.into_paginator().send();
            let mut found = Vec::new();
            while let Some(page) = pages.next().await {
                let page = match page {
                    Ok(page) => page,
                    Err(failure)
                        if failure
                            .as_service_error()
                            .is_some_and(|error| error.is_parameter_not_found()) =>
                    {
                        break;
                    }
                    Err(failure) => {
                        let call = format!("ssm:GetParameterHistory for {name}");
                        return Err(error::sdk(&call, &failure));
                    }
                };
                found.extend(page.parameters.unwrap_or_default());
            }
            found.sort_by_key(|one| one.version);
            Ok(found.into_iter().filter_map(version).collect())
        })
    }

    /// Writes a SecureString unless there is a parameter of that name. `key_id`: ID, ARN or alias
    /// of a KMS key; the account's own `aws/ssm` without one.
    ///
    /// # Errors
    /// When SSM refuses or is not reached.
    pub fn put_parameter_if_absent(
        &self,
        name: &str,
        value: &Secret,
        key_id: Option<&str>,
    ) -> Result<Written> {
        block_on(async {
            match self.put(name, value, key_id, false).await? {
                Ok(version) => Ok(Written::Created { version }),
                Err(failure) if already_exists(&failure) => Ok(Written::Kept),
                Err(failure) => Err(refused(name, value, &failure)),
            }
        })
    }

    /// Writes a SecureString over what is there.
    ///
    /// # Errors
    /// When SSM refuses or is not reached.
    pub fn overwrite_parameter(
        &self,
        name: &str,
        value: &Secret,
        key_id: Option<&str>,
    ) -> Result<Written> {
        block_on(async {
            match self.put(name, value, key_id, true).await? {
                Ok(1) => Ok(Written::Created { version: 1 }),
                Ok(version) => Ok(Written::Overwritten { version }),
                Err(failure) => Err(refused(name, value, &failure)),
            }
        })
    }

    async fn put(
        &self,
        name: &str,
        value: &Secret,
        key_id: Option<&str>,
        overwrite: bool,
    ) -> Result<Result<i64, PutFailure>> {
        self.credentials().await?;
        let sent = self
            .ssm()
            .put_parameter()
            .name(name)
            .value(value.expose())
            .r#type(ParameterType::SecureString)
            .set_key_id(key_id.map(str::to_owned))
            .overwrite(overwrite)
            .send()
            .await;
        Ok(sent.map(|answer| answer.version))
    }

    /// Deletes all parameters below `path`; returns their names.
    ///
    /// # Errors
    /// When SSM refuses, is not reached, or leaves one of them.
    pub fn delete_parameters_by_path(&self, path: &str) -> Result<Vec<String>> {
        block_on(async {
            let names: Vec<String> =
                self.describe(path).await?.into_iter().map(|found| found.name).collect();
            self.delete(&names).await?;
            // A name that SSM calls invalid was deleted by somebody else in between, or is still
            // there: looking once more tells which.
            let left = self.describe(path).await?;
            anyhow::ensure!(
                left.is_empty(),
                "ssm:DeleteParameters left {}",
                left.iter().map(|found| found.name.as_str()).collect::<Vec<_>>().join(", ")
            );
            Ok(names)
        })
    }

    /// Deletes parameters with all their versions; one that is not there is none to delete.
    ///
    /// # Errors
    /// When SSM refuses or is not reached.
    pub fn delete_parameters(&self, names: &[String]) -> Result<()> {
        block_on(self.delete(names))
    }

    async fn delete(&self, names: &[String]) -> Result<()> {
        self.credentials().await?;
        for batch in names.chunks(DELETE_BATCH) {
            self.ssm()
                .delete_parameters()
                .set_names(Some(batch.to_vec()))
                .send()
                .await
                .map_err(|failure| error::sdk("ssm:DeleteParameters", &failure))?;
        }
        Ok(())
    }
}

type PutFailure = SdkError<PutParameterError, aws_sdk_ssm::config::http::HttpResponse>;

fn already_exists(failure: &PutFailure) -> bool {
    failure.as_service_error().is_some_and(PutParameterError::is_parameter_already_exists)
}

fn refused(name: &str, value: &Secret, failure: &PutFailure) -> anyhow::Error {
    let call = format!("ssm:PutParameter for {name}");
    let told = error::sdk(&call, failure);
    let redactor = Redactor::new();
    match redactor.register(value) {
        Ok(()) => anyhow!("{}", redactor.redact(&told.to_string())),
        // Too short to be found in a text: then nothing of the text is passed on.
        Err(_) => {
            let code = failure.as_service_error().and_then(|error| error.code());
            anyhow!("{call} failed ({})", code.unwrap_or("no answer"))
        }
    }
}

fn parameter(raw: aws_sdk_ssm::types::Parameter) -> Result<Parameter> {
    match (raw.name, raw.value) {
        (Some(name), Some(value)) => {
            Ok(Parameter { name, value: Secret::new(value), version: raw.version })
        }
        (name, _) => Err(anyhow!(
            "SSM answered without a value for parameter `{}`",
            name.unwrap_or_default()
        )),
    }
}

fn described(raw: ParameterMetadata) -> Option<ParameterDescription> {
    Some(ParameterDescription {
        name: raw.name?,
        version: raw.version,
        key_id: raw.key_id,
        last_modified: raw.last_modified_date.and_then(|date| SystemTime::try_from(date).ok()),
    })
}

fn version(raw: ParameterHistory) -> Option<ParameterVersion> {
    Some(ParameterVersion { value: Secret::new(raw.value?), key_id: raw.key_id })
}
