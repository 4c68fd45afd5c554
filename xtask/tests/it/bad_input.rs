//! Bad input gets one sentence and a remedy, starts nothing and writes nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::harness::{Said, Xtask, root};

/// A checkout with nothing but the files of its environments, to be broken.
pub(crate) fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "terraform/environments/dev.tfvars",
        "terraform/variables.tf",
        "terraform/locals.tf",
        "terraform/guards.tf",
        "terraform/support.json",
        "terraform/bootstrap/accounts/123456789012.tfvars",
        "terraform/bootstrap/variables.tf",
        "helm/overlays/base.yaml",
        "helm/overlays/dev.yaml",
        "helm/supabase/values.yaml",
        "helm/supabase/values.schema.json",
        "xtask/ARCHITECTURE.md",
    ] {
        fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
        fs::copy(root().join(file), folder.path().join(file)).unwrap();
    }
    folder
}

fn deploy(folder: &Path) -> Said {
    refused(folder, "deploy dev --sandbox")
}

fn refused(folder: &Path, command: &str) -> Said {
    let said = Xtask::new(command).inside(folder).env("RUST_BACKTRACE", 1).run();
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

/// What is changed in which file, and what is said about it; `LINE` is that of the change, `NEXT` the one after it.
const MISTAKES: [(&str, &str, &str, &str); 8] = [
    (
        "terraform/environments/dev.tfvars",
        "deletion_protection =",
        "deletion_protecton =",
        "dev.tfvars:LINE: `deletion_protecton` is not a variable of terraform/variables.tf (did you mean `deletion_protection`?)",
    ),
    (
        "terraform/environments/dev.tfvars",
        "  multi_az ",
        "  multi_zone ",
        "dev.tfvars:LINE: `database.multi_zone` is not an attribute of `database` in terraform/variables.tf (did you mean `multi_az`?)",
    ),
    (
        "terraform/environments/dev.tfvars",
        "min_per_zone     = 1",
        "min_per_zone     = \"one\"",
        "dev.tfvars:LINE: `nodes.min_per_zone` is the text \"one\" and must be a number without quotes",
    ),
    (
        "helm/overlays/dev.yaml",
        "minReplicas: 1",
        "minReplica: 1",
        "helm/overlays/dev.yaml:LINE: `auth.autoscaling.minReplica` is not a value of this chart (did you mean `minReplicas`?)",
    ),
    (
        "helm/overlays/dev.yaml",
        "minReplicas: 1",
        "minReplicas: one",
        "helm/overlays/dev.yaml:LINE: `auth.autoscaling.minReplicas` is \"one\" and must be integer",
    ),
    (
        "helm/overlays/base.yaml",
        "autoconfirmEmail",
        "autoconfirmMail",
        "helm/overlays/base.yaml:LINE: `auth.autoconfirmMail` is not a value of this chart (did you mean `autoconfirmEmail`?)",
    ),
    (
        "helm/overlays/dev.yaml",
        "kong:",
        "kong: {}\nkong:",
        "helm/overlays/dev.yaml:NEXT: `kong` was set on line LINE already",
    ),
    (
        "helm/overlays/dev.yaml",
        "kong:",
        "---\nkong:",
        "helm/overlays/dev.yaml:LINE: a second document begins",
    ),
];

#[test]
fn a_mistake_at_any_depth_is_told_with_its_place_before_anything_starts() {
    for (file, from, to, sentence) in MISTAKES {
        let folder = checkout();
        let text = fs::read_to_string(folder.path().join(file)).unwrap();
        let line = text.split(from).next().unwrap().matches('\n').count() + 1;
        let sentence =
            sentence.replace("LINE", &line.to_string()).replace("NEXT", &(line + 1).to_string());
        change(folder.path().join(file), from, to);
        let said = refused(folder.path(), "deploy dev --dry-run");
        assert_eq!(said.code, 3, "{}", said.error);
        assert!(said.error.contains(&sentence), "{}", said.error);
    }
}

#[test]
fn an_account_file_is_held_to_its_declarations_too() {
    let folder = checkout();
    let file = folder.path().join("terraform/bootstrap/accounts/123456789012.tfvars");
    change(file, "backup_copy = true", "backup_copi = true");
    let said = refused(folder.path(), "bootstrap dev --dry-run");
    assert_eq!(said.code, 3, "{}", said.error);
    assert!(
        said.error.contains(
            "accounts/123456789012.tfvars:7: `environments.prod.backup_copi` is not an attribute of `environments.prod` \
             in terraform/bootstrap/variables.tf (did you mean `backup_copy`?)"
        ),
        "{}",
        said.error
    );
}

#[test]
fn a_stage_that_does_not_exist() {
    let said = Xtask::new("stage relaese dev --dry-run").run();
    assert_eq!(said.code, 3);
    assert!(
        said.error.contains(
            "there is no stage `relaese` (did you mean `release`?): the stages are preflight, "
        ),
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

/// A checkout whose dev has everything that only its owner knows; the charts and the tools are those
/// of this repository.
fn filled_in() -> tempfile::TempDir {
    let folder = checkout();
    let dev = folder.path().join("terraform/environments/dev.tfvars");
    let text = fs::read_to_string(&dev).unwrap();
    let text = text.replace("123456789012", "111122223333").replace("203.0.113.0", "8.8.8.0");
    fs::write(dev, text).unwrap();
    fs::remove_dir_all(folder.path().join("helm/supabase")).unwrap();
    for shared in ["helm/supabase", "helm/addons", "target/tools"] {
        let place = folder.path().join(shared);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(root().join(shared), place).unwrap();
    }
    folder
}

fn preflight(folder: &Path, environment: &str) -> Said {
    let nowhere = tempfile::tempdir().unwrap();
    Xtask::new(&format!("stage preflight {environment}"))
        .inside(folder)
        .env("AWS_EC2_METADATA_DISABLED", true)
        .env("AWS_PROFILE", "team")
        .env("AWS_CONFIG_FILE", nowhere.path().join("config").display())
        .env("AWS_SHARED_CREDENTIALS_FILE", nowhere.path().join("credentials").display())
        .run()
}

#[test]
fn no_credentials() {
    let folder = filled_in();
    let said = preflight(folder.path(), "dev");
    assert_eq!(said.code, 5, "{}", said.out);
    assert!(said.out.contains("✗ identity: 1 problem ("), "{}", said.out);
    let report = said.out.split("nothing was started").nth(1).unwrap_or_default();
    assert_eq!(report.matches("profile `team`").count(), 1, "{}", said.out);
}

#[test]
fn what_the_chart_or_a_validation_refuses_is_told_with_its_line() {
    let folder = filled_in();
    let overlay = folder.path().join("helm/overlays/dev.yaml");
    change(overlay, "minReplicas: 1", "minReplicas: 5");
    let variables = folder.path().join("terraform/environments/dev.tfvars");
    change(variables, "10.20.0.0/16", "10.20.0.0/36");
    let said = preflight(folder.path(), "dev");
    assert_eq!(said.code, 3, "{}", said.out);
    let place = "helm/overlays/dev.yaml:10: auth.autoscaling: minReplicas 5 is above maxReplicas 4";
    assert!(said.out.contains(place), "{}", said.out);
    let place = "terraform/environments/dev.tfvars:10: network.cidr \"10.20.0.0/36\" must be";
    assert!(said.out.contains(place), "{}", said.out);
}

#[test]
fn prod_as_shipped_is_refused_in_one_list_without_credentials() {
    let said = preflight(&root(), "prod");
    assert_eq!(said.code, 3, "{}", said.out);
    let report = said.out.split("nothing was started").nth(1).unwrap_or_default();
    for problem in [
        "prod.tfvars:4: `account_id` still is the placeholder",
        "`cluster.access.deploy.principal_arn` still is the placeholder",
        "`domain` still is the placeholder \"example.com\"",
        "`alerts.emails` still is the placeholder",
        "`cluster.private_access_cidrs` are both empty",
        "`auth.smtp.host` still is the placeholder",
        "no mail goes out",
        "sign-up is off",
        "profile `team`",
    ] {
        assert!(report.contains(problem), "{problem}: {}", said.out);
    }
}
