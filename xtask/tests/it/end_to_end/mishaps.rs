//! What goes wrong in real life, and the way back from it.

use std::{fs, path::Path};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    leaks::reveals_a_secret,
    sandbox::{Sandbox, events, tell},
};
use crate::harness::root;

/// Credentials of another account than the environment's: nothing is touched.
pub(super) fn another_account_is_refused(sandbox: &Sandbox) {
    let checkout = checkout();
    let values = checkout.path().join("terraform/environments/dev.tfvars");
    let text = fs::read_to_string(&values).unwrap();
    fs::write(&values, text.replace("123456789012", "210987654321")).unwrap();
    let said = sandbox.xtask_in(checkout.path(), "deploy dev --sandbox").run();
    assert_eq!(said.code, 4, "{}\n{}", said.out, said.error);
    let all = format!("{}{}", said.out, said.error);
    for part in ["123456789012", "210987654321"] {
        assert!(all.contains(part), "`{part}` is not said:\n{all}");
    }
    assert!(!all.contains("state-bucket"), "it went on:\n{all}");
    tell("credentials of another account are refused before anything is made");
}

/// Ctrl-C while Terraform waits for the database: it ends with code 130 and says how to go on.
pub(super) fn an_interrupt_is_heard(sandbox: &Sandbox) {
    let line = "deploy dev --sandbox --format json";
    let begun = |text: &str| text.contains("aws_db_instance.primary: Still creating...");
    let said = sandbox.xtask(line).stopped(Signal::INT, begun);
    assert_eq!(said.code, 130, "{}\n{}", said.out, said.error);
    let ended = events(&said).pop().unwrap();
    assert_eq!(ended["event"], "run-ended", "{ended}");
    assert_eq!(ended["report"]["verdict"], "interrupted", "{ended}");
    assert!(ended.to_string().contains("--resume"), "{ended}");
    tell("an interrupt during apply ends with 130 and names the command that goes on");
}

/// A runner that is killed while Terraform works: the next one waits for the lock and goes on.
pub(super) fn a_killed_runner_leaves_no_lock(sandbox: &Sandbox) {
    let begun = |text: &str| text.contains("\"step-started\"") && text.contains("\"plan\"");
    let line = "stage infrastructure dev --sandbox";
    let said = sandbox.xtask(&format!("{line} --format json")).stopped(Signal::KILL, begun);
    assert!(!said.out.contains("run-ended"), "it ended before it was killed");
    sandbox.must(line);
    tell("a killed runner's lock does not stop the next one");
}

/// An image that does not exist: named, rolled back, code 10, and still answering.
pub(super) fn a_failed_release_is_rolled_back(sandbox: &Sandbox) {
    let checkout = changed_checkout("image: {tag: v0.0.0-none}");
    let line = "stage release dev --sandbox";
    let said = sandbox.xtask_in(checkout.path(), line).run();
    assert_eq!(said.code, 10, "{}\n{}", said.out, said.error);
    let all = format!("{}{}", said.out, said.error);
    for part in ["supabase-rest", "ImagePullBackOff", "v0.0.0-none", "rolled back to revision"] {
        assert!(all.contains(part), "`{part}` is not said:\n{all}");
    }
    sandbox.must("stage smoke dev --sandbox");
    tell("a release whose image does not exist is diagnosed and rolled back");
}

/// A container that prints its settings and dies: its last lines are shown, its secrets are not.
/// The stage runs alone, as in a workflow, so that it never made the secrets itself.
pub(super) fn a_crash_tells_no_secret(sandbox: &Sandbox) {
    let checkout = changed_checkout("maxRows: 999");
    sandbox.must("sandbox fault upgrade-crash rest");
    let said = sandbox.xtask_in(checkout.path(), "stage release dev --sandbox").run();
    sandbox.must("sandbox fault --clear upgrade-crash rest");
    assert_eq!(said.code, 10, "{}\n{}", said.out, said.error);
    let all = format!("{}{}", said.out, said.error);
    for part in ["supabase-rest", "PGRST_DB_URI=", "rolled back to revision"] {
        assert!(all.contains(part), "`{part}` is not said:\n{all}");
    }
    assert!(!reveals_a_secret(sandbox, "dev", &all), "a secret is said");
    sandbox.must("stage smoke dev --sandbox");
    tell("a container that prints its settings and crashes is diagnosed without its secrets");
}

/// The same code with another value for PostgREST, and little patience with its rollout.
fn changed_checkout(value: &str) -> tempfile::TempDir {
    let folder = checkout();
    let overlay = folder.path().join("helm/overlays/dev.yaml");
    let text = fs::read_to_string(&overlay).unwrap();
    let changed = text.replacen("\nrest:\n", &format!("\nrest:\n  {value}\n"), 1);
    assert_ne!(text, changed, "the overlay has no `rest:`");
    fs::write(&overlay, format!("{changed}\nrolloutDeadlineSeconds: 15\n")).unwrap();
    folder
}

/// The charts and the environments' files in a folder of their own, to be changed.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["helm", "terraform"] {
        copy(&root().join(part), &folder.path().join(part));
    }
    fs::create_dir_all(folder.path().join("xtask")).unwrap();
    fs::write(folder.path().join("xtask/ARCHITECTURE.md"), "").unwrap();
    fs::create_dir_all(folder.path().join("target")).unwrap();
    let tools = root().join("target/tools");
    std::os::unix::fs::symlink(tools, folder.path().join("target/tools")).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A sandbox whose supervisor died is found, cleaned up and started anew.
pub(super) fn a_dead_sandbox_is_started_anew(sandbox: &Sandbox) {
    let daemon = sandbox.state()["pid"].as_i64().unwrap();
    let daemon = Pid::from_raw(i32::try_from(daemon).unwrap()).unwrap();
    kill_process(daemon, Signal::KILL).unwrap();
    let said = sandbox.must("sandbox up");
    let told = format!("{}{}", said.out, said.error);
    assert!(told.contains("what a dead sandbox left"), "{told}");
    tell("a dead sandbox is cleaned up and started anew");
}
