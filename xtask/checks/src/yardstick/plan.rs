//! A plan in JSON (`terraform show -json`), as the rows ask it, and ways to break it.

use serde_json::Value;

use super::row::{Breakage, Verdict, must};

/// Managed resources with their planned values, and the blocks of code behind them.
#[derive(Debug)]
pub(super) struct PlanView<'a> {
    pub(super) document: &'a Value,
    resources: Vec<Resource<'a>>,
    blocks: Vec<Block<'a>>,
}

/// A resource as it will be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resource<'a> {
    pub(super) address: &'a str,
    pub(super) kind: &'a str,
    pub(super) values: &'a Value,
    /// The attributes that AWS will tell, `true` each.
    unknown: &'a Value,
}

/// A resource block of the code.
#[derive(Debug, Clone)]
pub(super) struct Block<'a> {
    /// With its modules, without their indices: `module.network.aws_route.nat`.
    pub(super) address: String,
    pub(super) kind: &'a str,
    pub(super) expressions: &'a Value,
}

impl<'a> PlanView<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        let mut resources = Vec::new();
        collect(document, &document["planned_values"]["root_module"], &mut resources);
        let mut blocks = Vec::new();
        collect_blocks(&document["configuration"]["root_module"], "", &mut blocks);
        Self { document, resources, blocks }
    }

    pub(super) fn environment(&self) -> &'a str {
        self.variable("environment").as_str().unwrap_or_default()
    }

    pub(super) fn is_production(&self) -> bool {
        is_production(self.environment())
    }

    /// The value of a variable of the root module.
    pub(super) fn variable(&self, name: &str) -> &'a Value {
        &self.document["variables"][name]["value"]
    }

    pub(super) fn all(&self) -> &[Resource<'a>] {
        &self.resources
    }

    /// The resources of a type (`aws_vpc`), or of an address without its last index.
    pub(super) fn find(&self, wanted: &str) -> Vec<Resource<'a>> {
        self.resources.iter().filter(|resource| resource.is(wanted)).copied().collect()
    }

    /// The same; none at all is an error, because a claim about nothing proves nothing.
    pub(super) fn some(&self, wanted: &str) -> Result<Vec<Resource<'a>>, String> {
        let found = self.find(wanted);
        must(!found.is_empty(), format!("no {wanted} is planned"))?;
        Ok(found)
    }

    /// The first of that type or address.
    pub(super) fn one(&self, wanted: &str) -> Result<Resource<'a>, String> {
        self.some(wanted).map(|found| found[0])
    }

    /// All of them satisfy `holds`.
    pub(super) fn every(
        &self,
        wanted: &str,
        claim: &str,
        holds: impl Fn(&Resource<'a>) -> bool,
    ) -> Verdict {
        for resource in self.some(wanted)? {
            must(holds(&resource), format!("{}: {claim}", resource.address))?;
        }
        Ok(())
    }

    /// The blocks of a type or address.
    pub(super) fn blocks(&self, wanted: &str) -> Vec<&Block<'a>> {
        self.blocks.iter().filter(|it| it.kind == wanted || it.address == wanted).collect()
    }

    pub(super) fn block(&self, wanted: &str) -> Result<&Block<'a>, String> {
        self.blocks(wanted).first().copied().ok_or_else(|| format!("no block {wanted} is written"))
    }

    /// Every policy document with the resource that carries it, where the plan knows it.
    pub(super) fn policies(&self, wanted: &str) -> Vec<(Resource<'a>, Vec<Value>)> {
        let read = |resource: Resource<'a>| {
            let text = resource.values["policy"].as_str()?;
            let document: Value = serde_json::from_str(text).ok()?;
            Some((resource, document["Statement"].as_array()?.clone()))
        };
        self.find(wanted).into_iter().filter_map(read).collect()
    }
}

/// Production is asked for everything; other environments may differ, with a reason.
pub(super) fn is_production(environment: &str) -> bool {
    environment == "prod" || environment.starts_with("prod-")
}

impl<'a> Resource<'a> {
    fn is(&self, wanted: &str) -> bool {
        let address = self.address.strip_prefix(wanted);
        self.kind == wanted || address.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
    }

    /// The value at a JSON pointer; null when there is none.
    pub(super) fn at(&self, pointer: &str) -> &'a Value {
        self.values.pointer(pointer).unwrap_or(&Value::Null)
    }

    pub(super) fn text(&self, pointer: &str) -> &'a str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    pub(super) fn number(&self, pointer: &str) -> i64 {
        self.at(pointer).as_i64().unwrap_or_default()
    }

    pub(super) fn is_true(&self, pointer: &str) -> bool {
        self.at(pointer) == true
    }

    /// Whether an attribute is given, be it known now or only once AWS has answered.
    pub(super) fn has(&self, key: &str) -> bool {
        !self.values[key].is_null() || self.unknown[key] == true
    }

    pub(super) fn list(&self, pointer: &str) -> Vec<&'a str> {
        self.at(pointer).as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

impl Block<'_> {
    /// What an argument refers to, wherever in its expression.
    pub(super) fn references(&self, pointer: &str) -> Vec<&str> {
        let mut found = Vec::new();
        references(self.expressions.pointer(pointer).unwrap_or(&Value::Null), &mut found);
        found
    }

    pub(super) fn refers_to(&self, pointer: &str, target: &str) -> bool {
        self.references(pointer).iter().any(|reference| reference.starts_with(target))
    }
}

fn references<'a>(expression: &'a Value, found: &mut Vec<&'a str>) {
    match expression {
        Value::Object(members) => {
            for (key, value) in members {
                if key == "references" {
                    found.extend(value.as_array().into_iter().flatten().filter_map(Value::as_str));
                } else {
                    references(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn collect<'a>(document: &'a Value, module: &'a Value, resources: &mut Vec<Resource<'a>>) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        if resource["mode"] == "data" {
            continue;
        }
        let address = resource["address"].as_str().unwrap_or_default();
        let changes = document["resource_changes"].as_array().into_iter().flatten();
        let change = changes.into_iter().find(|change| change["address"] == address);
        resources.push(Resource {
            address,
            kind: resource["type"].as_str().unwrap_or_default(),
            values: &resource["values"],
            unknown: change.map_or(&Value::Null, |change| &change["change"]["after_unknown"]),
        });
    }
    for child in module["child_modules"].as_array().into_iter().flatten() {
        collect(document, child, resources);
    }
}

fn collect_blocks<'a>(module: &'a Value, path: &str, blocks: &mut Vec<Block<'a>>) {
    for block in module["resources"].as_array().into_iter().flatten() {
        blocks.push(Block {
            address: format!("{path}{}", block["address"].as_str().unwrap_or_default()),
            kind: block["type"].as_str().unwrap_or_default(),
            expressions: &block["expressions"],
        });
    }
    for (name, call) in module["module_calls"].as_object().into_iter().flatten() {
        collect_blocks(&call["module"], &format!("{path}module.{name}."), blocks);
    }
}

/// The plan with one thing wrong.
///
/// # Errors
/// When the plan does not hold what is to be broken: the counterexample would be none.
pub(super) fn broken(plan: &Value, breakage: Breakage) -> Result<Value, String> {
    let mut copy = plan.clone();
    let json = |text: &str| -> Result<Value, String> {
        serde_json::from_str(text).map_err(|error| format!("`{text}` is not JSON: {error}"))
    };
    let done = match breakage {
        Breakage::Set(address, pointer, value) => {
            let value = json(value)?;
            with_resource(&mut copy, address, |resource| {
                set(&mut resource["values"], pointer, value)
            })
        }
        Breakage::Remove(address) => remove(&mut copy["planned_values"]["root_module"], address),
        Breakage::Add(kind, values) => {
            let added = serde_json::json!({
                "address": format!("{kind}.counterexample"), "mode": "managed", "type": kind,
                "values": json(values)?,
            });
            let resources = copy["planned_values"]["root_module"]["resources"].as_array_mut();
            resources.map(|resources| resources.push(added)).is_some()
        }
        Breakage::Forget(address, key) => {
            with_resource(&mut copy, address, |resource| {
                resource["values"][key] = Value::Null;
                true
            }) && forget_later(&mut copy, address, key)
        }
        Breakage::Express(address, key, expression) => {
            let expression = json(expression)?;
            with_block(&mut copy["configuration"]["root_module"], address, &mut |block| {
                block["expressions"][key] = expression.clone();
            })
        }
    };
    must(done && copy != *plan, format!("the counterexample {breakage:?} finds nothing to break"))?;
    Ok(copy)
}

fn set(values: &mut Value, pointer: &str, value: Value) -> bool {
    if let Some(place) = values.pointer_mut(pointer) {
        *place = value;
        return true;
    }
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    let members = values.pointer_mut(parent).and_then(Value::as_object_mut);
    members.map(|members| members.insert(key.to_owned(), value)).is_some()
}

fn is_at(resource: &Value, wanted: &str) -> bool {
    let rest = resource["address"].as_str().and_then(|address| address.strip_prefix(wanted));
    resource["type"] == *wanted || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
}

fn with_resource(plan: &mut Value, wanted: &str, change: impl FnOnce(&mut Value) -> bool) -> bool {
    fn search<'a>(module: &'a mut Value, wanted: &str) -> Option<&'a mut Value> {
        let module = module.as_object_mut()?;
        let mut parts = module.iter_mut();
        parts.find_map(|(key, part)| match key.as_str() {
            "resources" => part.as_array_mut()?.iter_mut().find(|it| is_at(it, wanted)),
            "child_modules" => part.as_array_mut()?.iter_mut().find_map(|it| search(it, wanted)),
            _ => None,
        })
    }
    search(&mut plan["planned_values"]["root_module"], wanted).is_some_and(change)
}

fn remove(module: &mut Value, wanted: &str) -> bool {
    if let Some(resources) = module.get_mut("resources").and_then(Value::as_array_mut)
        && let Some(index) = resources.iter().position(|resource| is_at(resource, wanted))
    {
        resources.remove(index);
        return true;
    }
    let children = module.get_mut("child_modules").and_then(Value::as_array_mut);
    children.is_some_and(|children| children.iter_mut().any(|child| remove(child, wanted)))
}

fn forget_later(plan: &mut Value, wanted: &str, key: &str) -> bool {
    let changes = plan["resource_changes"].as_array_mut();
    let change = changes.and_then(|changes| changes.iter_mut().find(|it| is_at(it, wanted)));
    change.is_some_and(|change| {
        change["change"]["after_unknown"][key] = Value::Bool(false);
        true
    })
}

fn with_block(module: &mut Value, address: &str, change: &mut dyn FnMut(&mut Value)) -> bool {
    if let Some(rest) = address.strip_prefix("module.")
        && let Some((name, rest)) = rest.split_once('.')
    {
        let call = &mut module["module_calls"][name]["module"];
        return call.is_object() && with_block(call, rest, change);
    }
    let blocks = module["resources"].as_array_mut().into_iter().flatten();
    let block = blocks.into_iter().find(|block| block["address"] == *address);
    block.map(change).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan() -> Value {
        json!({
            "planned_values": { "root_module": {
                "resources": [{ "address": "aws_a.x", "type": "aws_a", "mode": "managed", "values": { "on": true } }],
                "child_modules": [{ "resources": [
                    { "address": "module.m[0].aws_b.y[\"k\"]", "type": "aws_b", "values": { "list": [{ "deep": 1 }] } },
                    { "address": "module.m[0].aws_b.data", "type": "aws_b", "mode": "data", "values": {} },
                ] }],
            } },
            "resource_changes": [{ "address": "aws_a.x", "type": "aws_a", "change": { "after_unknown": { "later": true } } }],
            "configuration": { "root_module": { "resources": [], "module_calls": { "m": { "module": {
                "resources": [{ "address": "aws_b.y", "type": "aws_b", "expressions": {
                    "for": { "references": ["local.z"] }, "nested": [{ "in": { "references": ["var.q"] } }],
                } }],
            } } } } },
        })
    }

    #[test]
    fn resources_and_blocks_are_found_in_modules() {
        let plan = plan();
        let view = PlanView::new(&plan);
        assert_eq!(view.find("aws_b").len(), 1, "a data source is no resource");
        assert_eq!(view.one("module.m[0].aws_b.y").unwrap().number("/list/0/deep"), 1);
        assert!(view.one("aws_a.x").unwrap().has("later"));
        assert!(view.block("module.m.aws_b.y").unwrap().refers_to("/nested", "var.q"));
        assert!(view.some("aws_c").is_err());
        assert!(view.every("aws_a", "is off", |it| !it.is_true("/on")).is_err());
    }

    #[test]
    fn every_way_of_breaking_shows() {
        let plan = plan();
        let breaks = |breakage| broken(&plan, breakage).unwrap();
        let set = breaks(Breakage::Set("aws_a.x", "/on", "false"));
        assert!(!PlanView::new(&set).one("aws_a").unwrap().is_true("/on"));
        let removed = breaks(Breakage::Remove("module.m[0].aws_b.y"));
        assert!(PlanView::new(&removed).find("aws_b").is_empty());
        assert_eq!(PlanView::new(&breaks(Breakage::Add("aws_a", "{}"))).find("aws_a").len(), 2);
        let forgotten = breaks(Breakage::Forget("aws_a.x", "later"));
        assert!(!PlanView::new(&forgotten).one("aws_a").unwrap().has("later"));
        let expressed = breaks(Breakage::Express("module.m.aws_b.y", "for", "{}"));
        assert!(PlanView::new(&expressed).block("aws_b").unwrap().references("/for").is_empty());
    }

    #[test]
    fn a_counterexample_that_breaks_nothing_is_an_error() {
        for breakage in [
            Breakage::Set("aws_c.x", "/on", "1"),
            Breakage::Set("aws_a.x", "/on", "true"),
            Breakage::Set("aws_a.x", "/no/such", "1"),
            Breakage::Remove("aws_c"),
            Breakage::Express("module.n.aws_b.y", "for", "{}"),
        ] {
            assert!(broken(&plan(), breakage).is_err(), "{breakage:?}");
        }
    }
}
