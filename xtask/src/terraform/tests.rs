//! The runner against a stand-in for Terraform: a shell script that says what the real one says.

use std::{
    cell::RefCell, collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path,
    time::Duration,
};

use xtask_pipeline::Blocked;
use xtask_tools::{Interrupt, Processes, Redactor, Secret};

use super::{Backend, Baseline, Mode, Terraform};
use crate::watch::Watch;

const LOCKED: &str = "cat >&2 <<'TEXT'

Error: Error acquiring the state lock

Error message: operation error S3: PutObject, https response error StatusCode: 412
Lock Info:
  ID:        7f3a-9
  Who:       root@machine
  Operation: OperationTypeApply
  Created:   2026-01-31 09:30:00 +0000 UTC

Terraform acquires a state lock to protect the state.
TEXT
exit 1
";

/// A Terraform whose program is `script`; what it was called with is in `calls` of its folder.
fn terraform(folder: &Path, script: &str) -> Terraform {
    let program = folder.join("terraform-stand-in");
    let module = folder.join("terraform");
    fs::create_dir_all(&module).unwrap();
    fs::write(module.join(".terraform.lock.hcl"), "").unwrap();
    let whole =
        format!("#!/bin/sh\ncd '{0}'\nshift\necho \"$@\" >> calls\n{script}\n", folder.display());
    fs::write(&program, whole).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Terraform {
        processes: Processes::new(Redactor::new(), Interrupt::new()),
        program,
        module,
        var_file: folder.join("dev.tfvars"),
        workspace: "dev".to_owned(),
        backend: Backend { bucket: "b".to_owned(), key: "k".to_owned(), region: "r".to_owned() },
        folder: folder.to_owned(),
        work: folder.to_owned(),
        environment: BTreeMap::new(),
        kept_keys: None,
        existing_log_groups: Vec::new(),
        mend: Some(("cargo xtask state".to_owned(), "dev".to_owned())),
    }
}

fn password() -> Secret {
    Secret::new("not-a-real-password".to_owned())
}

fn calls(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("calls")).unwrap_or_default();
    text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Runs `work` with a watch, and returns what it noted.
fn noted<T>(work: impl FnOnce(&Watch<'_>) -> T) -> (T, Vec<String>) {
    let notes = RefCell::new(Vec::new());
    let note = |message: &str| notes.borrow_mut().push(message.to_owned());
    let done = work(&Watch::aside("test", Duration::from_mins(1), |_| (), note));
    (done, notes.into_inner())
}

#[test]
fn who_holds_the_lock_is_named_before_it_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("case \"$*\" in *-lock-timeout=15m*) exit 0;; esac\n{LOCKED}");
    let terraform = terraform(folder.path(), &script);
    let (planned, notes) = noted(|watch| terraform.plan(watch, &password(), Mode::Normal));
    assert!(!planned.unwrap());
    assert_eq!(calls(folder.path()), ["plan", "plan"]);
    for part in
        ["root@machine", "2026-01-31T09:30:00Z", "7f3a-9", "cargo xtask state unlock dev 7f3a-9"]
    {
        assert!(notes[0].contains(part), "`{part}` is not in {notes:?}");
    }
}

#[test]
fn a_lock_that_stays_names_the_command_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let terraform = terraform(folder.path(), LOCKED);
    let (planned, _) = noted(|watch| terraform.plan(watch, &password(), Mode::Normal));
    let blocked = planned.unwrap_err().downcast::<Blocked>().unwrap();
    assert_eq!(blocked.command, "cargo xtask state unlock dev 7f3a-9");
    assert!(blocked.message.contains("locked by root@machine"), "{blocked}");
}

/// A `terraform` whose apply leaves an unsaved state, and whose own state has this serial.
fn unsaved(serial: u32) -> String {
    format!(
        "case \"$1 $2\" in\n\
         'apply '*) echo '{{\"lineage\": \"l\", \"serial\": 7}}' > terraform/errored.tfstate; \
         echo 'Error: Failed to save state to errored.tfstate' >&2; exit 1;;\n\
         'state pull') echo '{{\"lineage\": \"l\", \"serial\": {serial}}}';;\nesac"
    )
}

#[test]
fn a_state_that_could_not_be_saved_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let terraform = terraform(folder.path(), &unsaved(6));
    let (applied, _) = noted(|watch| terraform.apply_plan(watch, &password()));
    let told = format!("{:#}", applied.unwrap_err());
    assert!(told.contains("was put back") && told.contains("Failed to save state"), "{told}");
    let text = fs::read_to_string(folder.path().join("calls")).unwrap();
    assert!(
        text.lines().last().unwrap().starts_with("state push -no-color -lock-timeout"),
        "{text}"
    );
    assert!(!folder.path().join("errored.tfstate").exists(), "nothing is left of it");
    assert!(
        !folder.path().join("terraform/errored.tfstate").exists(),
        "nor for another environment"
    );
}

#[test]
fn an_unsaved_state_is_kept_when_the_state_has_moved_on() {
    let folder = tempfile::tempdir().unwrap();
    let terraform = terraform(folder.path(), &unsaved(8));
    let (applied, _) = noted(|watch| terraform.apply_plan(watch, &password()));
    let told = format!("{:#}", applied.unwrap_err());
    assert!(told.contains("unsaved-7.tfstate"), "{told}");
    assert!(folder.path().join("unsaved-7.tfstate").is_file());
    assert!(!fs::read_to_string(folder.path().join("calls")).unwrap().contains("state push"));
}

#[test]
fn the_unsaved_state_of_another_environment_is_left_alone() {
    for (pull, names_it) in [("{\"lineage\": \"other\", \"serial\": 1}", false), ("", true)] {
        let folder = tempfile::tempdir().unwrap();
        let terraform = terraform(folder.path(), &format!("echo '{pull}'"));
        let left = folder.path().join("terraform/errored.tfstate");
        fs::write(&left, "{\"lineage\": \"l\", \"serial\": 7}").unwrap();
        let (told, _) = noted(|watch| terraform.put_back(watch).unwrap());
        assert_eq!(told.is_some_and(|told| told.contains("state push dev")), names_it);
        assert!(left.is_file() && !calls(folder.path()).is_empty());
        assert!(!fs::read_to_string(folder.path().join("calls")).unwrap().contains("push"));
    }
}

#[test]
fn what_aws_has_and_the_state_has_not_is_named_with_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let script = "cat >&2 <<'TEXT'\n\nError: creating SSM Parameter (/dev/x): operation error SSM: PutParameter, \
                  ParameterAlreadyExists: The parameter already exists.\n\n  with aws_ssm_parameter.this[\"x\"],\n  \
                  on parameters.tf line 7, in resource \"aws_ssm_parameter\" \"this\":\n   7: resource {\n\nTEXT\nexit 1";
    let terraform = terraform(folder.path(), script);
    let (applied, _) = noted(|watch| terraform.apply_plan(watch, &password()));
    let told = format!("{:#}", applied.unwrap_err());
    assert!(
        told.contains("cargo xtask state adopt dev 'aws_ssm_parameter.this[\"x\"]' '/dev/x'"),
        "{told}"
    );
    assert!(told.contains("terraform/parameters.tf:7: "), "{told}");
}

/// One state for all: not one command for each, and no file that holds the state.
#[test]
fn what_an_interrupt_tainted_is_untainted_in_one_push() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"case "$*" in
'state pull') echo '{"lineage": "l", "resources": [{"instances": [
  {"index_key": "x", "status": "tainted"}, {"attributes": {"password": "canary"}, "index_key": "y", "status": "tainted"}
  ], "mode": "managed", "name": "b", "type": "a"}], "serial": 7}';;
'state push'*) test "$(cat)" = '{"lineage":"l","resources":[{"instances":[{"index_key":"x"},{"attributes":{"password":"canary"},"index_key":"y"}],"mode":"managed","name":"b","type":"a"}],"serial":8}';;
esac"#;
    let terraform = terraform(folder.path(), script);
    let both = ["a.b[\"x\"]", "a.b[\"y\"]"].map(str::to_owned);
    let told = RefCell::new(Vec::new());
    let tell = |address: &str| told.borrow_mut().push(address.to_owned());
    noted(|watch| terraform.untaint(watch, &both, &tell)).0.unwrap();
    assert_eq!(told.into_inner(), both);
    let text = fs::read_to_string(folder.path().join("calls")).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("state push -no-color -lock-timeout=3s -\n"), "{text}");
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        let is_stand_in = path.ends_with("terraform-stand-in") || path.is_dir();
        assert!(is_stand_in || !fs::read_to_string(&path).unwrap().contains("canary"), "{path:?}");
    }
}

/// The command after it: one that is looked for by the next plan goes on with `--resume`; nothing else
/// but its own command helps with one that is not.
#[test]
fn what_no_run_looks_for_is_blocked_until_a_person_decides() {
    for (kind, command) in [
        ("aws_iam_role", None),
        (
            "aws_wafv2_web_acl",
            Some("cargo xtask state adopt dev 'module.e[\"a.b\"].aws_wafv2_web_acl.this[0]' 'x'"),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "cat >&2 <<'TEXT'\n\nError: creating it (x): EntityAlreadyExists\n\n  with module.e[\"a.b\"].{kind}.this[0],\n\nTEXT\nexit 1"
        );
        let terraform = terraform(folder.path(), &script);
        let error = noted(|watch| terraform.apply_plan(watch, &password())).0.unwrap_err();
        let blocked = error.chain().find_map(|cause| cause.downcast_ref::<Blocked>());
        assert_eq!(blocked.map(|blocked| blocked.command.as_str()), command);
        let told = format!("{error:#}");
        assert!(told.contains("EntityAlreadyExists") && told.contains("state adopt"), "{told}");
    }
}

/// A refresh that finds `found` beside what was recorded, and notes it when it is applied.
fn baseline_of(found: &str) -> String {
    let schema = r#"{"provider_schemas": {"p": {"resource_schemas": {"x": {"block": {"attributes": {"arn": {"computed": true}, "policy": {"computed": true, "optional": true}}}}}}}}"#;
    let plan = format!(
        r#"{{"resource_drift": [{{"address": "x.y", "type": "x", "mode": "managed", "change": {{"actions": ["update"], "before": {{"size": 1}}, "after": {found}}}}}]}}"#
    );
    format!(
        "case \"$1\" in\nplan) exit 2;;\nshow) echo '{plan}';;\nproviders) echo '{schema}';;\napply) ;;\nesac"
    )
}

#[test]
fn a_baseline_records_what_aws_computed_and_nothing_else() {
    for (found, applied, recorded) in [
        (r#"{"size": 1, "arn": "a"}"#, "", true),
        (r#"{"size": 1, "policy": "p"}"#, "x.y\n", true),
        (r#"{"size": 1, "policy": "p"}"#, "", false),
        (r#"{"size": 2, "arn": "a"}"#, "x.y\n", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let terraform = terraform(folder.path(), &baseline_of(found));
        fs::write(folder.path().join("baseline-wanted"), applied).unwrap();
        let (baseline, _) = noted(|watch| terraform.record_baseline(watch, &password()).unwrap());
        assert_eq!(matches!(baseline, Baseline::Recorded(_)), recorded, "{found}: {baseline:?}");
        assert_eq!(calls(folder.path()).contains(&"apply".to_owned()), recorded, "{found}");
        assert_eq!(terraform.wants_baseline(), !recorded, "{found}");
        if let Baseline::Refused(drift) = baseline {
            assert!(drift[0].lines()[0].contains("x.y"), "{drift:?}");
        }
    }
}

#[test]
fn an_apply_notes_what_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let script =
        "echo 'a.b: Creation complete after 1s [id=x]'; echo 'Apply complete! Resources: 1 added.'";
    let terraform = terraform(folder.path(), script);
    let (applied, _) = noted(|watch| terraform.apply_plan(watch, &password()));
    assert_eq!(applied.unwrap(), "1 added");
    assert_eq!(fs::read_to_string(folder.path().join("baseline-wanted")).unwrap(), "a.b\n");
}
