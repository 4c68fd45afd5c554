use std::{fs, path::Path};

use super::{AccountFile, Environment, PROJECT, SHARED};
use crate::exit::Exit;

const VARS: &str = r#"# an environment
environment        = "dev"
region             = "eu-west-1"
account_id         = "111122223333"
kubernetes_version = "1.35"
postgres_version   = "17"
domain             = null
network            = { cidr = "10.20.0.0/16", zones = ["eu-west-1a", "eu-west-1b"] }
cluster = {
  public_access_cidrs = ["10.0.0.0/8"]
  access              = { deploy = { principal_arn = "arn:aws:iam::111122223333:role/deploy" } }
}
nodes    = { instance_types = ["t4g.large"], min_per_zone = 1 }
database = { instance_class = "db.t4g.medium" }
"#;

/// The repository, whose shared files are real in every test.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn repository(vars: &str, overlay: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in SHARED {
        fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
        fs::copy(root().join(file), folder.path().join(file)).unwrap();
    }
    fs::create_dir_all(folder.path().join("terraform/environments")).unwrap();
    fs::write(folder.path().join("terraform/environments/dev.tfvars"), vars).unwrap();
    fs::write(folder.path().join("helm/overlays/dev.yaml"), overlay).unwrap();
    folder
}

fn message(root: &Path, name: &str) -> String {
    let error = Environment::load(root, name).unwrap_err();
    assert_eq!(Exit::of(&error), Exit::BadInput);
    format!("{error:#}")
}

#[test]
fn the_project_is_the_one_that_terraform_tags() {
    let locals = include_str!("../../../terraform/locals.tf");
    let named = |line: &str| {
        line.trim().starts_with("Project ") && line.contains(&format!("\"{PROJECT}\""))
    };
    assert!(locals.lines().any(named), "terraform/locals.tf has another project");
}

#[test]
fn a_good_environment_is_read() {
    let folder = repository(VARS, "auth:\n  smtp:\n    enabled: true\n");
    let environment = Environment::load(folder.path(), "dev").unwrap();
    assert_eq!(environment.name_prefix(), "supabase-dev");
    assert_eq!(environment.state_bucket(), "supabase-terraform-state-111122223333-eu-west-1");
    assert_eq!(environment.domain, None);
    assert!(environment.overlay.smtp_enabled());
    assert!(environment.placeholders.is_empty());
}

#[test]
fn an_unknown_environment_names_the_known_ones() {
    let folder = repository(VARS, "{}");
    assert_eq!(
        message(folder.path(), "dve"),
        "unknown environment `dve` (did you mean `dev`?): known are dev; a new one is terraform/environments/<name>.tfvars \
         plus helm/overlays/<name>.yaml"
    );
    assert!(message(folder.path(), "deb").contains("did you mean `dev`?"));
    assert!(message(folder.path(), "../dev").starts_with("unknown environment"));
}

#[test]
fn a_malformed_tfvars_names_file_line_and_key() {
    let folder = repository("environment = \"dev\"\nregion = = \"x\"\n", "{}");
    assert_eq!(
        message(folder.path(), "dev"),
        "terraform/environments/dev.tfvars:2: `region` is an expression: write the value itself, as a text in \
         quotes, a number, true, false, null, a list or a map"
    );
}

#[test]
fn a_wrong_value_names_its_line_and_what_is_expected() {
    let folder = repository(&VARS.replace("111122223333", "1234"), "{}");
    assert_eq!(
        message(folder.path(), "dev"),
        "terraform/environments/dev.tfvars:4: `account_id` is \"1234\" and must be the 12 digits of the AWS \
         account, in quotes"
    );
}

#[test]
fn a_missing_or_repeated_key_is_named() {
    let without = VARS.replace("region             = \"eu-west-1\"\n", "");
    let folder = repository(&without, "{}");
    assert_eq!(
        message(folder.path(), "dev"),
        "terraform/environments/dev.tfvars: `region` is missing; add it, a text in quotes"
    );
    let twice = format!("{VARS}region = \"eu-west-2\"\n");
    let folder = repository(&twice, "{}");
    let text = message(folder.path(), "dev");
    assert!(
        text.starts_with("terraform/environments/dev.tfvars:15: `region` was set on line 3"),
        "{text}"
    );
}

#[test]
fn a_neighbour_with_a_name_that_begins_alike_is_refused() {
    let folder = repository(VARS, "{}");
    let other = folder.path().join("terraform/environments/dev-eu.tfvars");
    fs::write(&other, VARS.replace("\"dev\"", "\"dev-eu\"")).unwrap();
    let text = message(folder.path(), "dev");
    assert!(text.contains("`dev-eu` begins with the name of `dev`"), "{text}");
    fs::write(&other, VARS.replace("111122223333", "444455556666")).unwrap();
    assert!(Environment::load(folder.path(), "dev").is_ok());
}

#[test]
fn a_malformed_overlay_names_file_and_line() {
    let folder = repository(VARS, "auth:\n  smtp: [\n");
    let text = message(folder.path(), "dev");
    assert!(text.starts_with("helm/overlays/dev.yaml:"), "{text}");
    assert!(text.contains("not valid YAML"), "{text}");
}

#[test]
fn placeholders_are_found_with_their_place() {
    let vars = VARS.replace("\"111122223333\"", "\"123456789012\"");
    let folder = repository(&vars, "auth:\n  siteUrl: https://app.example.com\n");
    let environment = Environment::load(folder.path(), "dev").unwrap();
    let places: Vec<_> = environment
        .placeholders
        .iter()
        .map(|found| (found.place.as_str(), found.key.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            ("terraform/environments/dev.tfvars:4", "account_id"),
            ("helm/overlays/dev.yaml:2", "auth.siteUrl")
        ]
    );
}

#[test]
fn names_that_aws_refuses_are_refused_with_the_reason() {
    for (name, reason) in [
        ("dev-", "ends with a hyphen"),
        ("a--b", "has two in a row"),
        ("awsome", "begins with `aws` or `ssm`"),
        ("ssm", "begins with `aws` or `ssm`"),
        ("1dev", "does not begin with a letter"),
        ("x", "is not 2 to 15"),
        ("a-very-long-name", "is not 2 to 15"),
        ("Dev", "is not 2 to 15"),
        ("default", "that Terraform keeps"),
    ] {
        let folder = repository(VARS, "{}");
        let file = folder.path().join(format!("terraform/environments/{name}.tfvars"));
        fs::write(file, VARS).unwrap();
        assert!(message(folder.path(), name).contains(reason), "{}", message(folder.path(), name));
    }
}

#[test]
fn a_mark_of_the_editor_and_other_text_than_utf_8_are_refused() {
    let folder = repository(&format!("\u{feff}{VARS}"), "{}");
    assert_eq!(
        message(folder.path(), "dev"),
        "terraform/environments/dev.tfvars:1: begins with a byte order mark; save the file as UTF-8 without one"
    );
    let folder = repository(VARS, "{}");
    fs::write(folder.path().join("helm/overlays/dev.yaml"), b"auth:\n  x: \xff\n").unwrap();
    assert_eq!(
        message(folder.path(), "dev"),
        "helm/overlays/dev.yaml:2: is not UTF-8 text; save the file as UTF-8"
    );
}

#[test]
fn an_account_file_is_read_under_its_own_name() {
    let account = AccountFile::load(root(), "123456789012").unwrap();
    let found = account.vars.placeholders();
    let keys: Vec<_> = found.iter().map(|found| found.key.as_str()).collect();
    assert_eq!(keys, ["account_id", "github.owner"]);
    let error = AccountFile::load(root(), "111122223333").unwrap_err();
    assert!(format!("{error:#}").contains("111122223333.tfvars does not exist; copy"), "{error:#}");
}
