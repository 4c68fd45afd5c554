//! The bucket that holds Terraform's state: made when absent, brought into shape when present.

use anyhow::{Context, Result, anyhow, bail};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Cloud,
    s3::{parse, parse_error, refusal},
    signed::Call,
};
use crate::runtime::block_on;

/// How a bucket encrypts what it stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With keys that S3 keeps.
    Aes256,
    /// With a KMS key, by its ARN.
    Kms(String),
}

/// What had to be done to a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BucketReport {
    pub created: bool,
    /// What was set on a bucket that was there or that was just made; empty when it was in shape.
    pub changes: Vec<String>,
}

const XMLNS: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
const TLS_ONLY: &str = "TlsOnly";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VersioningConfiguration {
    status: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServerSideEncryptionConfiguration {
    #[serde(default)]
    rule: Vec<EncryptionRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EncryptionRule {
    apply_server_side_encryption_by_default: EncryptionDefault,
}

#[derive(Debug, Deserialize)]
struct EncryptionDefault {
    #[serde(rename = "SSEAlgorithm")]
    algorithm: String,
    #[serde(rename = "KMSMasterKeyID")]
    key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PublicAccessBlockConfiguration {
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

impl Cloud {
    /// Whether a bucket of that name exists and belongs to this account.
    ///
    /// # Errors
    /// When it belongs to another account or lies in another region, or S3 is not reached.
    pub fn bucket_exists(&self, name: &str) -> Result<bool> {
        block_on(async {
            let account = self.account().await?;
            self.head_bucket(name, &account).await
        })
    }

    /// Makes the bucket where there is none, in the region of this connection, and sees to
    /// versioning, encryption, no public access and TLS. Doing it again changes nothing.
    ///
    /// # Errors
    /// When the name is taken by another account or in another region, or S3 refuses.
    pub fn ensure_state_bucket(&self, name: &str, encryption: &Encryption) -> Result<BucketReport> {
        block_on(async {
            let account = self.account().await?;
            let mut report = BucketReport::default();
            if !self.head_bucket(name, &account).await? {
                report.created = self.create_bucket(name).await?;
            }
            let bucket = Bucket { cloud: self, name, account: &account };
            let changes = [
                bucket.block_public_access().await?,
                bucket.encrypt(encryption).await?,
                bucket.keep_versions().await?,
                bucket.refuse_plain_http().await?,
            ];
            report.changes = changes.into_iter().flatten().collect();
            Ok(report)
        })
    }

    pub(super) async fn head_bucket(&self, name: &str, account: &str) -> Result<bool> {
        let call = self.bucket_call("s3:HeadBucket", Method::HEAD, name, "").owned_by(account);
        let answer = self.send(&call).await?;
        let region = answer.headers.get("x-amz-bucket-region").and_then(|r| r.to_str().ok());
        match (answer.status, region) {
            (StatusCode::NOT_FOUND, _) => Ok(false),
            (StatusCode::FORBIDDEN, _) => bail!(
                "bucket `{name}` is not ours to use: it belongs to another account than {account}, or this identity has no right to s3:ListBucket on it"
            ),
            (_, Some(region)) if region != self.region() => bail!(
                "bucket `{name}` lies in region {region}, not in {}: name another bucket or region",
                self.region()
            ),
            (status, _) if status.is_success() => Ok(true),
            _ => Err(refusal(&call, &answer)),
        }
    }

    /// False when somebody made it in between.
    async fn create_bucket(&self, name: &str) -> Result<bool> {
        let mut call = self.bucket_call("s3:CreateBucket", Method::PUT, name, "");
        if self.region() != "us-east-1" {
            call = call.with_body(format!(
                "<CreateBucketConfiguration {XMLNS}><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
                self.region()
            ));
        }
        let answer = self.send(&call).await?;
        if answer.status.is_success() {
            return Ok(true);
        }
        match parse_error(&answer.body).code.as_str() {
            "BucketAlreadyOwnedByYou" => Ok(false),
            "BucketAlreadyExists" => Err(anyhow!(
                "bucket name `{name}` is taken by another account: names are shared by all of AWS"
            )),
            _ => Err(refusal(&call, &answer)),
        }
    }
}

/// A bucket whose parts are looked at and, where needed, set. Each function tells what it set.
struct Bucket<'a> {
    cloud: &'a Cloud,
    name: &'a str,
    account: &'a str,
}

impl Bucket<'_> {
    fn call(&self, name: &'static str, method: Method, part: &str) -> Call {
        self.cloud.bucket_call(name, method, self.name, part).owned_by(self.account)
    }

    async fn keep_versions(&self) -> Result<Option<String>> {
        let read = self.call("s3:GetBucketVersioning", Method::GET, "versioning");
        let now: VersioningConfiguration = parse(read.name, &self.cloud.s3(&read).await?.body)?;
        if now.status.as_deref() == Some("Enabled") {
            return Ok(None);
        }
        let write = self.call("s3:PutBucketVersioning", Method::PUT, "versioning").with_body(
            format!("<VersioningConfiguration {XMLNS}><Status>Enabled</Status></VersioningConfiguration>"),
        );
        self.cloud.s3(&write).await?;
        Ok(Some("switched versioning on".into()))
    }

    async fn encrypt(&self, wanted: &Encryption) -> Result<Option<String>> {
        let read = self.call("s3:GetEncryptionConfiguration", Method::GET, "encryption");
        let absent = "ServerSideEncryptionConfigurationNotFoundError";
        if let Some(body) = self.cloud.s3_optional(&read, absent).await? {
            let now: ServerSideEncryptionConfiguration = parse(read.name, &body)?;
            if now.rule.first().is_some_and(|rule| wanted.is(rule)) {
                return Ok(None);
            }
        }
        let write = self
            .call("s3:PutEncryptionConfiguration", Method::PUT, "encryption")
            .with_body(wanted.document());
        self.cloud.s3(&write).await?;
        Ok(Some(format!("set encryption with {}", wanted.name())))
    }

    async fn block_public_access(&self) -> Result<Option<String>> {
        let read = self.call("s3:GetBucketPublicAccessBlock", Method::GET, "publicAccessBlock");
        let absent = "NoSuchPublicAccessBlockConfiguration";
        if let Some(body) = self.cloud.s3_optional(&read, absent).await? {
            let now: PublicAccessBlockConfiguration = parse(read.name, &body)?;
            if now.block_public_acls
                && now.ignore_public_acls
                && now.block_public_policy
                && now.restrict_public_buckets
            {
                return Ok(None);
            }
        }
        let write = self
            .call("s3:PutBucketPublicAccessBlock", Method::PUT, "publicAccessBlock")
            .with_body(format!(
                "<PublicAccessBlockConfiguration {XMLNS}><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
            ));
        self.cloud.s3(&write).await?;
        Ok(Some("blocked public access".into()))
    }

    async fn refuse_plain_http(&self) -> Result<Option<String>> {
        let read = self.call("s3:GetBucketPolicy", Method::GET, "policy");
        let policy = self.cloud.s3_optional(&read, "NoSuchBucketPolicy").await?;
        let arn = format!("arn:{}:s3:::{}", self.cloud.partition(), self.name);
        let Some(wanted) = with_tls_statement(policy.as_deref(), &arn)
            .with_context(|| format!("failed to read the policy of bucket `{}`", self.name))?
        else {
            return Ok(None);
        };
        let mut write =
            self.call("s3:PutBucketPolicy", Method::PUT, "policy").with_body(wanted.to_string());
        write.headers.retain(|(name, _)| *name != "content-type");
        write.headers.push(("content-type", "application/json".into()));
        self.cloud.s3(&write).await?;
        Ok(Some("refused access without TLS".into()))
    }
}

/// The policy with the statement that refuses plain HTTP, or `None` when it is there already.
/// Other statements stay.
fn with_tls_statement(policy: Option<&str>, bucket_arn: &str) -> Result<Option<Value>> {
    let statement = json!({
        "Sid": TLS_ONLY,
        "Effect": "Deny",
        "Principal": { "AWS": "*" },
        "Action": "s3:*",
        "Resource": [bucket_arn, format!("{bucket_arn}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    let mut policy: Value = match policy {
        Some(text) => serde_json::from_str(text)?,
        None => json!({ "Version": "2012-10-17", "Statement": [] }),
    };
    let statements = policy
        .get_mut("Statement")
        .and_then(Value::as_array_mut)
        .context("it has no list `Statement`")?;
    if statements.iter().any(|old| is_same_refusal(old, &statement)) {
        return Ok(None);
    }
    statements.retain(|old| old.get("Sid").and_then(Value::as_str) != Some(TLS_ONLY));
    statements.push(statement);
    Ok(Some(policy))
}

/// Whether a statement means the same, whatever it is called: bootstrap's Terraform owns the policy
/// once it has run, and must not find it changed.
fn is_same_refusal(old: &Value, wanted: &Value) -> bool {
    let everyone = [&json!("*"), &json!({ "AWS": "*" })].contains(&&old["Principal"]);
    everyone
        && ["Effect", "Action", "Resource", "Condition"]
            .iter()
            .all(|part| old[*part] == wanted[*part])
}

impl Encryption {
    fn name(&self) -> &str {
        match self {
            Self::Aes256 => "AES256",
            Self::Kms(key) => key,
        }
    }

    fn is(&self, rule: &EncryptionRule) -> bool {
        let now = &rule.apply_server_side_encryption_by_default;
        match self {
            // S3 encrypts in any case; a key that somebody chose is no worse.
            Self::Aes256 => true,
            Self::Kms(key) => now.algorithm == "aws:kms" && now.key.as_ref() == Some(key),
        }
    }

    fn document(&self) -> String {
        let rule = match self {
            Self::Aes256 => "<SSEAlgorithm>AES256</SSEAlgorithm>".to_owned(),
            Self::Kms(key) => format!(
                "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{}</KMSMasterKeyID>",
                quick_xml::escape::escape(key)
            ),
        };
        format!(
            "<ServerSideEncryptionConfiguration {XMLNS}><Rule><ApplyServerSideEncryptionByDefault>{rule}</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>{}</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
            matches!(self, Self::Kms(_))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:s3:::state";

    #[test]
    fn the_tls_statement_is_added_once_and_others_stay() {
        let first = with_tls_statement(None, ARN).unwrap().unwrap().to_string();
        assert_eq!(with_tls_statement(Some(&first), ARN).unwrap(), None);
        let other = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Mine","Effect":"Allow"}]}"#;
        let both = with_tls_statement(Some(other), ARN).unwrap().unwrap();
        let sids: Vec<_> =
            both["Statement"].as_array().unwrap().iter().map(|s| &s["Sid"]).collect();
        assert_eq!(sids, ["Mine", TLS_ONLY]);
    }

    #[test]
    fn the_same_refusal_under_another_name_is_enough() {
        let theirs = with_tls_statement(None, ARN).unwrap().unwrap();
        for (sid, principal) in [("Mine", json!("*")), ("Other", json!({ "AWS": "*" }))] {
            let mut policy = theirs.clone();
            policy["Statement"][0]["Sid"] = json!(sid);
            policy["Statement"][0]["Principal"] = principal;
            assert_eq!(with_tls_statement(Some(&policy.to_string()), ARN).unwrap(), None);
        }
        let mut one_account = theirs;
        one_account["Statement"][0]["Principal"] = json!({ "AWS": "123456789012" });
        assert!(with_tls_statement(Some(&one_account.to_string()), ARN).unwrap().is_some());
    }

    #[test]
    fn a_weakened_tls_statement_is_replaced() {
        let weak = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{TLS_ONLY}","Effect":"Allow"}}]}}"#
        );
        let fixed = with_tls_statement(Some(&weak), ARN).unwrap().unwrap();
        assert_eq!(fixed["Statement"].as_array().unwrap().len(), 1);
        assert_eq!(fixed["Statement"][0]["Effect"], "Deny");
    }

    #[test]
    fn a_policy_without_statements_is_an_error() {
        assert!(with_tls_statement(Some("{}"), ARN).is_err());
        assert!(with_tls_statement(Some("no json"), ARN).is_err());
    }

    #[test]
    fn encryption_is_compared_by_key() {
        let body = "<ServerSideEncryptionConfiguration xmlns=\"x\"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>arn:a</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>";
        let now: ServerSideEncryptionConfiguration = parse("test", body).unwrap();
        assert!(Encryption::Kms("arn:a".into()).is(&now.rule[0]));
        assert!(!Encryption::Kms("arn:b".into()).is(&now.rule[0]));
        assert!(Encryption::Aes256.is(&now.rule[0]), "a chosen key stays");
    }
}
