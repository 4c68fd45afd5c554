//! Plans of fake stages, as text and as JSON.

use expect_test::expect;

use super::*;
use crate::{
    Outcome,
    fake::{Fake, World, stage, table},
};

fn diamond() -> Table<World> {
    let look = |stage: Fake| {
        stage.step("look", Effect::Read, |_, _| Ok(Outcome::Unchanged("fine".to_owned())))
    };
    table(vec![
        look(stage("preflight", &[])),
        stage("infrastructure", &["preflight"]).changes("apply"),
        stage("addons", &["infrastructure"]).changes("install"),
        stage("secrets", &["infrastructure"]).changes("store").leaves("secrets in the store"),
        look(stage("release", &["addons", "secrets", "preflight"])),
    ])
}

fn only(names: &[&str]) -> Selection {
    let only = names.iter().map(|name| (*name).to_owned()).collect();
    Selection { only, ..Selection::default() }
}

#[test]
fn a_deployment_as_text() {
    let plan = Plan::deploy(&diamond(), &Selection::default(), "dev", &World::default()).unwrap();
    expect![[r#"
        deploy dev: 5 stages, 5 steps (2 read, 3 write)

        1. preflight [read, at most 10 min]
           Something is there.
           read         look  do look
                              $ tool preflight/look

        2. infrastructure [write, at most 10 min]
           Something is there.
           after: preflight
           write        apply  do apply
                               $ tool infrastructure/apply

        3. addons [write, at most 10 min]
           Something is there.
           after: infrastructure
           write        install  do install
                                 $ tool addons/install

        4. secrets [write, at most 10 min]
           Something is there.
           after: infrastructure
           write        store  do store
                               $ tool secrets/store

        5. release [read, at most 10 min]
           Something is there.
           after: addons, secrets
           read         look  do look
                              $ tool release/look
    "#]]
    .assert_eq(&plan.document().to_string());
}

#[test]
fn a_part_of_a_tear_down_as_text_goes_backwards() {
    let selection = only(&["infrastructure", "secrets", "release"]);
    let plan = Plan::destroy(&diamond(), &selection, "dev", &World::default()).unwrap();
    assert_eq!(plan.names(), ["release", "secrets", "infrastructure"]);
    let after: Vec<_> = plan.stages.iter().map(|stage| stage.after.clone()).collect();
    assert_eq!(after, [vec![], vec!["release"], vec!["secrets"]]);
    let text = plan.document().to_string();
    assert!(text.starts_with("destroy dev: 3 stages, 3 steps (3 destructive)\n"), "{text}");
}

#[test]
fn order_survives_stages_that_are_left_out_and_they_are_taken_as_done() {
    let selection = only(&["preflight", "release"]);
    let plan = Plan::deploy(&diamond(), &selection, "dev", &World::default()).unwrap();
    let release = &plan.stages[1];
    assert_eq!(release.after, ["preflight"]);
    assert_eq!(release.assumed, ["addons", "secrets"]);
    let text = plan.document().to_string();
    assert!(text.contains("   taken as done: addons, secrets\n"), "{text}");
}

#[test]
fn the_document_for_machines_has_the_same_content() {
    let selection = only(&["secrets"]);
    let plan = Plan::deploy(&diamond(), &selection, "dev", &World::default()).unwrap();
    expect![[r#"
        {
          "schema": 1,
          "operation": "deploy",
          "environment": "dev",
          "effects": {
            "read": 0,
            "write": 1,
            "destructive": 0
          },
          "stages": [
            {
              "name": "secrets",
              "purpose": "Something is there.",
              "effect": "write",
              "undo": "tear-down",
              "after": [],
              "assumed": [
                "infrastructure"
              ],
              "deadline_seconds": 600,
              "steps": [
                {
                  "id": "store",
                  "title": "do store",
                  "effect": "write",
                  "preview": {
                    "kind": "command",
                    "what": "tool secrets/store"
                  },
                  "leaves": "secrets in the store"
                }
              ]
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&plan.document()).unwrap());
}

#[test]
fn a_step_with_more_effect_than_its_stage_declares_is_refused() {
    let table =
        table(vec![stage("a", &[]).step("x", Effect::Destructive, |_, _| anyhow::bail!("no"))]);
    let error = Plan::stage(&table, "a", "dev", &World::default()).unwrap_err().to_string();
    let expected = "step `x` of stage `a` has the effect destructive, but the stage declares write";
    assert_eq!(error, expected);
    Plan::destroy(&table, &Selection::default(), "dev", &World::default()).unwrap();
}

#[test]
fn two_steps_of_one_name_are_refused() {
    let table = table(vec![stage("a", &[]).changes("x").changes("x")]);
    let error = Plan::deploy(&table, &Selection::default(), "dev", &World::default());
    assert_eq!(error.unwrap_err().to_string(), "stage `a` has two steps `x`");
}
