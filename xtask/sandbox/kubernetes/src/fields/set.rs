//! Sets of fields, kept as a tree.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::{Element, Path};
use crate::schema::Schema;

/// A set of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(BTreeMap<Element, Branch>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Branch {
    /// The path that ends here is in the set.
    owned: bool,
    below: FieldSet,
}

static EMPTY: FieldSet = FieldSet(BTreeMap::new());

impl FieldSet {
    /// Branches hold something always, so no branch means no path.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn insert(&mut self, path: &Path) {
        if let [way @ .., last] = path.0.as_slice() {
            let set = way
                .iter()
                .fold(self, |set, element| &mut set.0.entry(element.clone()).or_default().below);
            set.0.entry(last.clone()).or_default().owned = true;
        }
    }

    /// Whether the path of this one step is in the set.
    pub(crate) fn has(&self, element: &Element) -> bool {
        self.0.get(element).is_some_and(|branch| branch.owned)
    }

    /// The paths that go on after a step.
    pub(crate) fn below(&self, element: &Element) -> &FieldSet {
        self.0.get(element).map_or(&EMPTY, |branch| &branch.below)
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        for (element, branch) in &other.0 {
            let mine = union.0.entry(element.clone()).or_default();
            mine.owned |= branch.owned;
            mine.below = mine.below.union(&branch.below);
        }
        union
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(|element, branch| {
            let owned = branch.owned && other.has(element);
            Branch { owned, below: branch.below.intersection(other.below(element)) }
        })
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(|element, branch| {
            let owned = branch.owned && !other.has(element);
            Branch { owned, below: branch.below.difference(other.below(element)) }
        })
    }

    fn combine(&self, change: impl Fn(&Element, &Branch) -> Branch) -> Self {
        let branches =
            self.0.iter().map(|(element, branch)| (element.clone(), change(element, branch)));
        Self(branches.filter(|(_, branch)| branch.owned || !branch.below.is_empty()).collect())
    }

    /// Without a field at the root and everything below it.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut set = self.clone();
        set.0.remove(&Element::field(name));
        set
    }

    /// Without a path of field names; what is below it stays.
    pub(crate) fn without_path(&self, path: &[&str]) -> Self {
        let mut exact = Self::default();
        exact.insert(&Path(path.iter().map(|name| Element::field(*name)).collect()));
        self.difference(&exact)
    }

    /// Only a field at the root and what is below it.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        let names: Vec<Element> = names.iter().map(|name| Element::field(*name)).collect();
        let kept = self.0.iter().filter(|(element, _)| names.contains(element));
        Self(kept.map(|(element, branch)| (element.clone(), branch.clone())).collect())
    }

    /// With the structs on the way to owned fields in the set too.
    pub(crate) fn with_structs(&self, schema: &Schema) -> Self {
        Self(
            self.0
                .iter()
                .map(|(element, branch)| {
                    let named =
                        matches!(element, Element::Field(name) if schema.has_named_field(name));
                    let owned = branch.owned || (named && !branch.below.is_empty());
                    let below = match schema_below(schema, element) {
                        Some(schema) => branch.below.with_structs(schema),
                        None => branch.below.clone(),
                    };
                    (element.clone(), Branch { owned, below })
                })
                .collect(),
        )
    }

    /// Every path of the set, in order.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.collect(&Path::default(), &mut paths);
        paths
    }

    fn collect(&self, at: &Path, paths: &mut Vec<Path>) {
        for (element, branch) in &self.0 {
            let path = at.with(element.clone());
            if branch.owned {
                paths.push(path.clone());
            }
            branch.below.collect(&path, paths);
        }
    }

    /// The `fieldsV1` of a managed-fields entry.
    pub(crate) fn encode(&self) -> Value {
        let fields = self.0.iter().map(|(element, branch)| {
            let mut below = branch.below.encode();
            if let (true, false, Value::Object(map)) =
                (branch.owned, branch.below.is_empty(), &mut below)
            {
                map.shift_insert(0, ".".into(), Value::Object(Map::new()));
            }
            (element.encode(), below)
        });
        Value::Object(fields.collect())
    }

    /// Reads a `fieldsV1`.
    pub(crate) fn decode(fields: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (key, value) in fields.as_object()? {
            if key == "." {
                continue;
            }
            let below = Self::decode(value)?;
            let owned = below.is_empty() || value.get(".").is_some();
            set.0.insert(Element::parse(key)?, Branch { owned, below });
        }
        Some(set)
    }
}

fn schema_below<'a>(schema: &'a Schema, element: &Element) -> Option<&'a Schema> {
    match element {
        Element::Field(name) => schema.field(name),
        _ => match &schema.resolve().shape {
            crate::schema::Shape::List(list) => Some(&list.items),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use serde_json::json;

    use super::*;

    fn sets() -> impl Strategy<Value = FieldSet> {
        let path = vec("[a-c]", 1..4)
            .prop_map(|names| Path(names.into_iter().map(Element::Field).collect()));
        vec(path, 0..8).prop_map(|paths| {
            let mut set = FieldSet::default();
            paths.iter().for_each(|path| set.insert(path));
            set
        })
    }

    proptest! {
        #[test]
        fn sets_survive_writing_and_reading(set in sets()) {
            prop_assert_eq!(FieldSet::decode(&set.encode()), Some(set));
        }

        #[test]
        fn operations_agree_with_lists_of_paths(a in sets(), b in sets()) {
            let (left, right) = (a.paths(), b.paths());
            let both: Vec<Path> = left.iter().filter(|path| right.contains(path)).cloned().collect();
            let only_left: Vec<Path> = left.iter().filter(|path| !right.contains(path)).cloned().collect();
            prop_assert_eq!(a.intersection(&b).paths(), both);
            prop_assert_eq!(a.difference(&b).paths(), only_left);
            let mut either: Vec<Path> = left.into_iter().chain(right).collect();
            either.sort();
            either.dedup();
            let mut union = a.union(&b).paths();
            union.sort();
            prop_assert_eq!(union, either);
        }
    }

    #[test]
    fn a_field_with_owned_fields_below_is_marked_by_a_dot() {
        let fields = json!({"f:a": {".": {}, "f:b": {}}, "f:c": {"f:d": {}}});
        let set = FieldSet::decode(&fields).unwrap();
        let paths: Vec<String> = set.paths().iter().map(ToString::to_string).collect();
        assert_eq!(paths, [".a", ".a.b", ".c.d"]);
        assert_eq!(set.encode(), fields);
    }
}
