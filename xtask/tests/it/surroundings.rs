//! The environment of a run: odd variables, and one identity for runner and Terraform.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::{
    bad_input::checkout,
    harness::{Said, Xtask, root},
    standin::{Reply, StandIn},
};

/// Nobody listens on this port of this machine.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A call that finds credentials, with which it reaches nobody.
fn secluded(line: &str) -> Xtask {
    Xtask::new(line)
        .env("HOME", "/nowhere")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "not-a-key")
        .env("HTTPS_PROXY", NOWHERE)
}

fn doctor(variables: &[(&str, &str)]) -> Said {
    let mut call = secluded("doctor dev");
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

#[test]
fn a_temporary_folder_that_takes_no_files_is_named_before_anything_is_done() {
    for command in ["doctor", "plan dev", "fmt"] {
        let said = secluded(command).env("TMPDIR", "/nowhere/at-all").run();
        assert_eq!((said.code, said.out.as_str()), (3, ""), "{command}: {}", said.error);
        assert!(said.error.contains("temporary folder `/nowhere/at-all`: "), "{}", said.error);
        assert!(
            said.error.ends_with("set TMPDIR to a folder that takes files\n"),
            "{}",
            said.error
        );
    }
}

#[test]
fn output_that_has_no_place_is_an_error() {
    for command in [
        "--help",
        "help deploy",
        "--version",
        "deploy dev --dry-run",
        "deploy dev --dry-run --format json",
        "test --list",
    ] {
        let said = Xtask::new(command).through("exec \"$@\" > /dev/full").run();
        let expected = "error: failed to write to standard output: No space left on device";
        assert!(said.error.starts_with(expected), "{command}: {}", said.error);
        assert_eq!((said.code, said.error.lines().count()), (1, 1), "{command}: {}", said.error);
    }
}

#[test]
fn a_run_ends_as_it_would_without_its_picture() {
    let folder = checkout();
    // Its tools are those of this repository, so that none is installed again.
    let tools = root().join("target/tools");
    fs::create_dir_all(&tools).unwrap();
    fs::create_dir(folder.path().join("target")).unwrap();
    symlink(tools, folder.path().join("target/tools")).unwrap();
    // Ends at once, since there are no credentials.
    let stage = || {
        let call = secluded("stage preflight dev").env("AWS_ACCESS_KEY_ID", "");
        call.inside(folder.path()).run()
    };
    let timeline = folder.path().join("target/xtask/aws/dev/timeline.html");
    let drawn = stage();
    assert!(timeline.is_file(), "{}{}", drawn.out, drawn.error);
    fs::remove_file(&timeline).unwrap();
    symlink("/dev/full", &timeline).unwrap();
    let undrawn = stage();
    assert_eq!((drawn.code, undrawn.code), (3, 3), "{}", undrawn.error);
    let warning =
        format!("warning: the timeline was not written to {}: No space", timeline.display());
    let warned = undrawn.error.lines().filter(|line| line.starts_with(&warning)).count();
    assert_eq!(warned, 1, "{}", undrawn.error);
}

#[test]
fn a_run_that_cannot_be_journalled_does_not_begin() {
    let folder = checkout();
    // No file can grow, as on a full disk; what it says goes through a pipe.
    let line = "trap '' XFSZ; (ulimit -f 0; exec \"$@\") 2>&1 | cat; exit \"${PIPESTATUS[0]}\"";
    let said = secluded("stage preflight dev").inside(folder.path()).through(line).run();
    assert_eq!(said.code, 1, "{}", said.out);
    assert!(said.out.contains("error: failed to write to `"), "{}", said.out);
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
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
