//! What AWS has made and the state has not, because the answer was lost: an interrupt cuts off the
//! requests under way. Making it again fails where its name can be there only once, and else leaves
//! two, of which nobody ever deletes the first.
//!
//! Looked for whenever a plan makes something, whatever the journal says: the next run may be one on
//! another machine. What is found is planned as an import, so that people see it in the plan and
//! nothing is written before the plan is applied.

mod imports;
mod kinds;
mod matching;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use xtask_cloud::{Cloud, Leftover, Possession, Thing};

use super::plan::{Change, Deed, Plan};
use kinds::{Place, Trail};
use matching::{Creation, Found, Owner, judge};

pub(super) use matching::{Adoption, Doubt, Verdict, Way, deletion};

/// Whose something is: the values of its tags `Project` and `Environment`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) project: String,
    pub(crate) environment: String,
}

impl Ownership {
    fn of(&self, tags: &BTreeMap<String, String>) -> Owner {
        let is = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found == value);
        if is("Project", &self.project) && is("Environment", &self.environment) {
            Owner::Us
        } else {
            Owner::Another
        }
    }
}

/// Whether the next run finds by itself what AWS has of this type.
pub(super) fn is_sought(kind: &str) -> bool {
    let trail = kinds::of(kind).map(|kind| kind.trail);
    !matches!(trail, None | Some(Trail::Again | Trail::Unsought))
}

/// What is to become of what AWS has of this plan's creations already.
///
/// # Errors
/// When AWS cannot be asked. One question that is not answered is told to `tell`.
pub(super) fn look(
    plan: &Plan,
    cloud: &Cloud,
    ours: &Ownership,
    tell: &dyn Fn(&str),
) -> anyhow::Result<Verdict> {
    let creations: Vec<&Change> = plan
        .deeds()
        .into_iter()
        .filter(|(deed, _)| *deed == Deed::Create)
        .map(|(_, it)| it)
        .collect();
    if !creations.iter().any(|change| is_sought(&change.kind)) {
        return Ok(Verdict::default());
    }
    let look = Look { cloud, ours, tell, creations: &creations, held: held(plan) };
    let mut found = look.tagged()?;
    found.extend(look.named()?);
    found.extend(look.aliases(&found)?);
    found.extend(look.routes()?);
    let creations: Vec<Creation> = creations.iter().filter_map(|it| creation(it)).collect();
    Ok(judge(&creations, &found, &look.held.keys))
}

/// What the state has, or takes over with this very plan.
#[derive(Debug, Default)]
struct Held {
    ids: BTreeSet<(&'static str, String)>,
    keys: BTreeSet<(&'static str, String)>,
}

fn held(plan: &Plan) -> Held {
    let mut held = Held::default();
    for resource in plan.prior_state.managed() {
        let Some(kind) = kinds::of(&resource.kind) else { continue };
        if let Some(id) = resource.values["id"].as_str() {
            held.ids.insert((kind.name, id.to_owned()));
        }
        held.keys.extend(key(kind.trail, &resource.values).map(|key| (kind.name, key)));
    }
    held
}

/// What this type's resources are told apart by, among the values of one.
fn key(trail: Trail, values: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match trail {
        Trail::Tagged(..) => text(&values["tags"]["Name"]),
        // The account is part of some ids, not of what they are told apart by.
        Trail::Named(name) => name(values, &Place::default()).map(|(_, id)| id),
        Trail::Alias => text(&values["name"]),
        Trail::Route => Some(format!(
            "{}_{}",
            text(&values["route_table_id"])?,
            text(&values["destination_cidr_block"])?
        )),
        Trail::Association => {
            Some(format!("{}/{}", text(&values["subnet_id"])?, text(&values["route_table_id"])?))
        }
        Trail::Again | Trail::LogGroup | Trail::Unsought => None,
    }
}

fn creation(change: &Change) -> Option<Creation> {
    let kind = kinds::of(&change.kind)?;
    let key = key(kind.trail, &change.change.after)?;
    Some(Creation { address: change.address.clone(), kind: kind.name, key })
}

/// One look at AWS.
struct Look<'a> {
    cloud: &'a Cloud,
    ours: &'a Ownership,
    tell: &'a dyn Fn(&str),
    creations: &'a [&'a Change],
    held: Held,
}

impl Look<'_> {
    /// What carries our tags: of the types that are made now, and a second one of any other.
    fn tagged(&self) -> anyhow::Result<Vec<Found>> {
        let mut places = BTreeMap::new();
        for kind in kinds::KINDS {
            if let Trail::Tagged(service, part) = kind.trail {
                places.entry((service, part)).or_insert_with(BTreeSet::new).insert(kind.name);
            }
        }
        // EC2 itself for its own: the index of tags is late.
        let mut listed = self.cloud.tagged_network("Environment", &self.ours.environment)?;
        let all = self.cloud.tagged_resources("Environment", &self.ours.environment)?;
        let is_of_ec2 = |one: &Leftover| part_of(&one.arn).is_some_and(|(it, ..)| it == "ec2");
        listed.extend(all.into_iter().filter(|one| !is_of_ec2(one)));
        let mut found = Vec::new();
        for one in listed {
            let Some((service, part, id)) = part_of(&one.arn) else { continue };
            let Some(kinds) = places.get(&(service, part)) else { continue };
            for kind in kinds {
                found.extend(self.told_apart(kind, id, &one)?);
            }
        }
        Ok(found)
    }

    /// As it is found, unless it is in the state, nobody's business here, or gone.
    fn told_apart(
        &self,
        kind: &'static str,
        id: &str,
        listed: &Leftover,
    ) -> anyhow::Result<Option<Found>> {
        let Some(key) = listed.tags.get("Name") else { return Ok(None) };
        let is_made = |it: &&Change| it.kind == kind && it.change.after["tags"]["Name"] == **key;
        let concerns =
            self.creations.iter().any(is_made) || self.held.keys.contains(&(kind, key.clone()));
        if self.ours.of(&listed.tags) == Owner::Another
            || self.held.ids.contains(&(kind, id.to_owned()))
            || !concerns
            || self.cloud.is_departing(&listed.arn)?
        {
            return Ok(None);
        }
        Ok(Some(Found { kind, key: key.clone(), id: id.to_owned(), owner: Owner::Us }))
    }

    /// What has a name of its own.
    fn named(&self) -> anyhow::Result<Vec<Found>> {
        let identity = self.cloud.identity()?;
        let partition = identity.arn.split(':').nth(1).unwrap_or("aws").to_owned();
        let place = Place { partition, account: identity.account };
        let mut asked: Vec<(&'static str, String, String, Thing)> = Vec::new();
        for change in self.creations {
            if let Some(kind) = kinds::of(&change.kind)
                && let Trail::Named(name) = kind.trail
                && let Some((thing, id)) = name(&change.change.after, &place)
                && let Some(key) = key(kind.trail, &change.change.after)
                && !self.held.ids.contains(&(kind.name, id.clone()))
            {
                asked.push((kind.name, key, id, thing));
            }
        }
        let things: Vec<Thing> = asked.iter().map(|(.., thing)| thing.clone()).collect();
        let mut found = Vec::new();
        for ((kind, key, id, _), answer) in asked.into_iter().zip(self.cloud.possessions(&things)?)
        {
            match answer {
                Ok(None) => {}
                Ok(Some(possession)) => {
                    found.push(Found { kind, key, id, owner: self.owner(&possession) });
                }
                // A creation that fails then says so itself.
                Err(error) => (self.tell)(&format!(
                    "whether AWS has {kind} {id} already is not known: {error:#}"
                )),
            }
        }
        Ok(found)
    }

    /// A bucket without anything has our name, which holds the account's number, and nobody's mark: it
    /// was made a moment before its tags would have been put on it.
    fn owner(&self, possession: &Possession) -> Owner {
        if possession.is_blank { Owner::Us } else { self.ours.of(&possession.tags) }
    }

    /// Aliases, which are ours when the key behind is in the state or among what was found of ours.
    fn aliases(&self, found: &[Found]) -> anyhow::Result<Vec<Found>> {
        let mut aliases = Vec::new();
        for change in self.creations.iter().filter(|it| it.kind == "aws_kms_alias") {
            let Some(name) = key(Trail::Alias, &change.change.after) else { continue };
            let Some(key) = self.cloud.key_behind(&name)? else { continue };
            let is_held = self.held.ids.contains(&("aws_kms_key", key.id.clone()));
            let is_found = found.iter().any(|it| it.kind == "aws_kms_key" && it.id == key.id);
            let owner = if is_held || is_found { Owner::Us } else { Owner::Another };
            aliases.push(Found { kind: "aws_kms_alias", key: name.clone(), id: name, owner });
        }
        Ok(aliases)
    }

    /// Routes and associations of the state's own tables.
    fn routes(&self) -> anyhow::Result<Vec<Found>> {
        const PARTS: [(&str, Trail); 2] =
            [("aws_route", Trail::Route), ("aws_route_table_association", Trail::Association)];
        let parts =
            self.creations.iter().filter(|it| PARTS.iter().any(|(kind, _)| it.kind == *kind));
        let tables: BTreeSet<String> = parts
            .filter_map(|it| it.change.after["route_table_id"].as_str().map(str::to_owned))
            .filter(|id| self.held.ids.contains(&("aws_route_table", id.clone())))
            .collect();
        let tables: Vec<String> = tables.into_iter().collect();
        let mut found = Vec::new();
        for table in self.cloud.route_tables(&tables)? {
            let id = &table.id;
            let routes =
                table.destinations.iter().map(|range| ("aws_route", format!("{id}_{range}")));
            let joined = table
                .subnets
                .iter()
                .map(|it| ("aws_route_table_association", format!("{it}/{id}")));
            found.extend(routes.chain(joined).map(|(kind, id)| Found {
                kind,
                key: id.clone(),
                id,
                owner: Owner::Us,
            }));
        }
        // The others are those of the state.
        let made: Vec<Creation> = self.creations.iter().filter_map(|it| creation(it)).collect();
        found.retain(|one| made.iter().any(|it| it.kind == one.kind && it.key == one.key));
        Ok(found)
    }
}

/// Service, kind and id of what an ARN names, such as `ec2`, `vpc`, `vpc-1`.
fn part_of(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let service = parts.next()?;
    let (kind, id) = parts.nth(2)?.split_once(['/', ':'])?;
    Some((service, kind, id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{Owner, Ownership, Plan, creation, held, is_sought, part_of};

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_neighbour_in_the_same_account_is_another() {
        let ours = Ownership { project: "supabase".to_owned(), environment: "dev".to_owned() };
        let owner = |project, environment| {
            ours.of(&tags(&[("Project", project), ("Environment", environment)]))
        };
        assert_eq!(owner("supabase", "dev"), Owner::Us);
        assert_eq!(owner("supabase", "dev-eu"), Owner::Another);
        assert_eq!(owner("shop", "dev"), Owner::Another);
        assert_eq!(ours.of(&tags(&[("Environment", "dev")])), Owner::Another);
        assert_eq!(ours.of(&tags(&[])), Owner::Another, "who puts no tag on it is not us");
    }

    fn plan(changes: &[(&str, Value)], state: &[(&str, Value)]) -> Plan {
        let changes: Vec<Value> = changes
            .iter()
            .map(|(kind, after)| json!({"address": format!("{kind}.x"), "type": kind, "mode": "managed", "change": {"actions": ["create"], "after": after}}))
            .collect();
        let state: Vec<Value> = state
            .iter()
            .map(|(kind, values)| json!({"address": format!("{kind}.y"), "type": kind, "mode": "managed", "values": values}))
            .collect();
        let prior = json!({"values": {"root_module": {"resources": state}}});
        Plan::parse(&json!({"resource_changes": changes, "prior_state": prior}).to_string())
            .unwrap()
    }

    /// A creation and what the state has of the same are told apart by the same.
    #[test]
    fn a_creation_has_the_key_that_the_state_knows_it_by() {
        for (kind, values, key) in [
            ("aws_subnet", json!({"tags": {"Name": "supabase-dev-node-a"}}), "supabase-dev-node-a"),
            ("aws_iam_role", json!({"name": "supabase-dev-node"}), "supabase-dev-node"),
            (
                "aws_route",
                json!({"route_table_id": "rtb-1", "destination_cidr_block": "0.0.0.0/0"}),
                "rtb-1_0.0.0.0/0",
            ),
            (
                "aws_route_table_association",
                json!({"route_table_id": "rtb-1", "subnet_id": "subnet-1"}),
                "subnet-1/rtb-1",
            ),
            ("aws_eks_addon", json!({"cluster_name": "c", "addon_name": "a"}), "c:a"),
            ("aws_kms_alias", json!({"name": "alias/a"}), "alias/a"),
        ] {
            let plan = plan(&[(kind, values.clone())], &[(kind, values)]);
            assert_eq!(creation(&plan.resource_changes[0]).unwrap().key, key);
            assert!(held(&plan).keys.contains(&(kind, key.to_owned())), "{kind}");
        }
        // Its table is only just made: nothing can be there yet.
        let unknown = plan(&[("aws_route", json!({"destination_cidr_block": "0.0.0.0/0"}))], &[]);
        assert_eq!(creation(&unknown.resource_changes[0]), None);
    }

    #[test]
    fn what_is_put_there_again_is_not_looked_for() {
        assert!(is_sought("aws_vpc") && is_sought("aws_s3_bucket"));
        assert!(!is_sought("aws_s3_bucket_policy") && !is_sought("aws_unheard_of"));
    }

    #[test]
    fn an_arn_names_service_kind_and_id() {
        for (arn, part) in [
            ("arn:aws:ec2:eu-west-1:1:vpc/vpc-1", ("ec2", "vpc", "vpc-1")),
            ("arn:aws:rds:eu-west-1:1:pg:supabase-dev-1", ("rds", "pg", "supabase-dev-1")),
        ] {
            assert_eq!(part_of(arn), Some(part));
        }
        assert_eq!(part_of("arn:aws:s3:::bucket"), None);
    }
}
