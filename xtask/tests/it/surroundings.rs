//! The environment of a run: odd variables, and one identity for runner and Terraform.

use std::{fs, path::Path};

use crate::{
    harness::{Said, Xtask},
    standin::{Reply, StandIn},
};

/// Nobody listens on this port of this machine.
const NOWHERE: &str = "http://127.0.0.1:9";

fn doctor(variables: &[(&str, &str)]) -> Said {
    let empty_home = tempfile::tempdir().unwrap();
    let mut call = Xtask::new("doctor dev")
        .env("HOME", empty_home.path().display())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "not-a-key")
        .env("HTTPS_PROXY", NOWHERE);
    for (name, value) in variables {
        call = call.env(name, value);
    }
    let said = call.run();
    assert!(!said.error.contains("panicked"), "{variables:?}: {}", said.error);
    said
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let names = [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_CA_BUNDLE",
        "AWS_MAX_ATTEMPTS",
        "AWS_RETRY_MODE",
        "NO_PROXY",
        "GITHUB_TOKEN",
    ];
    let said = doctor(&names.map(|name| (name, "")));
    assert_eq!(said.code, 5, "{}{}", said.out, said.error);
    assert!(said.out.contains("failed to reach AWS for sts:GetCallerIdentity"), "{}", said.out);
    assert!(!said.out.contains("GITHUB_TOKEN is set"), "{}", said.out);
}

#[test]
fn an_odd_variable_is_named() {
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "nonsense"),
        ("AWS_ENDPOINT_URL_STS", "nonsense"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9"),
    ] {
        let said = doctor(&[(name, value)]);
        assert_ne!(said.code, 0);
        let told = format!("{}{}", said.out, said.error);
        assert!(told.contains(name), "{name}: {told}");
    }
    for (name, value) in [("AWS_MAX_ATTEMPTS", "many"), ("AWS_RETRY_MODE", "sometimes")] {
        assert_eq!(doctor(&[(name, value)]).code, 5, "{name}");
    }
}

/// AWS as far as Terraform's backend asks for it; it remembers who asked.
fn aws() -> StandIn {
    StandIn::start(|request| {
        if request.body.contains("GetCallerIdentity") {
            return Reply::new(200, IDENTITY).header("content-type", "text/xml");
        }
        // Services that speak JSON: there is nothing of what is asked for.
        if request.headers.contains_key("x-amz-target") {
            return Reply::new(200, r#"{"Aliases": [], "logGroups": [], "Parameters": []}"#);
        }
        // The state is empty: no bucket's list names an object.
        Reply::new(200, "<ListBucketResult><Name>x</Name></ListBucketResult>")
    })
}

const IDENTITY: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
<Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>X</UserId><Account>123456789012</Account>\
</GetCallerIdentityResult></GetCallerIdentityResponse>";

/// A profile that the SDKs read differently: some take its process, others its keys.
fn ambiguous_profile(folder: &Path, endpoint: &str) {
    let process = r#"{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "not-a-key"}"#;
    let script = folder.join("process.json");
    fs::write(&script, process).unwrap();
    fs::write(
        folder.join("config"),
        format!(
            "[profile team]\nregion = eu-west-1\nendpoint_url = {endpoint}\ncredential_process = cat {}\n",
            script.display()
        ),
    )
    .unwrap();
    fs::write(
        folder.join("credentials"),
        "[team]\naws_access_key_id = AKIAKEYS\naws_secret_access_key = not-a-key\n",
    )
    .unwrap();
}

#[test]
fn terraform_acts_as_the_identity_that_the_runner_vouches_for() {
    let (aws, folder) = (aws(), tempfile::tempdir().unwrap());
    ambiguous_profile(folder.path(), &aws.url);
    // It ends with an error, since nothing is deployed there; who asked is what matters.
    let said = Xtask::new("plan dev")
        .env("AWS_PROFILE", "team")
        .env("AWS_CONFIG_FILE", folder.path().join("config").display())
        .env("AWS_SHARED_CREDENTIALS_FILE", folder.path().join("credentials").display())
        .run();
    let asked = aws.asked();
    let by = |part: &str| {
        let agent = |request: &&crate::standin::Request| {
            request.headers.get("user-agent").is_some_and(|agent| agent.contains(part))
        };
        asked.iter().filter(agent).count()
    };
    assert!(by("aws-sdk-rust") > 0, "the runner did not ask, but {:?}", aws.calls());
    assert!(by("Terraform") > 0, "Terraform did not ask: {}\n{}", said.out, said.error);
    for request in &asked {
        let signed = &request.headers["authorization"];
        assert!(signed.contains("Credential=AKIAPROCESS/"), "{} by {signed}", request.target);
    }
}
