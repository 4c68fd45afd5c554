//! A configuration laid over a live object: the configuration wins where both speak.

use serde_json::{Map, Value};

use super::path::Element;
use crate::schema::{ANY, Identity, List, Object, Schema, Shape};

/// The live object with a configuration laid over it.
pub(crate) fn merge(schema: &Schema, live: &Value, config: &Value) -> Value {
    match (&schema.resolve().shape, live, config) {
        (Shape::Any, Value::Object(live), Value::Object(config)) => {
            merge_fields(&Object::anything(), live, config)
        }
        (Shape::Object(object), Value::Object(live), Value::Object(config)) if !object.atomic => {
            merge_fields(object, live, config)
        }
        (Shape::List(list), Value::Array(live), Value::Array(config))
            if list.identity != Identity::Atomic =>
        {
            merge_items(list, live, config)
        }
        _ => config.clone(),
    }
}

fn merge_fields(object: &Object, live: &Map<String, Value>, config: &Map<String, Value>) -> Value {
    let mut merged = live.clone();
    for (name, value) in config {
        let value = match live.get(name) {
            Some(live) => merge(object.field(name).unwrap_or(&ANY), live, value),
            None => value.clone(),
        };
        merged.insert(name.clone(), value);
    }
    Value::Object(merged)
}

/// Items of the configuration keep their order; items that only the live list has stay behind the
/// item that they follow there.
fn merge_items(list: &List, live: &[Value], config: &[Value]) -> Value {
    let keyed = |items: &[Value]| -> Vec<(Option<Element>, Value)> {
        let items = items.iter().enumerate();
        items
            .map(|(index, item)| (Element::of_item(list, index, item).ok(), item.clone()))
            .collect()
    };
    let (live, config) = (keyed(live), keyed(config));
    let merged: Vec<(Option<Element>, Value)> = config
        .iter()
        .map(|(element, item)| {
            let counterpart = live.iter().find(|(one, _)| one.is_some() && one == element);
            let value = match counterpart {
                Some((_, live)) => merge(&list.items, live, item),
                None => item.clone(),
            };
            (element.clone(), value)
        })
        .collect();
    Value::Array(interleave(live, merged).into_iter().map(|(_, value)| value).collect())
}

/// All of `second` in its order, and what only `first` has at the place that it has there.
pub(crate) fn interleave<K: PartialEq, V>(first: Vec<(K, V)>, second: Vec<(K, V)>) -> Vec<(K, V)> {
    let shared: Vec<bool> =
        first.iter().map(|(key, _)| second.iter().any(|(other, _)| other == key)).collect();
    let mut result = Vec::with_capacity(first.len() + second.len());
    let mut second = second.into_iter();
    for ((key, value), shared) in first.into_iter().zip(shared) {
        if !shared {
            result.push((key, value));
            continue;
        }
        // Everything up to the shared item, unless it has been taken along before.
        if result.iter().any(|(taken, _)| *taken == key) {
            continue;
        }
        for next in second.by_ref() {
            let reached = next.0 == key;
            result.push(next);
            if reached {
                break;
            }
        }
    }
    result.extend(second);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(first: &str, second: &str) -> String {
        let keyed = |text: &str| text.chars().map(|one| (one, ())).collect::<Vec<_>>();
        interleave(keyed(first), keyed(second)).into_iter().map(|(one, ())| one).collect()
    }

    #[test]
    fn the_second_order_wins_and_the_first_keeps_its_places() {
        assert_eq!(order("abc", "abc"), "abc");
        assert_eq!(order("axb", "ab"), "axb");
        assert_eq!(order("xab", "ba"), "xba");
        assert_eq!(order("", "ab"), "ab");
        assert_eq!(order("ab", ""), "ab");
        assert_eq!(order("ab", "acb"), "acb");
        assert_eq!(order("ab", "cad"), "cabd");
    }
}
