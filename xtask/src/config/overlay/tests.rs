use serde_json::{Value, json};

use super::{File, Overlay};
use crate::{
    config::{oracle, yaml},
    exit::Exit,
};

fn file(shown: &str, text: &str) -> File {
    File { shown: shown.to_owned(), entries: yaml::read(text, shown).unwrap() }
}

fn overlay(overlay: &str, base: &str, chart: &str) -> Overlay {
    Overlay::merged([
        file("dev.yaml", overlay),
        file("base.yaml", base),
        file("values.yaml", chart),
    ])
}

#[test]
fn base_counts_and_the_overlay_wins() {
    let chart = "auth: {smtp: {enabled: false, port: 25}}\ningress: {scheme: internet-facing}\n";
    let values = overlay("auth: {smtp: {port: 587}}\n", "auth: {smtp: {enabled: yes}}\n", chart);
    assert!(values.smtp_enabled());
    assert_eq!(values.value("/auth/smtp/port"), Some(&json!(587)));
    assert!(!values.load_balancer_is_internal());
    assert!(overlay("{}", "ingress: {scheme: internal}", chart).load_balancer_is_internal());
    assert!(!overlay("auth: {smtp: null}", "auth: {smtp: {enabled: yes}}", chart).smtp_enabled());
}

#[test]
fn null_takes_an_entry_of_the_chart_out() {
    let values = overlay("a: {x: null, z: null}", "a: {z: 1}", "a: {x: 1, w: 2}");
    assert_eq!(values.value("/a"), Some(&json!({"w": 2, "z": null})));
}

#[test]
fn what_the_runner_would_overwrite_is_refused_with_the_reason() {
    let generated = json!({"database": {"name": "supabase"}, "networkPolicy": {"databaseCidrs": {"vpc": null}}});
    for (mine, base, place) in [
        ("auth: {}\ndatabase:\n  name: restored\n", "{}", "dev.yaml:3"),
        ("{}", "database: {name: restored}\n", "base.yaml:1"),
    ] {
        let error = overlay(mine, base, "{}").refuse_overwritten(&generated).unwrap_err();
        assert_eq!(Exit::of(&error), Exit::BadInput);
        assert_eq!(
            format!("{error:#}"),
            format!(
                "{place}: `database.name` would be overwritten: the runner takes its value from Terraform's outputs, so \
                 that both always agree; take the line out"
            )
        );
    }
    let harmless =
        "networkPolicy: {databaseCidrs: {office: 10.0.0.0/8, vpc: null}}\ndatabase: {port: 1}\n";
    overlay(harmless, "{}", "{}").refuse_overwritten(&generated).unwrap();
}

#[test]
fn the_key_that_a_sentence_names_is_found() {
    let chart = "kong: {autoscaling: {minReplicas: 1, maxReplicas: 2}}\n";
    let values = overlay(
        "auth: {}\nkong:\n  autoscaling:\n    maxReplicas: 2\n    minReplicas: 5\n",
        "{}",
        chart,
    );
    let place = |sentence: &str| values.place_in(sentence);
    assert_eq!(
        place("kong.autoscaling: minReplicas 5 is above maxReplicas 2").as_deref(),
        Some("dev.yaml:5")
    );
    assert_eq!(place("nothing.of that"), None);
}

#[test]
fn a_place_is_that_of_the_nearest_part_that_people_wrote() {
    let values =
        overlay("auth:\n  smtp:\n    host: x\n", "kong: {}\n", "auth: {smtp: {port: 1}}\n");
    assert_eq!(values.place_of(&["auth", "smtp", "port"]), "dev.yaml:2");
    assert_eq!(values.place_of(&["kong", "workers"]), "base.yaml:1");
    assert_eq!(values.place_of(&["rest"]), "dev.yaml");
    assert_eq!(values.value("/nothing"), None::<&Value>);
}

#[test]
fn layers_are_merged_as_helm_merges_them() {
    let (mut chart, mut base, mut mine) = (String::new(), String::new(), String::new());
    let shapes =
        ["null", "1", "{a: 1}", "{a: {b: 2}, c: null}", "{a: null, d: [1]}", "[1, 2]", "{}"];
    let mut number = 0;
    for of_chart in ["1", "{a: 1, c: 2}", "{a: {b: 1, c: 1}}", "[0]"] {
        for of_base in shapes {
            for of_mine in shapes {
                number += 1;
                chart.push_str(&format!("k{number}: {of_chart}\n"));
                base.push_str(&format!("k{number}: {of_base}\n"));
                mine.push_str(&format!("k{number}: {of_mine}\n"));
            }
        }
    }
    let theirs = oracle::helm(&[&chart, &base], &mine).unwrap();
    let ours = overlay(&mine, &base, &chart);
    for (key, value) in theirs.as_object().unwrap() {
        assert_eq!(
            oracle::comparable(ours.value(&format!("/{key}")).unwrap_or(&Value::Null)),
            oracle::comparable(value),
            "{key}: {:?}",
            [&chart, &base, &mine]
                .map(|text| text.lines().find(|it| it.starts_with(&format!("{key}:"))))
        );
    }
}
