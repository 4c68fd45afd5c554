use std::{fs, path::Path};

use super::Declarations;
use crate::{config::hcl, exit::Exit};

const DECLARED: &str = r#"
variable "region" {
  type = string
  validation {
    condition     = can(regex("^x", var.region))
    error_message = "no"
  }
}
variable "database" {
  type = object({
    class    = string
    multi_az = optional(bool, true)
    replica  = optional(object({ size = optional(number) }))
  })
}
variable "access" {
  type    = map(object({ arn = string, names = optional(list(string), []) }))
  default = {}
}
variable "deletion_protection" {
  type    = bool
  default = true
}
variable "password" {
  type      = string
  ephemeral = true
}
"#;

const GOOD: &str = "region = \"eu\"\ndatabase = { class = \"a\" }\n";

fn checked(text: &str) -> anyhow::Result<()> {
    let declarations = Declarations::parse(DECLARED, "terraform/variables.tf").unwrap();
    declarations.check(&hcl::read(text, "x.tfvars").unwrap(), "x.tfvars")
}

#[test]
fn what_is_declared_is_taken() {
    checked(GOOD).unwrap();
    checked(
        "region = \"eu\"\ndatabase = {\n class = \"a\"\n replica = null\n multi_az = false\n}\n\
         access = { 1 = { arn = \"x\", names = [\"a\"] } }\n",
    )
    .unwrap();
}

#[test]
fn a_wrong_key_or_type_is_refused_at_any_depth() {
    for (line, sentence) in [
        (
            "deletion_protecton = true",
            "x.tfvars:3: `deletion_protecton` is not a variable of terraform/variables.tf (did you mean `deletion_protection`?)",
        ),
        (
            "multi_az = true",
            "x.tfvars:3: `multi_az` is not a variable of terraform/variables.tf (did you mean `database.multi_az`?)",
        ),
        (
            "zzz = 1",
            "x.tfvars:3: `zzz` is not a variable of terraform/variables.tf; known are region, database, access, deletion_protection",
        ),
        (
            "deletion_protection = \"true\"",
            "x.tfvars:3: `deletion_protection` is the text \"true\" and must be true or false, without quotes",
        ),
        (
            "access = { a = { arn = \"x\", name = [] } }",
            "x.tfvars:3: `access.a.name` is not an attribute of `access.a` in terraform/variables.tf (did you mean `names`?)",
        ),
        (
            "access = {\n a = { names = [1], arn = \"x\" }\n}",
            "x.tfvars:4: `access.a.names[0]` is the number 1 and must be a text in quotes",
        ),
        (
            "access = {\n a = {} }",
            "x.tfvars:4: `access.a.arn` is missing; add it, a text in quotes",
        ),
        ("access = []", "x.tfvars:3: `access` is a list and must be a map in braces"),
        (
            "password = \"x\"",
            "x.tfvars:3: `password` never stands in a file: the runner hands it over; take the line out",
        ),
    ] {
        let error = checked(&format!("{GOOD}{line}\n")).unwrap_err();
        assert_eq!(Exit::of(&error), Exit::BadInput);
        assert_eq!(format!("{error:#}"), sentence);
    }
}

#[test]
fn what_is_missing_and_how_much_more_is_wrong_is_said() {
    for (text, sentence) in [
        ("database = { class = \"a\" }", "x.tfvars: `region` is missing; add it, a text in quotes"),
        (
            "region = null\ndatabase = {}",
            "x.tfvars:1: `region` is null and must be a text in quotes (and there is one more fault)",
        ),
    ] {
        assert_eq!(format!("{:#}", checked(text).unwrap_err()), sentence);
    }
}

#[test]
fn a_type_that_is_not_known_names_its_line() {
    let text = "\nvariable \"x\" {\n  type = capsule(string)\n}\n";
    let error = Declarations::parse(text, "v.tf").unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "v.tf:2: the type `capsule(string)` is not known to the runner"
    );
}

#[test]
fn what_is_shipped_keeps_to_the_declarations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (module, file) in [
        ("terraform", "terraform/environments/dev.tfvars"),
        ("terraform", "terraform/environments/prod.tfvars"),
        ("terraform/bootstrap", "terraform/bootstrap/accounts/123456789012.tfvars"),
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let declarations = Declarations::read(root, module).unwrap();
        declarations.check(&hcl::read(&text, file).unwrap(), file).unwrap();
    }
}

#[test]
fn all_variables_of_a_module_stand_in_one_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for module in ["terraform", "terraform/bootstrap"] {
        for file in fs::read_dir(root.join(module)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|it| it == "tf") && !path.ends_with("variables.tf") {
                let text = fs::read_to_string(&path).unwrap();
                assert!(!text.contains("\nvariable \""), "{} declares a variable", path.display());
            }
        }
    }
}
