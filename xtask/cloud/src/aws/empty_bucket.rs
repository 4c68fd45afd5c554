//! Empties a bucket for tear-down: every version, every delete marker, every unfinished upload.

use std::time::Instant;

use anyhow::{Result, bail};
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::{Cloud, s3::parse};
use crate::{
    Wait,
    runtime::{block_on, ensure_in_time},
};

/// What was taken out of a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Emptied {
    pub versions: u64,
    pub delete_markers: u64,
    pub uploads: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ListVersionsResult {
    version: Vec<VersionEntry>,
    delete_marker: Vec<VersionEntry>,
}

#[derive(Debug, Clone, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
struct VersionEntry {
    key: String,
    version_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename = "Delete", rename_all = "PascalCase")]
struct DeleteRequest<'a> {
    quiet: bool,
    object: Vec<&'a VersionEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DeleteResult {
    error: Vec<DeleteError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteError {
    key: String,
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ListMultipartUploadsResult {
    upload: Vec<Upload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
}

impl Cloud {
    /// Takes everything out of a bucket. A bucket that is not there counts as empty.
    ///
    /// # Errors
    /// When S3 keeps an object (a lock, a missing right), the deadline passes or the person asks
    /// to stop; what was deleted until then stays deleted, and a second run goes on.
    pub fn empty_bucket(&self, name: &str, wait: &Wait<'_>) -> Result<Emptied> {
        block_on(async {
            let account = self.account().await?;
            let mut emptied = Emptied::default();
            while self.delete_some_versions(name, &account, &mut emptied).await? {
                report(name, &emptied, wait)?;
            }
            while self.abort_some_uploads(name, &account, &mut emptied).await? {
                report(name, &emptied, wait)?;
            }
            Ok(emptied)
        })
    }

    /// Always asks for the first page: what it showed before is gone. False when it is empty.
    async fn delete_some_versions(
        &self,
        bucket: &str,
        account: &str,
        emptied: &mut Emptied,
    ) -> Result<bool> {
        let list = self
            .bucket_call("s3:ListBucketVersions", Method::GET, bucket, "versions&max-keys=1000")
            .owned_by(account);
        let Some(body) = self.s3_optional(&list, "NoSuchBucket").await? else { return Ok(false) };
        let page: ListVersionsResult = parse(list.name, &body)?;
        let entries: Vec<&VersionEntry> = page.version.iter().chain(&page.delete_marker).collect();
        if entries.is_empty() {
            return Ok(false);
        }
        let body = quick_xml::se::to_string(&DeleteRequest { quiet: true, object: entries })?;
        let delete = self
            .bucket_call("s3:DeleteObjectVersion", Method::POST, bucket, "delete")
            .owned_by(account)
            .with_body(body);
        let result: DeleteResult = parse(delete.name, &self.s3(&delete).await?.body)?;
        if let Some(error) = result.error.first() {
            bail!(
                "bucket `{bucket}` keeps {} of its objects, the first is `{}` ({}: {})",
                result.error.len(),
                error.key,
                error.code,
                error.message
            );
        }
        emptied.versions += page.version.len() as u64;
        emptied.delete_markers += page.delete_marker.len() as u64;
        Ok(true)
    }

    async fn abort_some_uploads(
        &self,
        bucket: &str,
        account: &str,
        emptied: &mut Emptied,
    ) -> Result<bool> {
        let list = self
            .bucket_call("s3:ListBucketMultipartUploads", Method::GET, bucket, "uploads")
            .owned_by(account);
        let Some(body) = self.s3_optional(&list, "NoSuchBucket").await? else { return Ok(false) };
        let page: ListMultipartUploadsResult = parse(list.name, &body)?;
        for upload in &page.upload {
            let mut abort = self
                .bucket_call("s3:AbortMultipartUpload", Method::DELETE, bucket, "")
                .owned_by(account);
            abort.url = object_url(&abort.url, &upload.key, &upload.upload_id);
            self.s3_optional(&abort, "NoSuchUpload").await?;
            emptied.uploads += 1;
        }
        Ok(!page.upload.is_empty())
    }
}

/// What S3 leaves as it is when it checks a signature over a path or a query.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The URL of an upload: the key's parts are encoded each, the slashes between them stay.
fn object_url(bucket_url: &str, key: &str, upload_id: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let path: Vec<String> = key.split('/').map(encode).collect();
    let base = bucket_url.trim_end_matches('/');
    format!("{base}/{}?uploadId={}", path.join("/"), encode(upload_id))
}

fn report(bucket: &str, emptied: &Emptied, wait: &Wait<'_>) -> Result<()> {
    let done = emptied.versions + emptied.delete_markers + emptied.uploads;
    let seen = format!("{done} objects deleted from bucket `{bucket}`");
    (wait.progress)(&seen);
    ensure_in_time(wait, Instant::now(), &format!("bucket `{bucket}` to be empty"), &seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_and_markers_in_any_order() {
        let page: ListVersionsResult = parse(
            "test",
            "<ListVersionsResult><Name>b</Name>\
             <Version><Key>a&amp;b</Key><VersionId>1</VersionId><IsLatest>true</IsLatest></Version>\
             <DeleteMarker><Key>c</Key><VersionId>2</VersionId></DeleteMarker>\
             <Version><Key>d</Key><VersionId>null</VersionId></Version></ListVersionsResult>",
        )
        .unwrap();
        let keys: Vec<_> = page.version.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!((keys, page.delete_marker.len()), (vec!["a&b", "d"], 1));
    }

    #[test]
    fn writes_keys_escaped() {
        let entry = VersionEntry { key: "a<&\">b".into(), version_id: Some("1".into()) };
        let text = quick_xml::se::to_string(&DeleteRequest { quiet: true, object: vec![&entry] });
        let text = text.unwrap();
        assert!(text.starts_with("<Delete><Quiet>true</Quiet><Object><Key>a&lt;&amp;"), "{text}");
        assert!(text.ends_with("<VersionId>1</VersionId></Object></Delete>"), "{text}");
    }

    #[test]
    fn an_upload_url_keeps_the_slashes_of_the_key() {
        let url = object_url("http://127.0.0.1:5000/bucket", "a b/c?d", "id+1");
        assert_eq!(url, "http://127.0.0.1:5000/bucket/a%20b/c%3Fd?uploadId=id%2B1");
        let url = object_url("https://bucket.s3.eu-west-1.amazonaws.com/", "k", "i");
        assert_eq!(url, "https://bucket.s3.eu-west-1.amazonaws.com/k?uploadId=i");
    }
}
