//! The patches beside server-side apply: JSON patch, merge patch, strategic merge patch.

mod strategic;

use serde_json::Value;

pub(crate) use strategic::strategic_merge;

use crate::status::{Answer, Failure};

/// RFC 6902.
pub(crate) fn json_patch(object: &mut Value, patch: &Value) -> Answer<()> {
    let operations: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| Failure::bad_request(format!("error decoding patch: {error}")))?;
    json_patch::patch(object, &operations).map_err(|error| {
        Failure::unprocessable(format!(
            "the server rejected our request due to an error in our request: {error}"
        ))
    })
}

/// RFC 7386.
pub(crate) fn merge_patch(object: &mut Value, patch: &Value) {
    json_patch::merge(object, patch);
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_map, prelude::*};
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            btree_map("[a-d]", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
        })
    }

    fn merged(object: &Value, patch: &Value) -> Value {
        let mut object = object.clone();
        merge_patch(&mut object, patch);
        object
    }

    proptest! {
        #[test]
        fn merging_twice_is_merging_once(object in values(), patch in values()) {
            let once = merged(&object, &patch);
            prop_assert_eq!(merged(&once, &patch), once);
        }

        #[test]
        fn an_empty_patch_changes_no_object(object in values()) {
            prop_assume!(object.is_object());
            prop_assert_eq!(merged(&object, &json!({})), object);
        }

        #[test]
        fn a_null_removes_its_field(object in values(), name in "[a-d]") {
            let result = merged(&object, &json!({ name.clone(): null }));
            prop_assert!(result.get(&name).is_none());
        }
    }

    #[test]
    fn a_failed_test_of_a_json_patch_is_refused() {
        let patch =
            json!([{"op": "test", "path": "/a", "value": 2}, {"op": "remove", "path": "/a"}]);
        let mut object = json!({"a": 1});
        assert_eq!(json_patch(&mut object, &patch).unwrap_err().code(), 422);
        assert_eq!(object, json!({"a": 1}));
    }
}
