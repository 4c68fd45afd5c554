//! Bad input gets one sentence and a remedy, starts nothing and writes nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::harness::{Said, Xtask, root};

/// A checkout with nothing but the files of its environments, to be broken.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["terraform/environments", "helm/overlays", "xtask"] {
        fs::create_dir_all(folder.path().join(part)).unwrap();
    }
    for file in
        ["terraform/environments/dev.tfvars", "helm/overlays/dev.yaml", "xtask/ARCHITECTURE.md"]
    {
        fs::copy(root().join(file), folder.path().join(file)).unwrap();
    }
    folder
}

fn deploy(folder: &Path) -> Said {
    let said = Xtask::new("deploy dev --sandbox").inside(folder).env("RUST_BACKTRACE", 1).run();
    assert!(
        !said.error.contains("panicked") && !said.error.contains("backtrace"),
        "{}",
        said.error
    );
    assert_eq!(said.error.lines().count(), 1, "one sentence: {}", said.error);
    assert!(!folder.join("target").exists(), "something was written");
    said
}

fn change(file: PathBuf, from: &str, to: &str) {
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{} has no `{from}`", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn an_unknown_environment() {
    let said = Xtask::new("deploy stagin --sandbox").run();
    assert_eq!(said.code, 3);
    assert!(
        said.error.starts_with("error: unknown environment `stagin`: known are dev, prod"),
        "{}",
        said.error
    );
}

#[test]
fn a_malformed_tfvars() {
    let folder = checkout();
    change(folder.path().join("terraform/environments/dev.tfvars"), "region ", "region = ");
    let said = deploy(folder.path());
    assert_eq!(said.code, 3);
    assert!(said.error.contains("terraform/environments/dev.tfvars:2:"), "{}", said.error);
}

#[test]
fn an_account_that_is_none() {
    let folder = checkout();
    change(
        folder.path().join("terraform/environments/dev.tfvars"),
        "\"123456789012\"",
        "\"12345\"",
    );
    let said = deploy(folder.path());
    assert_eq!(said.code, 3);
    assert!(
        said.error.contains("dev.tfvars:4: `account_id` is \"12345\" and must be"),
        "{}",
        said.error
    );
}

#[test]
fn a_malformed_overlay() {
    let folder = checkout();
    change(folder.path().join("helm/overlays/dev.yaml"), "auth:", "auth: [");
    let said = deploy(folder.path());
    assert_eq!(said.code, 3);
    assert!(said.error.contains("helm/overlays/dev.yaml:"), "{}", said.error);
}

#[test]
fn a_stage_that_does_not_exist() {
    let said = Xtask::new("stage relaese dev --dry-run").run();
    assert_eq!(said.code, 3);
    assert!(
        said.error.contains("there is no stage `relaese`: the stages are preflight, "),
        "{}",
        said.error
    );
}

#[test]
fn destroy_without_a_confirmation() {
    let said =
        Xtask::new("destroy dev --confirm prod").env("AWS_EC2_METADATA_DISABLED", true).run();
    assert_eq!(said.code, 4);
    assert!(said.error.contains("was not confirmed; nothing was touched"), "{}", said.error);
}

#[test]
fn no_credentials() {
    let nowhere = tempfile::tempdir().unwrap();
    let said = Xtask::new("stage preflight dev")
        .env("AWS_EC2_METADATA_DISABLED", true)
        .env("AWS_PROFILE", "team")
        .env("AWS_CONFIG_FILE", nowhere.path().join("config").display())
        .env("AWS_SHARED_CREDENTIALS_FILE", nowhere.path().join("credentials").display())
        .run();
    assert_eq!(said.code, 5, "{}", said.out);
    assert!(said.out.contains("✗ identity: 1 problem ("), "{}", said.out);
    let report = said.out.split("nothing was started").nth(1).unwrap_or_default();
    assert_eq!(report.matches("profile `team`").count(), 1, "{}", said.out);
}
