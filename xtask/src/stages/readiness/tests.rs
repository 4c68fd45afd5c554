use std::{fs, path::Path};

use super::{cluster, mail, placeholders, sign_up};
use crate::config::{Environment, SHARED};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// prod as it is shipped, with one change to its variables and one addition to its overlay.
fn prod(from: &str, to: &str, more: &str) -> Environment {
    let folder = tempfile::tempdir().unwrap();
    let files = ["terraform/environments/prod.tfvars", "helm/overlays/prod.yaml"];
    for file in SHARED.into_iter().chain(files) {
        let text = fs::read_to_string(root().join(file)).unwrap().replace(from, to);
        let place = folder.path().join(file);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let more = if file.ends_with("prod.yaml") { more } else { "" };
        // The addition extends the overlay's own `auth`.
        fs::write(place, text.replace("auth:\n", &format!("auth:\n{more}"))).unwrap();
    }
    Environment::load(folder.path(), "prod").unwrap()
}

#[test]
fn prod_as_shipped_lacks_what_nobody_but_its_owner_can_know() {
    let prod = Environment::load(root(), "prod").unwrap();
    let keys: Vec<&str> = prod.placeholders.iter().map(|found| found.key.as_str()).collect();
    assert_eq!(
        keys,
        ["account_id", "cluster.access.deploy.principal_arn", "domain", "alerts.emails"]
    );
    assert!(
        placeholders(&prod)[0].starts_with("terraform/environments/prod.tfvars:4: `account_id`")
    );
    assert!(
        cluster(&prod)[0].starts_with("terraform/environments/prod.tfvars:18: `cluster.public_")
    );
    assert!(mail(&prod)[0].contains("`auth.autoconfirmEmail` is false"));
    assert!(sign_up(&prod)[0].starts_with("helm/overlays/prod.yaml: `auth.signup` is not decided"));
}

#[test]
fn each_is_content_with_what_it_asks_for() {
    let from = "private_access_cidrs = []";
    assert!(cluster(&prod(from, "private_access_cidrs = [\"10.90.0.0/16\"]", "")).is_empty());
    for fine in [
        "  smtp: {enabled: yes, host: mail.internal, port: 587}\n",
        "  autoconfirmEmail: on\n",
        "  signup: off\n",
        "  extraEnv: {GOTRUE_SMTP_HOST: mail.internal}\n",
    ] {
        assert!(mail(&prod("", "", fine)).is_empty(), "{fine}");
    }
    for decided in ["  signup: true\n", "  signup: false\n"] {
        assert!(sign_up(&prod("", "", decided)).is_empty(), "{decided}");
    }
    assert!(!mail(&prod("", "", "  signup: true\n")).is_empty());
}

#[test]
fn an_environment_that_is_not_production_needs_no_decision_about_sign_up() {
    let dev = Environment::load(root(), "dev").unwrap();
    assert_eq!((cluster(&dev), mail(&dev), sign_up(&dev)), (Vec::new(), Vec::new(), Vec::new()));
}
