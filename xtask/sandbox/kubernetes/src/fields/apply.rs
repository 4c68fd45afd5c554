//! The two operations that move fields between managers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    compare::{Comparison, same},
    managers::{Manager, Managers, Operation},
    merge::merge,
    path::Path,
    remove::remove,
    set::FieldSet,
    typed::{field_set, lenient_field_set},
};
use crate::{schema::Schema, value};

/// Fields of `metadata` that nobody owns.
const UNOWNED_METADATA: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

/// Who writes, and as what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ownership<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) manager: &'a str,
    pub(crate) api_version: &'a str,
    /// Empty for the object itself.
    pub(crate) subresource: &'a str,
    /// RFC 3339.
    pub(crate) now: &'a str,
    /// The kind has a `/status`, so that nobody owns `status` through the object itself.
    pub(crate) has_status: bool,
}

/// Why a configuration was not applied.
#[derive(Debug)]
pub(crate) enum Applied {
    /// It does not fit the schema: one sentence each.
    Misfit(Vec<String>),
    /// Others own fields to which it gives another value.
    Conflicts(Vec<(Manager, Path)>),
}

impl Ownership<'_> {
    fn manager(&self, operation: Operation, fields: FieldSet) -> Manager {
        Manager {
            name: self.manager.to_owned(),
            operation,
            api_version: self.api_version.to_owned(),
            subresource: self.subresource.to_owned(),
            time: Some(self.now.to_owned()),
            fields,
        }
    }

    /// What of a set may be owned at all.
    fn ownable(&self, set: &FieldSet) -> FieldSet {
        let mut set = set.without("apiVersion").without("kind").without_path(&["metadata"]);
        for name in UNOWNED_METADATA {
            set = set.without_path(&["metadata", name]);
        }
        match self.subresource {
            "" if self.has_status => set.without("status"),
            "status" => set.only(&["metadata", "status"]),
            _ => set,
        }
    }
}

/// Applies a configuration to a live object, which is null if there is none.
///
/// Fields that the manager's last configuration had and this one has not are removed, unless
/// someone else owns them too. An apply that changes nothing gives the live object back as it was.
pub(crate) fn apply(
    by: Ownership<'_>,
    live: &Value,
    config: &Value,
    force: bool,
) -> Result<Value, Applied> {
    let set = field_set(by.schema, config).map_err(Applied::Misfit)?;
    let before = Managers::of(live);
    let bare = without_managers(live);
    let mut managers = before.clone();
    if managers.0.is_empty() && live.is_object() {
        let fields = by.ownable(&lenient_field_set(by.schema, &bare));
        managers.0.push(Manager {
            name: "before-first-apply".into(),
            ..by.manager(Operation::Update, fields)
        });
    }

    let mut me = by.manager(Operation::Apply, by.ownable(&set));
    let last =
        managers.0.iter().position(|one| one.is_same_as(&me)).map(|index| managers.0.remove(index));
    let merged = if bare.is_object() { merge(by.schema, &bare, config) } else { config.clone() };
    let merged = match &last {
        Some(last) => prune(by.schema, &merged, &managers, &set, &last.fields),
        None => merged,
    };

    let comparison = Comparison::of(by.schema, &bare, &merged);
    let conflicts = conflicts(&managers, &comparison);
    if !force && !conflicts.is_empty() {
        return Err(Applied::Conflicts(conflicts));
    }
    yield_fields(&mut managers, &comparison);
    if let Some(last) = last.filter(|last| last.fields == me.fields && same(&bare, &merged)) {
        me.time = last.time;
    }
    managers.0.push(me);
    managers.drop_empty();
    if same(&bare, &merged) && managers.agree_with(&before) {
        return Ok(live.clone());
    }
    let mut object = merged;
    managers.write(&mut object);
    Ok(object)
}

/// Records what a create, update or patch changed; `old` is what there was, or the kind's empty
/// object.
pub(crate) fn update(by: Ownership<'_>, old: &Value, new: Value) -> Value {
    let from_request = by.subresource.is_empty();
    let mut managers = match Managers::of(&new) {
        _ if from_request && Managers::is_reset(&new) => Managers::default(),
        given if from_request && !given.0.is_empty() => given,
        _ => Managers::of(old),
    };
    let mut object = without_managers(&new);
    let comparison = Comparison::of(by.schema, &without_managers(old), &object);
    yield_fields(&mut managers, &comparison);
    let changed = by.ownable(&comparison.changed());
    if !changed.is_empty() {
        let me = by.manager(Operation::Update, changed);
        match managers.0.iter_mut().find(|one| one.is_same_as(&me)) {
            Some(one) => {
                one.fields = one.fields.union(&me.fields);
                one.time = me.time;
            }
            None => managers.0.push(me),
        }
    }
    managers.drop_empty();
    managers.cap();
    managers.write(&mut object);
    object
}

fn without_managers(object: &Value) -> Value {
    let mut object = object.clone();
    value::remove(&mut object, "metadata.managedFields");
    object
}

/// The fields that others own and that are about to get another value, by manager.
fn conflicts(managers: &Managers, comparison: &Comparison) -> Vec<(Manager, Path)> {
    let changed = comparison.changed();
    let mut by_manager: BTreeMap<String, Vec<(Manager, Path)>> = BTreeMap::new();
    for manager in &managers.0 {
        let paths = manager.fields.intersection(&changed).paths();
        let list = by_manager.entry(manager.to_string()).or_default();
        list.extend(paths.into_iter().map(|path| (manager.clone(), path)));
    }
    by_manager.into_values().flatten().collect()
}

/// Takes from every manager the fields that changed or went.
fn yield_fields(managers: &mut Managers, comparison: &Comparison) {
    let lost = comparison.changed().union(&comparison.removed);
    for manager in &mut managers.0 {
        manager.fields = manager.fields.difference(&lost);
    }
    managers.drop_empty();
}

/// Removes what the last configuration had and nobody claims now; `config` is the set of the new
/// one, with the fields that nobody owns, since a name that it gives has to stay.
fn prune(
    schema: &Schema,
    merged: &Value,
    others: &Managers,
    config: &FieldSet,
    last: &FieldSet,
) -> Value {
    let last = last.with_structs(schema);
    let merged_set = lenient_field_set(schema, merged).with_structs(schema);

    let stripped = remove(schema, merged, &last);
    let claimed = others.0.iter().fold(config.clone(), |claimed, one| claimed.union(&one.fields));
    let stripped_set = lenient_field_set(schema, &stripped).with_structs(schema);
    let kept = stripped_set.union(&claimed.with_structs(schema));
    let with_claimed = remove(schema, merged, &merged_set.difference(&kept));

    // What nobody owns stays where it was: only what the last configuration had may go.
    let remaining = lenient_field_set(schema, &with_claimed).with_structs(schema);
    remove(schema, merged, &merged_set.difference(&remaining).intersection(&last))
}
