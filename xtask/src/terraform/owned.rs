//! Sets that are ours as a whole: the rules of a security group, the policies of a role, the routes of a
//! table. Each member is a resource of its own, so that Terraform takes a member that somebody else
//! added for something AWS computed, records it with the next apply, and never takes it back.
//!
//! Decided from what AWS has now and what the state makes, never from what was recorded before: an
//! apply cannot make a foreign member one of ours.

use serde::Serialize;
use serde_json::Value;

use super::state::{Resource, State};

/// Attributes that mirror such a set; their members are looked at one by one.
pub(super) const SETS: [(&str, &str); 7] = [
    ("aws_default_security_group", "egress"),
    ("aws_default_security_group", "ingress"),
    ("aws_iam_role", "inline_policy"),
    ("aws_iam_role", "managed_policy_arns"),
    ("aws_route_table", "route"),
    ("aws_security_group", "egress"),
    ("aws_security_group", "ingress"),
];

/// A member that no resource of ours makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Foreign {
    /// `ingress: tcp 5432 from 0.0.0.0/0`.
    pub(crate) member: String,
    /// The command that takes it away; no command of ours does.
    pub(crate) remedy: String,
}

/// Each owner with the members that are not ours.
pub(super) fn foreign(state: &State) -> Vec<(String, Vec<Foreign>)> {
    let all = state.managed();
    let mut found: Vec<_> = all
        .iter()
        .map(|owner| (owner.address.clone(), members(owner, &all)))
        .filter(|(_, foreign)| !foreign.is_empty())
        .collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn members(owner: &Resource, all: &[&Resource]) -> Vec<Foreign> {
    match owner.kind.as_str() {
        "aws_security_group" | "aws_default_security_group" => rules(owner, all),
        "aws_iam_role" => policies(owner, all),
        "aws_route_table" => routes(owner, all),
        _ => Vec::new(),
    }
}

/// One way through a security group; two of them are the same when all parts are.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    protocol: String,
    /// Missing where the protocol has no ports.
    ports: Option<(i64, i64)>,
    peer: String,
}

fn rules(group: &Resource, all: &[&Resource]) -> Vec<Foreign> {
    let id = text(&group.values, "id");
    let mut found = Vec::new();
    for (direction, kind) in [
        ("ingress", "aws_vpc_security_group_ingress_rule"),
        ("egress", "aws_vpc_security_group_egress_rule"),
    ] {
        let of_group =
            |rule: &&&Resource| rule.kind == kind && text(&rule.values, "security_group_id") == id;
        let ours: Vec<Rule> = all.iter().filter(of_group).map(|rule| made(&rule.values)).collect();
        for entry in items(&group.values, direction) {
            let seen = seen(entry, id).into_iter().filter(|rule| !ours.contains(rule));
            found.extend(seen.map(|rule| rule.foreign(direction, id)));
        }
    }
    found
}

/// The rule that a resource of ours makes.
fn made(values: &Value) -> Rule {
    let peers = ["cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"];
    let peer = peers.iter().map(|name| text(values, name)).find(|peer| !peer.is_empty());
    Rule::new(text(values, "ip_protocol"), values, peer.unwrap_or_default())
}

/// The rules that an entry of the group's own attribute stands for.
fn seen(entry: &Value, group: &str) -> Vec<Rule> {
    let lists = ["cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups"];
    let mut peers: Vec<&str> =
        lists.iter().flat_map(|name| items(entry, name)).filter_map(Value::as_str).collect();
    if entry["self"] == Value::Bool(true) {
        peers.push(group);
    }
    peers.into_iter().map(|peer| Rule::new(text(entry, "protocol"), entry, peer)).collect()
}

impl Rule {
    fn new(protocol: &str, values: &Value, peer: &str) -> Self {
        let number = |name: &str| values[name].as_i64().unwrap_or(-1);
        let ports = (protocol != "-1").then(|| (number("from_port"), number("to_port")));
        // A group of another account has the account in front.
        let peer =
            peer.rsplit_once("/sg-").map_or_else(|| peer.to_owned(), |(_, id)| format!("sg-{id}"));
        Self { protocol: protocol.to_owned(), ports, peer }
    }

    fn foreign(&self, direction: &str, group: &str) -> Foreign {
        let towards = if direction == "ingress" { "from" } else { "to" };
        let protocol = if self.protocol == "-1" { "everything" } else { &self.protocol };
        let ports = match self.ports {
            Some((from, to)) if from == to => format!(" {from}"),
            Some((from, to)) => format!(" {from} to {to}"),
            None => String::new(),
        };
        let range = match self.ports {
            Some((from, to)) => format!(",FromPort={from},ToPort={to}"),
            None => String::new(),
        };
        let peer = &self.peer;
        let which = if peer.starts_with("sg-") {
            format!("UserIdGroupPairs=[{{GroupId={peer}}}]")
        } else if peer.starts_with("pl-") {
            format!("PrefixListIds=[{{PrefixListId={peer}}}]")
        } else if peer.contains(':') {
            format!("Ipv6Ranges=[{{CidrIpv6={peer}}}]")
        } else {
            format!("IpRanges=[{{CidrIp={peer}}}]")
        };
        Foreign {
            member: format!("{direction}: {protocol}{ports} {towards} {peer}"),
            remedy: format!(
                "aws ec2 revoke-security-group-{direction} --group-id {group} --ip-permissions \
                 'IpProtocol={}{range},{which}'",
                self.protocol
            ),
        }
    }
}

fn policies(role: &Resource, all: &[&Resource]) -> Vec<Foreign> {
    let name = text(&role.values, "name");
    let has = |kind: &str, attribute: &str, value: &str| {
        all.iter().any(|other| {
            other.kind == kind
                && text(&other.values, "role") == name
                && text(&other.values, attribute) == value
        })
    };
    let attached = items(&role.values, "managed_policy_arns").filter_map(Value::as_str);
    let attached = attached
        .filter(|arn| !has("aws_iam_role_policy_attachment", "policy_arn", arn))
        .map(|arn| Foreign {
            member: format!("attached policy: {arn}"),
            remedy: format!("aws iam detach-role-policy --role-name {name} --policy-arn {arn}"),
        });
    let inline = items(&role.values, "inline_policy").map(|policy| text(policy, "name"));
    let inline = inline
        .filter(|policy| !policy.is_empty() && !has("aws_iam_role_policy", "name", policy))
        .map(|policy| Foreign {
            member: format!("inline policy: {policy}"),
            remedy: format!("aws iam delete-role-policy --role-name {name} --policy-name {policy}"),
        });
    attached.chain(inline).collect()
}

fn routes(table: &Resource, all: &[&Resource]) -> Vec<Foreign> {
    const DESTINATIONS: [(&str, &str, &str); 3] = [
        ("cidr_block", "destination_cidr_block", "--destination-cidr-block"),
        ("ipv6_cidr_block", "destination_ipv6_cidr_block", "--destination-ipv6-cidr-block"),
        (
            "destination_prefix_list_id",
            "destination_prefix_list_id",
            "--destination-prefix-list-id",
        ),
    ];
    let id = text(&table.values, "id");
    let mut found = Vec::new();
    for route in items(&table.values, "route") {
        for (seen, made, flag) in DESTINATIONS {
            let destination = text(route, seen);
            let is_ours = all.iter().any(|other| {
                other.kind == "aws_route"
                    && text(&other.values, "route_table_id") == id
                    && text(&other.values, made) == destination
            });
            if !destination.is_empty() && !is_ours {
                found.push(Foreign {
                    member: format!("route: to {destination}"),
                    remedy: format!(
                        "aws ec2 delete-route --route-table-id {id} {flag} {destination}"
                    ),
                });
            }
        }
    }
    found
}

fn text<'a>(values: &'a Value, name: &str) -> &'a str {
    values[name].as_str().unwrap_or_default()
}

fn items<'a>(values: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    values[name].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{State, foreign};

    fn found(resources: &[(&str, Value)]) -> Vec<String> {
        let resources: Vec<_> = resources
            .iter()
            .enumerate()
            .map(|(at, (kind, values))| json!({"address": format!("{kind}.r{at}"), "type": kind, "mode": "managed", "values": values}))
            .collect();
        let state = json!({"values": {"root_module": {"resources": resources}}});
        let found = foreign(&State::parse(&state.to_string()).unwrap());
        found
            .into_iter()
            .flat_map(|(_, foreign)| foreign)
            .map(|one| format!("{} | {}", one.member, one.remedy))
            .collect()
    }

    fn entry(cidr: &[&str], groups: &[&str]) -> Value {
        json!({"protocol": "tcp", "from_port": 5432, "to_port": 5432, "cidr_blocks": cidr, "security_groups": groups, "self": false})
    }

    fn rule() -> (&'static str, Value) {
        let values = json!({"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 5432, "to_port": 5432, "referenced_security_group_id": "sg-2", "cidr_ipv4": null});
        ("aws_vpc_security_group_ingress_rule", values)
    }

    #[test]
    fn a_rule_added_by_hand_stays_found_with_the_command_that_takes_it_away() {
        let group = |entries: Vec<Value>| {
            ("aws_security_group", json!({"id": "sg-1", "ingress": entries, "egress": []}))
        };
        assert!(found(&[group(vec![entry(&[], &["sg-2"])]), rule()]).is_empty());
        let added = found(&[group(vec![entry(&["0.0.0.0/0"], &["sg-2"])]), rule()]);
        assert_eq!(
            added,
            [
                "ingress: tcp 5432 from 0.0.0.0/0 | aws ec2 revoke-security-group-ingress --group-id sg-1 \
              --ip-permissions 'IpProtocol=tcp,FromPort=5432,ToPort=5432,IpRanges=[{CidrIp=0.0.0.0/0}]'"
            ]
        );
    }

    #[test]
    fn everything_has_no_ports_and_a_group_may_name_itself() {
        let entry = json!({"protocol": "-1", "from_port": 0, "to_port": 0, "self": true});
        let group = json!({"id": "sg-1", "ingress": [], "egress": [entry]});
        let ours = json!({"security_group_id": "sg-1", "ip_protocol": "-1", "from_port": null, "referenced_security_group_id": "sg-1"});
        let all =
            [("aws_security_group", group.clone()), ("aws_vpc_security_group_egress_rule", ours)];
        assert!(found(&all).is_empty(), "{:?}", found(&all));
        assert_eq!(found(&[("aws_default_security_group", group)]).len(), 1);
    }

    #[test]
    fn policies_of_a_role_and_routes_of_a_table_are_sets_too() {
        let role = json!({"name": "node", "managed_policy_arns": ["arn:a", "arn:admin"], "inline_policy": [{"name": "workload"}, {"name": "more"}]});
        let table = json!({"id": "rtb-1", "route": [{"cidr_block": "0.0.0.0/0"}, {"cidr_block": "9.9.9.0/24"}]});
        let all = [
            ("aws_iam_role", role),
            ("aws_iam_role_policy_attachment", json!({"role": "node", "policy_arn": "arn:a"})),
            ("aws_iam_role_policy", json!({"role": "node", "name": "workload"})),
            ("aws_route_table", table),
            (
                "aws_route",
                json!({"route_table_id": "rtb-1", "destination_cidr_block": "0.0.0.0/0"}),
            ),
        ];
        let found = found(&all);
        let members: Vec<_> = found.iter().map(|line| line.split(" | ").next().unwrap()).collect();
        assert_eq!(
            members,
            ["attached policy: arn:admin", "inline policy: more", "route: to 9.9.9.0/24"]
        );
    }
}
