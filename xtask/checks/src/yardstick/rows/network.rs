//! Rows 1 to 11: the network.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use serde_json::Value;

use crate::yardstick::{
    plan::PlanView,
    row::{
        Breakage::{Add, Express, Forget, Remove, Set},
        Edit,
        Proof::{Checkov, Code, Plan, Says, Test},
        Row, Verdict, edit, must,
    },
    sources::{Sources, all},
};

pub(super) const ROWS: &[Row] = &[
    Row::new(
        1,
        "flow logs of the VPC, kept for a year",
        "modules/network/flow-logs.tf",
        &[
            Checkov("CKV2_AWS_11"),
            Plan(
                flow_logs,
                &[
                    Remove("aws_flow_log"),
                    Set("aws_flow_log", "/traffic_type", "\"REJECT\""),
                    Set("module.network.aws_cloudwatch_log_group.flow", "/retention_in_days", "30"),
                ],
            ),
        ],
    ),
    Row::new(
        2,
        "the default security group is empty",
        "modules/network/main.tf",
        &[
            Checkov("CKV2_AWS_12"),
            Plan(
                default_group,
                &[
                    Remove("aws_default_security_group"),
                    Express("module.network.aws_default_security_group.this", "ingress", "[{}]"),
                    Express("module.network.aws_default_security_group.this", "egress", "[{}]"),
                ],
            ),
        ],
    ),
    Row::new(
        3,
        "three tiers of subnets; the database's has no way out",
        "modules/network/routing.tf",
        &[Plan(
            isolated_databases,
            &[
                Express(
                    "module.network.aws_route.nat",
                    "route_table_id",
                    r#"{"references": ["aws_route_table.database.id"]}"#,
                ),
                Express("module.network.aws_route_table.database", "route", "[{}]"),
                Express(
                    "module.network.aws_route_table_association.database",
                    "route_table_id",
                    r#"{"references": ["aws_route_table.node"]}"#,
                ),
                Remove("module.network.aws_route_table_association.database"),
            ],
        )],
    ),
    Row::new(
        4,
        "node subnets of /20 or larger",
        "modules/network/main.tf",
        &[Plan(
            roomy_subnets,
            &[Set("module.network.aws_subnet.node", "/cidr_block", "\"10.1.0.0/21\"")],
        )],
    ),
    Row::new(
        5,
        "one NAT gateway in dev, one a zone in prod",
        "modules/network/routing.tf",
        &[
            Test("network:one_gateway"),
            Plan(nat_gateways, &[Remove("aws_nat_gateway"), Add("aws_nat_gateway", "{}")]),
        ],
    ),
    Row::new(
        6,
        "a gateway endpoint for S3 on every private route table",
        "modules/network/endpoints.tf",
        &[Plan(
            s3_endpoint,
            &[
                Remove("module.network.aws_vpc_endpoint.s3"),
                Set("module.network.aws_vpc_endpoint.s3", "/vpc_endpoint_type", "\"Interface\""),
                Express(
                    "module.network.aws_vpc_endpoint.s3",
                    "route_table_ids",
                    r#"{"references": ["aws_route_table.node"]}"#,
                ),
            ],
        )],
    ),
    Row::new(
        7,
        "no security group is open to the world, none is unused",
        "modules/database/security.tf",
        &[
            Checkov("CKV_AWS_260"),
            Checkov("CKV_AWS_382"),
            Checkov("CKV2_AWS_5"),
            Plan(
                closed_groups,
                &[
                    Add("aws_vpc_security_group_ingress_rule", r#"{"cidr_ipv4": "0.0.0.0/0"}"#),
                    Add("aws_vpc_security_group_egress_rule", r#"{"cidr_ipv6": "::/0"}"#),
                ],
            ),
        ],
    ),
    Row::new(
        8,
        "rules of security groups are resources of their own, each described",
        "modules/database/security.tf",
        &[Plan(
            described_rules,
            &[
                Express("module.database.aws_security_group.this", "ingress", "[{}]"),
                Add("aws_security_group_rule", "{}"),
                Forget("aws_vpc_security_group_ingress_rule", "description"),
            ],
        )],
    ),
    Row::new(
        9,
        "only nodes and their pods reach the database; it reaches nothing",
        "modules/database/security.tf",
        &[Plan(
            database_group,
            &[
                Set(
                    "module.database.aws_vpc_security_group_ingress_rule.client",
                    "/from_port",
                    "0",
                ),
                Express(
                    "module.database.aws_vpc_security_group_egress_rule.client",
                    "security_group_id",
                    r#"{"references": ["aws_security_group.this.id"]}"#,
                ),
                Express(
                    "module.database.aws_vpc_security_group_ingress_rule.client",
                    "cidr_ipv4",
                    r#"{"constant_value": "10.0.0.0/8"}"#,
                ),
            ],
        )],
    ),
    Row::new(
        10,
        "zones are checked against those of the account: two or more, three in prod",
        "modules/network/main.tf",
        &[
            Checkov("CKV_AWS_394"),
            Test("network:unknown_zone"),
            Plan(
                zones,
                &[Set("module.network.aws_subnet.node", "/availability_zone", "\"mars-1a\"")],
            ),
        ],
    ),
    Row::new(
        11,
        "the networks of the environments and of Kubernetes do not overlap",
        "environments/",
        &[
            Says("validations:ninth", "var.cluster"),
            Code(
                disjoint_networks,
                &[
                    Edit::Copy {
                        from: "terraform/environments/prod.tfvars",
                        to: "terraform/environments/prod-copy.tfvars",
                    },
                    edit("terraform/environments/prod.tfvars", "\"10.", "\"172.20.0.0/16\" #"),
                ],
            ),
        ],
    ),
];

fn flow_logs(plan: &PlanView<'_>) -> Verdict {
    plan.every("aws_flow_log", "logs less than all traffic", |it| {
        it.text("/traffic_type") == "ALL"
    })?;
    plan.every(
        "module.network.aws_cloudwatch_log_group.flow",
        "is kept for less than a year",
        |it| it.number("/retention_in_days") >= 365,
    )
}

fn default_group(plan: &PlanView<'_>) -> Verdict {
    plan.one("aws_default_security_group")?;
    all(plan.blocks("aws_default_security_group").into_iter().map(|block| {
        let has = |key: &str| !block.expressions[key].is_null();
        must(!has("ingress") && !has("egress"), format!("{} has rules", block.address))
    }))
}

fn isolated_databases(plan: &PlanView<'_>) -> Verdict {
    let tiers = ["public", "node", "database"];
    let subnets = tiers.map(|tier| plan.find(&format!("module.network.aws_subnet.{tier}")).len());
    must(subnets[0] >= 2 && subnets.iter().all(|count| *count == subnets[0]), "a tier is missing")?;
    let associated = plan.find("module.network.aws_route_table_association.database").len();
    must(associated == subnets[2], "a database subnet follows the main route table")?;
    let table = "aws_route_table.database";
    let association = plan.block("module.network.aws_route_table_association.database")?;
    must(association.refers_to("/route_table_id", table), "database subnets use another table")?;
    let inline = &plan.block("module.network.aws_route_table.database")?.expressions["route"];
    must(inline.is_null(), "the database's route table has routes")?;
    let routes = plan.blocks("aws_route");
    must(!routes.is_empty(), "there is no route at all")?;
    all(routes.into_iter().map(|route| {
        must(
            !route.refers_to("/route_table_id", table),
            format!("{} leads out of the database's subnets", route.address),
        )
    }))
}

fn roomy_subnets(plan: &PlanView<'_>) -> Verdict {
    plan.every("module.network.aws_subnet.node", "is smaller than /20", |subnet| {
        let network: Option<Ipv4Net> = subnet.text("/cidr_block").parse().ok();
        network.is_some_and(|network| network.prefix_len() <= 20)
    })
}

fn nat_gateways(plan: &PlanView<'_>) -> Verdict {
    let zones = plan.some("module.network.aws_subnet.node")?.len();
    let wanted = if plan.is_production() { zones } else { 1 };
    let found = plan.find("aws_nat_gateway").len();
    must(found == wanted, format!("{found} NAT gateways instead of {wanted}"))
}

fn s3_endpoint(plan: &PlanView<'_>) -> Verdict {
    let address = "module.network.aws_vpc_endpoint.s3";
    plan.every(address, "is no gateway for S3", |it| {
        it.text("/vpc_endpoint_type") == "Gateway" && it.text("/service_name").ends_with(".s3")
    })?;
    let block = plan.block(address)?;
    all(["aws_route_table.node", "aws_route_table.database"].map(|table| {
        must(block.refers_to("/route_table_ids", table), format!("{table} goes without it"))
    }))
}

fn closed_groups(plan: &PlanView<'_>) -> Verdict {
    for kind in ["aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"] {
        plan.every(kind, "is open to the world", |rule| {
            rule.text("/cidr_ipv4") != "0.0.0.0/0" && rule.text("/cidr_ipv6") != "::/0"
        })?;
    }
    Ok(())
}

fn described_rules(plan: &PlanView<'_>) -> Verdict {
    must(plan.find("aws_security_group_rule").is_empty(), "a rule is of the old kind")?;
    for kind in ["aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"] {
        plan.every(kind, "has no description", |rule| !rule.text("/description").is_empty())?;
    }
    all(plan.blocks("aws_security_group").into_iter().map(|group| {
        let has = |key: &str| !group.expressions[key].is_null();
        must(!has("ingress") && !has("egress"), format!("{} has rules inside", group.address))
    }))
}

fn database_group(plan: &PlanView<'_>) -> Verdict {
    let group = "aws_security_group.this";
    let of_database = |kind: &str| {
        let rules = plan.blocks(kind).into_iter();
        let ours = rules.filter(|rule| {
            rule.address.starts_with("module.database.")
                && rule.refers_to("/security_group_id", group)
        });
        ours.collect::<Vec<_>>()
    };
    must(
        of_database("aws_vpc_security_group_egress_rule").is_empty(),
        "the database has a way out",
    )?;
    let ways_in = of_database("aws_vpc_security_group_ingress_rule");
    must(ways_in.len() == 1, format!("there are {} ways to the database", ways_in.len()))?;
    let rule = ways_in[0];
    plan.every(&rule.address, "opens more than PostgreSQL's port", |it| {
        it.number("/from_port") == 5432
            && it.number("/to_port") == 5432
            && it.text("/ip_protocol") == "tcp"
    })?;
    must(
        rule.refers_to("/referenced_security_group_id", "var.client_security_group_id")
            && ["cidr_ipv4", "cidr_ipv6", "prefix_list_id"]
                .iter()
                .all(|key| rule.expressions[*key].is_null()),
        "others than members of the clients' group reach the database",
    )
}

fn zones(plan: &PlanView<'_>) -> Verdict {
    let subnets = plan.some("module.network.aws_subnet.node")?;
    let zones: BTreeSet<_> = subnets.iter().map(|it| it.text("/availability_zone")).collect();
    let wanted = if plan.is_production() { 3 } else { 2 };
    must(zones.len() >= wanted, format!("{} zones instead of {wanted}", zones.len()))?;
    must(zones.len() == subnets.len(), "two node subnets share a zone")?;
    let region = plan.variable("region").as_str().unwrap_or_default();
    must(zones.iter().all(|zone| zone.starts_with(region)), "a zone is of another region")
}

/// What `cluster.service_cidr` is when an environment does not say.
const SERVICE_NETWORK: &str = "172.20.0.0/16";

fn disjoint_networks(sources: &Sources) -> Verdict {
    let network = |text: &str| text.parse::<Ipv4Net>().map_err(|error| format!("{text}: {error}"));
    let mut seen: Vec<(String, Ipv4Net)> = Vec::new();
    for (name, values) in sources.environments()? {
        let own = network(values["network"]["cidr"].as_str().unwrap_or_default())?;
        let services = &values["cluster"]["service_cidr"];
        let services = network(Value::as_str(services).unwrap_or(SERVICE_NETWORK))?;
        let overlap = |other: &Ipv4Net| own.contains(other) || other.contains(&own);
        must(!overlap(&services), format!("{name}: the VPC overlaps the Services' network"))?;
        for (other, theirs) in &seen {
            must(!overlap(theirs), format!("{name} and {other} overlap"))?;
        }
        seen.push((name, own));
    }
    Ok(())
}
