//! `labelSelector` and `fieldSelector`.

use serde_json::Value;

use crate::{
    status::{Answer, Failure},
    value::{at, text},
};

/// A parsed `labelSelector`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LabelSelector(Vec<(String, Requirement)>);

#[derive(Clone, Debug, PartialEq)]
enum Requirement {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

impl LabelSelector {
    pub(crate) fn parse(text: &str) -> Answer<Self> {
        let parts = split_outside_parentheses(text).into_iter().filter(|part| !part.is_empty());
        parts.map(requirement).collect::<Answer<_>>().map(Self)
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = at(object, "metadata.labels");
        self.0.iter().all(|(key, requirement)| {
            let value = labels.get(key).and_then(Value::as_str);
            let number = || value.and_then(|value| value.parse::<i64>().ok());
            match requirement {
                Requirement::Exists => value.is_some(),
                Requirement::Absent => value.is_none(),
                Requirement::In(values) => {
                    value.is_some_and(|value| values.iter().any(|one| one == value))
                }
                Requirement::NotIn(values) => {
                    value.is_none_or(|value| values.iter().all(|one| one != value))
                }
                Requirement::Greater(than) => number().is_some_and(|number| number > *than),
                Requirement::Less(than) => number().is_some_and(|number| number < *than),
            }
        })
    }
}

/// Whether an object fits a label selector object; one that cannot be read fits nothing.
pub(crate) fn labels_match(selector: &Value, object: &Value) -> bool {
    LabelSelector::parse(&super::selector_text(selector))
        .is_ok_and(|selector| selector.matches(object))
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (index, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn requirement(part: &str) -> Answer<(String, Requirement)> {
    let unparsable =
        || Failure::bad_request(format!("unable to parse requirement: found '{part}'"));
    let one = |(key, value): (&str, &str)| (key.trim().to_owned(), vec![value.trim().to_owned()]);
    if let Some(key) = part.strip_prefix('!') {
        return Ok((key.trim().to_owned(), Requirement::Absent));
    }
    if let Some(pair) = part.split_once("!=") {
        let (key, values) = one(pair);
        return Ok((key, Requirement::NotIn(values)));
    }
    if let Some(pair) = part.split_once("==").or_else(|| part.split_once('=')) {
        let (key, values) = one(pair);
        return Ok((key, Requirement::In(values)));
    }
    if let Some((key, number)) = part.split_once('>') {
        let number = number.trim().parse().map_err(|_| unparsable())?;
        return Ok((key.trim().to_owned(), Requirement::Greater(number)));
    }
    if let Some((key, number)) = part.split_once('<') {
        let number = number.trim().parse().map_err(|_| unparsable())?;
        return Ok((key.trim().to_owned(), Requirement::Less(number)));
    }
    let Some((head, rest)) = part.split_once('(') else {
        return if part.contains(char::is_whitespace) {
            Err(unparsable())
        } else {
            Ok((part.to_owned(), Requirement::Exists))
        };
    };
    let values = rest.strip_suffix(')').ok_or_else(unparsable)?;
    let values = values.split(',').map(|value| value.trim().to_owned()).collect();
    match head.split_whitespace().collect::<Vec<_>>().as_slice() {
        [key, "in"] => Ok(((*key).to_owned(), Requirement::In(values))),
        [key, "notin"] => Ok(((*key).to_owned(), Requirement::NotIn(values))),
        _ => Err(unparsable()),
    }
}

/// A parsed `fieldSelector`: path, value, and whether they are to be equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FieldSelector(Vec<(String, String, bool)>);

/// Fields beside name and namespace by which objects can be selected.
fn selectable(plural: &str) -> &'static [&'static str] {
    match plural {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "secrets" => &["type"],
        "namespaces" => &["status.phase"],
        "nodes" => &["spec.unschedulable"],
        "jobs" => &["status.successful"],
        "replicasets" | "replicationcontrollers" => &["status.replicas"],
        _ => &[],
    }
}

impl FieldSelector {
    pub(crate) fn parse(text: &str, plural: &str) -> Answer<Self> {
        let parts = text.split(',').filter(|part| !part.is_empty());
        parts
            .map(|part| {
                let (pair, equal) = match part.split_once("!=") {
                    Some(pair) => (Some(pair), false),
                    None => (part.split_once("==").or_else(|| part.split_once('=')), true),
                };
                let (path, value) = pair.ok_or_else(|| {
                    Failure::bad_request(format!(
                        "invalid selector: '{part}'; can't understand '{part}'"
                    ))
                })?;
                if !matches!(path, "metadata.name" | "metadata.namespace")
                    && !selectable(plural).contains(&path)
                {
                    return Err(Failure::bad_request(format!("field label not supported: {path}")));
                }
                Ok((path.to_owned(), value.to_owned(), equal))
            })
            .collect::<Answer<_>>()
            .map(Self)
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(path, wanted, equal)| {
            let found = match (path.as_str(), at(object, path)) {
                ("source", _) => text(object, "source.component").to_owned(),
                ("status.successful", _) => at(object, "status.succeeded").to_string(),
                (_, Value::String(text)) => text.clone(),
                ("spec.unschedulable" | "spec.hostNetwork", Value::Null) => "false".to_owned(),
                ("status.replicas", Value::Null) => "0".to_owned(),
                (_, Value::Null) => String::new(),
                (_, value) => value.to_string(),
            };
            (found == *wanted) == *equal
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(selector: &str) -> bool {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "front", "n": "3"}}});
        LabelSelector::parse(selector).unwrap().matches(&object)
    }

    #[test]
    fn labels_are_selected_in_every_notation() {
        for selector in [
            "",
            "app=web",
            "app==web",
            "app in (db, web),tier",
            "!none",
            "none!=x",
            "n>2",
            "app notin (db)",
        ] {
            assert!(matches(selector), "{selector}");
        }
        for selector in
            ["app=db", "app!=web", "!app", "none", "app in (db)", "n<3", "app=web,tier=back"]
        {
            assert!(!matches(selector), "{selector}");
        }
        assert!(LabelSelector::parse("app within (web)").is_err());
    }

    #[test]
    fn only_known_fields_can_be_selected() {
        let pod = json!({"metadata": {"name": "x"}, "status": {"phase": "Running"}});
        let selects = |text: &str| FieldSelector::parse(text, "pods").unwrap().matches(&pod);
        assert!(selects("metadata.name=x,status.phase!=Failed,spec.nodeName="));
        assert!(!selects("status.phase=Failed"));
        let fault = FieldSelector::parse("spec.image=x", "pods").unwrap_err();
        assert_eq!(fault.message(), "field label not supported: spec.image");
    }
}
