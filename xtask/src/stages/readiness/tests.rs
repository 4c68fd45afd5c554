use std::{fs, path::Path};

use super::{cluster, mail, placeholders, sign_up};
use crate::config::{Environment, SHARED};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// prod as it is shipped, with one change to its files.
fn prod(from: &str, to: &str) -> Environment {
    let folder = tempfile::tempdir().unwrap();
    let files = ["terraform/environments/prod.tfvars", "helm/overlays/prod.yaml"];
    for file in SHARED.into_iter().chain(files) {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let place = folder.path().join(file);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text.replace(from, to)).unwrap();
    }
    Environment::load(folder.path(), "prod").unwrap()
}

#[test]
fn prod_as_shipped_lacks_what_nobody_but_its_owner_can_know() {
    let prod = Environment::load(root(), "prod").unwrap();
    let keys: Vec<&str> = prod.placeholders.iter().map(|found| found.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "account_id",
            "cluster.access.deploy.principal_arn",
            "domain",
            "alerts.emails",
            "auth.smtp.host",
            "auth.smtp.adminEmail",
            "auth.siteUrl"
        ]
    );
    assert!(
        placeholders(&prod)[0].starts_with("terraform/environments/prod.tfvars:4: `account_id`")
    );
    let reach = "terraform/environments/prod.tfvars:18: `cluster.public_access_cidrs` and";
    assert!(cluster(&prod)[0].starts_with(reach));
    assert!(
        mail(&prod)[0].contains("no mail goes out") && mail(&prod)[0].contains("sign-up is off")
    );
}

#[test]
fn each_is_content_with_what_it_asks_for() {
    let from = "private_access_cidrs = []";
    assert!(cluster(&prod(from, "private_access_cidrs = [\"10.90.0.0/16\"]")).is_empty());
    let smtp = "  smtp:\n    enabled: false\n    host: smtp.example.com\n    adminEmail: no-reply@example.com\n";
    for fine in [
        "  smtp: {enabled: yes, host: mail.internal, port: 587, adminEmail: a@b.org}\n",
        "  autoconfirmEmail: on\n",
        "  extraEnv: {GOTRUE_SMTP_HOST: mail.internal}\n",
        "",
    ] {
        assert!(mail(&prod(smtp, fine)).is_empty(), "{fine}");
    }
    assert!(
        mail(&prod("signup: false", "signup: true"))[0].contains("nobody can finish signing up")
    );
    assert!(sign_up(&prod("", "")).is_empty());
    let undecided = sign_up(&prod("  signup: false\n", ""));
    assert!(undecided[0].starts_with("helm/overlays/prod.yaml: `auth.signup` is not decided"));
}

#[test]
fn an_environment_that_is_not_production_needs_no_decision_about_sign_up() {
    let dev = Environment::load(root(), "dev").unwrap();
    assert_eq!((cluster(&dev), mail(&dev), sign_up(&dev)), (Vec::new(), Vec::new(), Vec::new()));
}
