//! The AWS side against the sandbox's AWS: moto with patches.
//!
//! Run by hand, in `xtask/sandbox/aws` first `python -m sandbox_aws 5600 &` (it prints a key), then
//! `AWS_ENDPOINT_URL=http://127.0.0.1:5600 AWS_ACCESS_KEY_ID=.. AWS_SECRET_ACCESS_KEY=.. cargo test
//! -p xtask-cloud -- --ignored moto`.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use xtask_cloud::{
    Cloud, CloudConfig, Encryption, Http, HttpConfig,
    Method::{self, Delete, Post},
    Response, Written,
};
use xtask_tools::Secret;

const NEEDS: &[&str] = &["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

fn cloud() -> Cloud {
    let env = NEEDS
        .iter()
        .map(|name| ((*name).to_owned(), std::env::var(name).expect("see the top of this file")))
        .collect();
    Cloud::new(CloudConfig { region: "eu-west-1".into(), env }).unwrap()
}

/// moto checks no signature of a header, so that a plain request plays the other clients.
fn plain(
    service: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let url = format!("{}/{path}", std::env::var("AWS_ENDPOINT_URL").unwrap());
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=x"
    );
    let mut headers = headers.to_vec();
    headers.push(("authorization", &signed));
    let http = Http::new(HttpConfig::default()).unwrap();
    let answer = http.send(method, &url, &headers, Some(body)).unwrap();
    assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
    answer
}

#[test]
#[ignore = "needs the sandbox's AWS"]
fn moto_identity_and_token() {
    let cloud = cloud();
    assert_eq!(cloud.identity().unwrap().account, "123456789012");
    let token = cloud.eks_token("supabase-dev").unwrap().token;
    let url = signed_url(token.expose());
    let http = Http::new(HttpConfig::default()).unwrap();
    let answer = http.get(&url, &[("x-k8s-aws-id", "supabase-dev")]).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("<Account>123456789012</Account>"), "{}", answer.body);
}

fn signed_url(token: &str) -> String {
    let encoded = token.strip_prefix("k8s-aws-v1.").unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}

#[test]
#[ignore = "needs the sandbox's AWS"]
fn moto_parameters() {
    let cloud = cloud();
    cloud.delete_parameters_by_path("/moto-test").unwrap();
    let value = |text: &str| Secret::new(text);
    for index in 0..23 {
        let name = format!("/moto-test/many/{index:02}");
        let written = cloud.put_parameter_if_absent(&name, &value("first-value"), None).unwrap();
        assert_eq!(written, Written::Created { version: 1 });
    }
    let name = "/moto-test/many/00";
    assert_eq!(cloud.put_parameter_if_absent(name, &value("other"), None).unwrap(), Written::Kept);
    assert_eq!(
        cloud.overwrite_parameter(name, &value("second-value"), Some("alias/aws/ssm")).unwrap(),
        Written::Overwritten { version: 2 }
    );
    let read = cloud.parameter(name).unwrap().unwrap();
    assert_eq!((read.value.expose(), read.version), ("second-value", 2));
    assert!(cloud.parameter("/moto-test/none").unwrap().is_none());
    let all = cloud.parameters_by_path("/moto-test").unwrap();
    assert_eq!((all.len(), all[22].value.expose()), (23, "first-value"));
    let described = cloud.describe_parameters("/moto-test").unwrap();
    assert_eq!((described.len(), described[0].version), (23, 2));
    assert_eq!(described[0].key_id.as_deref(), Some("alias/aws/ssm"));
    assert_eq!(cloud.delete_parameters_by_path("/moto-test").unwrap().len(), 23);
    assert!(cloud.parameters_by_path("/moto-test").unwrap().is_empty());
}

#[test]
#[ignore = "needs the sandbox's AWS"]
fn moto_state_bucket() {
    let cloud = cloud();
    let bucket = "supabase-terraform-state-123456789012-eu-west-1";
    let first = cloud.ensure_state_bucket(bucket, &Encryption::Aes256).unwrap();
    assert!(first.created, "{first:?}");
    let second = cloud.ensure_state_bucket(bucket, &Encryption::Aes256).unwrap();
    assert_eq!((second.created, second.changes.len()), (false, 0), "{second:?}");
    let kms = Encryption::Kms("arn:aws:kms:eu-west-1:123456789012:key/x".into());
    assert_eq!(cloud.ensure_state_bucket(bucket, &kms).unwrap().changes.len(), 1);
    assert!(cloud.ensure_state_bucket(bucket, &kms).unwrap().changes.is_empty());
    assert!(cloud.bucket_exists(bucket).unwrap());
    plain("s3", Delete, bucket, &[], "");
    assert!(!cloud.bucket_exists(bucket).unwrap());
}

#[test]
#[ignore = "needs the sandbox's AWS"]
fn moto_leftovers() {
    let cloud = cloud();
    // A value of its own for each run: the keys stay in moto.
    let (tag, value) = ("Environment", format!("moto-test-{}", std::process::id()));
    let value = value.as_str();
    assert!(cloud.tagged_resources(tag, value).unwrap().is_empty());
    let headers = [
        ("x-amz-target", "TrentService.CreateKey"),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    let body = format!(r#"{{"Tags":[{{"TagKey":"{tag}","TagValue":"{value}"}}]}}"#);
    plain("kms", Post, "", &headers, &body);
    let found = cloud.tagged_resources(tag, value).unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].arn.starts_with("arn:aws:kms:eu-west-1:"), "{found:?}");
    assert_eq!(found[0].tags, BTreeMap::from([(tag.to_owned(), value.to_owned())]));
}
