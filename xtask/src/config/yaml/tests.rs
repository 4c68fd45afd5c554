use proptest::{
    prelude::any,
    sample::Index,
    strategy::{Strategy as _, ValueTree as _},
    string::string_regex,
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use super::read;
use crate::{config::oracle, exit::Exit};

fn values(text: &str) -> Value {
    read(text, "x.yaml").unwrap().to_json()
}

fn refused(text: &str) -> String {
    let error = read(text, "x.yaml").unwrap_err();
    assert_eq!(Exit::of(&error), Exit::BadInput, "{error:#}");
    format!("{error:#}")
}

#[test]
fn words_of_yaml_1_1_mean_what_they_mean_to_helm() {
    assert_eq!(
        values("a: yes\nb: off\nc: \"yes\"\nd: ~\ne: Yes\nf: y\ng: !!str no\nh: yess\n"),
        json!({"a": true, "b": false, "c": "yes", "d": null, "e": true, "f": true, "g": "no", "h": "yess"})
    );
}

#[test]
fn numbers_are_those_of_yaml_1_1() {
    assert_eq!(
        values(
            "a: 0644\nb: 1_000\nc: 0x1F\nd: 1e3\ne: 08\nf: 1.5\ng: 2001-01-01\nh: 1.2.3\ni: +5\nj: .5\nk: 10:30\n"
        ),
        json!({"a": 420, "b": 1000, "c": 31, "d": 1000, "e": 8, "f": 1.5, "g": "2001-01-01", "h": "1.2.3", "i": 5,
               "j": 0.5, "k": "10:30"})
    );
}

#[test]
fn merge_keys_and_aliases_are_written_out() {
    assert_eq!(
        values(
            "a: &a {x: 1, z: 2}\nb:\n  <<: *a\n  z: 3\nc: *a\nd:\n  <<: [{x: 4}, *a]\ne: {z: 3, <<: *a}\n"
        ),
        json!({"a": {"x": 1, "z": 2}, "b": {"x": 1, "z": 3}, "c": {"x": 1, "z": 2}, "d": {"x": 4, "z": 2},
               "e": {"x": 1, "z": 2}})
    );
}

#[test]
fn what_nobody_can_have_meant_is_refused_with_its_place() {
    for (text, sentence) in [
        (
            "kong: {a: 1}\nauth: {}\nkong: {}\n",
            "x.yaml:3: `kong` was set on line 1 already; Helm would forget the first: keep one of the two",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "x.yaml:2: a second document begins, which some versions of Helm merge and others leave out; keep one",
        ),
        (
            "auth:\n  on: 1\n",
            "x.yaml:2: `auth` has a truth value as a key, as Helm reads it; put the key in quotes",
        ),
        (
            "a:\n  b: .inf\n",
            "x.yaml:2: `a.b` is `.inf`, which values cannot hold; put a text in quotes",
        ),
        ("- a\n", "x.yaml:1: values are a map, `key: value`, and not a list"),
        (
            "a: !!binary eA==\n",
            "x.yaml:1: `a` has the tag `!!binary`; leave it out and write the value itself",
        ),
        ("a: &a [*a]\n", "x.yaml:1: `a` refers to itself; write the value out"),
        ("a:\n  <<: 1\n", "x.yaml:2: `a` `<<` merges a map, or a list of maps, and nothing else"),
    ] {
        assert_eq!(refused(text), sentence);
    }
    let text = refused("auth:\n  smtp: [\n");
    assert!(text.starts_with("x.yaml:") && text.contains("`auth.smtp` not valid YAML"), "{text}");
}

#[test]
fn aliases_cannot_make_a_file_endless() {
    let mut text = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n".to_owned();
    for level in 1..9 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    assert!(refused(&text).contains("longer than values can be"));
}

#[test]
fn an_empty_file_is_an_empty_map() {
    for text in ["", "# nothing\n", "---\n", "null\n"] {
        assert_eq!(values(text), json!({}), "{text:?}");
    }
}

/// Plain scalars and small structures as people might write them.
const FRAGMENT: &str = "[-+]?[0-9_.xobeE:]{1,6}|[-+.]?[0-9]{1,3}[eE.][-+]?[0-9]{0,2}|[a-zA-Z.~-]{1,5}\
                        |(yes|No|ON|off|y|N|true|False|null|~|!!str yes|\"no\"|'on'|0o17|0b11|0x1f|2001-12-14)\
                        |\\[(yes|1|a b), [a-z0-9.]{1,3}\\]|\\{a: (off|0644|x), b: [a-z0-9]{1,3}\\}";

#[test]
fn every_scalar_is_what_helm_reads() {
    let mut runner = TestRunner::deterministic();
    let strategy = string_regex(FRAGMENT).unwrap();
    let mut text = String::new();
    for number in 0..1500 {
        let fragment = strategy.new_tree(&mut runner).unwrap().current();
        let line = format!("k{number}: {fragment}\n");
        // What is refused here, people have to write in another way: that is no difference.
        if read(&line, "x.yaml").is_ok() {
            text.push_str(&line);
        }
    }
    assert!(text.lines().count() > 1000, "too much is refused to compare anything");
    let theirs = oracle::helm(&[], &text).unwrap();
    let ours = values(&text);
    for (key, value) in ours.as_object().unwrap() {
        let line = text.lines().find(|line| line.starts_with(&format!("{key}:")));
        assert_eq!(oracle::comparable(value), oracle::comparable(&theirs[key]), "{line:?}");
    }
}

#[test]
fn a_damaged_overlay_is_refused_with_its_line_or_read_as_helm_reads_it() {
    let shipped = [
        include_str!("../../../../helm/overlays/dev.yaml"),
        include_str!("../../../../helm/overlays/prod.yaml"),
        include_str!("../../../../helm/overlays/example.yaml"),
    ];
    let damage = (
        0..shipped.len(),
        any::<Index>(),
        0_usize..40,
        string_regex("[-a-z0-9:{}\\[\\]#&*!|>'\"%@, \n\t]{0,4}").unwrap(),
    );
    let mut runner = TestRunner::deterministic();
    let mut compared = 0;
    for _ in 0..600 {
        let (file, place, length, inserted) = damage.new_tree(&mut runner).unwrap().current();
        let mut text: Vec<char> = shipped[file].chars().collect();
        let at = place.index(text.len());
        let end = (at + length).min(text.len());
        text.splice(at..end, inserted.chars());
        let text: String = text.into_iter().collect();
        match read(&text, "x.yaml") {
            Err(error) => {
                let told = format!("{error:#}");
                let line = told.strip_prefix("x.yaml:").and_then(|rest| rest.split(':').next());
                assert!(line.is_some_and(|line| line.parse::<usize>().is_ok()), "{told}");
                assert!(!told.contains('\n'), "{told}");
            }
            // Helm takes a fifth of a second each.
            Ok(entries) if compared < 20 => {
                compared += 1;
                let theirs = oracle::helm(&[], &text);
                let theirs = theirs.unwrap_or_else(|error| panic!("{error}\n{text}"));
                let ours = entries.to_json();
                assert_eq!(oracle::comparable(&ours), oracle::comparable(&theirs), "{text}");
            }
            Ok(_) => {}
        }
    }
    assert_eq!(compared, 20);
}
