//! Custom kinds: validated, defaulted and patched by their own rules.

use serde_json::{Value, json};

use crate::testing::Probe;

const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";

fn probe() -> Probe {
    let probe = Probe::new();
    let spec = json!({"type": "object", "required": ["size"], "properties": {
        "size": {"type": "integer", "minimum": 1},
        "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"],
                "properties": {"name": {"type": "string"}, "weight": {"type": "integer"}}}}}});
    let schema = json!({"type": "object", "properties": {"spec": spec,
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    let definition = json!({"metadata": {"name": "widgets.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": schema}}]}});
    probe.ok("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
    probe
}

fn widget(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec})
}

#[test]
fn what_does_not_fit_the_schema_is_refused() {
    let probe = probe();
    let fault = probe.fails("POST", WIDGETS, widget(json!({"colour": "green"})));
    assert_eq!(
        (fault.code(), fault.message()),
        (
            422,
            "Widget.example.com \"w\" is invalid: [spec.size: Required value, spec.colour: Unsupported value: \"green\": supported values: \"red\", \"blue\"]"
        )
    );
    let strict = format!("{WIDGETS}?fieldValidation=Strict");
    let fault = probe.fails("POST", &strict, widget(json!({"size": 1, "sise": 2})));
    assert!(
        fault.message().ends_with("strict decoding error: unknown field \"spec.sise\""),
        "{}",
        fault.message()
    );
}

#[test]
fn unknown_fields_go_and_defaults_come() {
    let probe = probe();
    let created = probe.ok("POST", WIDGETS, widget(json!({"size": 1, "sise": 2})));
    assert_eq!(created["spec"], json!({"size": 1, "colour": "red"}));
    assert_eq!(created["metadata"]["generation"], json!(1));
    let status = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let object = probe.patch(&format!("{WIDGETS}/w/status"), "merge", status).unwrap();
    assert_eq!(object["metadata"]["generation"], json!(1));
    assert_eq!(object["status"]["conditions"][0]["type"], json!("Ready"));
}

#[test]
fn replacing_needs_the_version_and_strategic_patches_are_not_known() {
    let probe = probe();
    probe.ok("POST", WIDGETS, widget(json!({"size": 1})));
    let path = format!("{WIDGETS}/w");
    let fault = probe.fails("PUT", &path, widget(json!({"size": 2})));
    assert!(
        fault.message().contains(
            "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
        )
    );
    assert_eq!(probe.patch(&path, "strategic-merge", json!({})).unwrap_err().code(), 415);
}

#[test]
fn items_of_keyed_lists_have_their_own_managers() {
    let probe = probe();
    let path = format!("{WIDGETS}/w");
    probe
        .apply(&path, "a", &widget(json!({"size": 1, "parts": [{"name": "x", "weight": 1}]})))
        .unwrap();
    let parts = |parts: Value| json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"parts": parts}});
    let both = probe.apply(&path, "b", &parts(json!([{"name": "y", "weight": 2}]))).unwrap();
    assert_eq!(
        both["spec"]["parts"],
        json!([{"name": "x", "weight": 1}, {"name": "y", "weight": 2}])
    );
    let fault = probe.apply(&path, "b", &parts(json!([{"name": "x", "weight": 3}]))).unwrap_err();
    assert!(fault.message().ends_with(".spec.parts[name=\"x\"].weight"), "{}", fault.message());
    let left = probe.apply(&path, "b", &parts(json!([]))).unwrap();
    assert_eq!(left["spec"]["parts"], json!([{"name": "x", "weight": 1}]));
}

#[test]
fn a_kind_shows_in_discovery_and_openapi_at_once() {
    let probe = probe();
    let store = probe.cluster.store();
    let list = crate::resources::api_resource_list(&store.registry, "example.com", "v1").unwrap();
    let names: Vec<&str> = list["resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["widgets", "widgets/status"]);
    let document =
        crate::resources::openapi_document(&store.registry, "example.com", "v1").unwrap();
    let kind = &document["components"]["schemas"]["com.example.v1.Widget"]["x-kubernetes-group-version-kind"];
    assert_eq!(*kind, json!([{"group": "example.com", "version": "v1", "kind": "Widget"}]));
}
