//! The JSON paths of `additionalPrinterColumns`: fields, positions and `[?(@.field=="value")]`.

use serde_json::Value;

/// The first value that a path selects.
pub(super) fn select<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = object;
    let mut rest = path.trim_start_matches('.');
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = closing(inner)?;
            value = item(value, &inner[..end])?;
            rest = inner[end + 1..].trim_start_matches('.');
        } else {
            let (name, after) = field(rest);
            value = value.get(name.replace("\\.", "."))?;
            rest = after;
        }
    }
    Some(value)
}

/// A field's name, in which dots may be escaped, and what follows it.
fn field(path: &str) -> (&str, &str) {
    let mut escaped = false;
    for (index, letter) in path.char_indices() {
        match letter {
            '.' if !escaped => return (&path[..index], &path[index + 1..]),
            '[' => return (&path[..index], &path[index..]),
            _ => {}
        }
        escaped = letter == '\\';
    }
    (path, "")
}

/// Where a bracket ends; filters have parentheses, and text in quotes may have brackets.
fn closing(inner: &str) -> Option<usize> {
    let mut quoted = false;
    for (index, letter) in inner.char_indices() {
        match letter {
            '"' | '\'' => quoted = !quoted,
            ']' if !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

fn item<'a>(value: &'a Value, selector: &str) -> Option<&'a Value> {
    let unquoted = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    if let Some(filter) = selector.strip_prefix("?(").and_then(|filter| filter.strip_suffix(')')) {
        let (left, right) = filter.split_once("==")?;
        let (left, right) = (left.trim().strip_prefix("@.")?, unquoted(right));
        let items = value.as_array()?.iter();
        return items
            .into_iter()
            .find(|item| select(item, left).is_some_and(|found| *found == right));
    }
    if let Ok(index) = selector.parse::<usize>() {
        return value.get(index);
    }
    if selector == "*" {
        return value.get(0);
    }
    value.get(unquoted(selector))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_of_printer_columns_find_their_value() {
        let object = json!({"spec": {"a.b": 1, "list": [{"x": 1}, {"x": 2}]},
            "status": {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]}});
        assert_eq!(select(&object, ".spec.a\\.b"), Some(&json!(1)));
        assert_eq!(select(&object, ".spec['a.b']"), Some(&json!(1)));
        assert_eq!(select(&object, ".spec.list[1].x"), Some(&json!(2)));
        let ready = r#".status.conditions[?(@.type=="Ready")].status"#;
        assert_eq!(select(&object, ready), Some(&json!("True")));
        assert_eq!(select(&object, ".status.none"), None);
    }
}
