//! What a person sees of the command line, as snapshots.

use expect_test::{expect, expect_file};

use crate::harness::Xtask;

#[test]
fn help_is_what_the_readme_promises() {
    let said = Xtask::new("--help").run();
    assert_eq!((said.code, said.error.as_str()), (0, ""));
    expect_file!["snapshots/help.txt"].assert_eq(&said.out);
}

#[test]
fn a_dry_run_shows_every_step_and_touches_nothing() {
    let said = Xtask::new("deploy dev --dry-run").run();
    assert_eq!((said.code, said.error.as_str()), (0, ""));
    expect_file!["snapshots/deploy-dev.txt"].assert_eq(&said.out);
}

#[test]
fn a_dry_run_of_destroy_walks_backwards() {
    let said = Xtask::new("destroy prod --dry-run").run();
    assert_eq!((said.code, said.error.as_str()), (0, ""));
    expect_file!["snapshots/destroy-prod.txt"].assert_eq(&said.out);
}

#[test]
fn a_plan_is_data() {
    let said = Xtask::new("deploy prod --dry-run --format json --only smoke").run();
    let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(plan["operation"], "deploy");
    assert_eq!(plan["stages"][0]["name"], "smoke");
    assert!(plan["stages"][0]["steps"].as_array().unwrap().len() > 10);
}

#[test]
fn a_wrong_command_line_is_told_with_the_right_one() {
    let said = Xtask::new("deploi dev").run();
    assert_eq!(said.code, 64);
    expect![[r#"
        error: unrecognized subcommand 'deploi'

          tip: a similar subcommand exists: 'deploy'

        Usage: cargo xtask [OPTIONS] <COMMAND>

        For more information, try '--help'.
    "#]]
    .assert_eq(&said.error);
}

#[test]
fn a_typing_error_never_leads_to_a_verb_that_destroys() {
    let said = Xtask::new("depoly dev").run();
    assert_eq!(said.code, 64);
    assert!(said.error.contains("a similar subcommand exists: 'deploy'"), "{}", said.error);
    assert!(!said.error.contains("destroy"), "{}", said.error);
    let meant = Xtask::new("destory dev").run();
    assert!(meant.error.contains("'destroy'"), "{}", meant.error);
}

#[test]
fn misspelt_names_are_seen_through() {
    for (command, meant) in [
        ("deploy dve --dry-run", "unknown environment `dve` (did you mean `dev`?)"),
        (
            "deploy dev --dry-run --from infra",
            "there is no stage `infra` (did you mean `infrastructure`?)",
        ),
        ("stage smok dev --dry-run", "there is no stage `smok` (did you mean `smoke`?)"),
        (
            "secrets set dev smtp/passwort",
            "there is no secret `smtp/passwort` (did you mean `smtp/password`?)",
        ),
        ("bench --only biuld", "there is no figure `biuld` (did you mean `build`?)"),
        ("test --only tidyy", "there is no check `tidyy` (did you mean `tidy`?)"),
        ("test --skip helm-rendr", "there is no check `helm-rendr` (did you mean `helm-render`?)"),
    ] {
        let said = Xtask::new(command).run();
        assert_eq!(said.code, 3, "{}", said.error);
        assert!(said.error.contains(meant), "{}", said.error);
    }
}
