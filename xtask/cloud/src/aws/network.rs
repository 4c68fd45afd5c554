//! What a network holds, asked of EC2 itself, whose tags are as young as what they are on.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Cloud, Leftover};
use crate::runtime::block_on;

/// How the ids of a kind begin, and the kind in ARNs. The kinds in EC2's lists of tags have names of
/// their own.
const KINDS: [(&str, &str); 11] = [
    ("eipalloc", "elastic-ip"),
    ("fl", "vpc-flow-log"),
    ("igw", "internet-gateway"),
    ("lt", "launch-template"),
    ("nat", "natgateway"),
    ("rtb", "route-table"),
    ("sg", "security-group"),
    ("sgr", "security-group-rule"),
    ("subnet", "subnet"),
    ("vpc", "vpc"),
    ("vpce", "vpc-endpoint"),
];

/// For errors.
const CALL: &str = "ec2:Describe*";

/// EC2 takes so many values in one filter.
const IDS: usize = 150;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tags {
    tag_set: Items<Tag>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Items<T> {
    #[serde(default = "Vec::new")]
    item: Vec<T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tag {
    resource_id: String,
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tables {
    route_table_set: Items<Table>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    #[serde(rename = "routeTableId")]
    id: String,
    route_set: Items<Route>,
    association_set: Items<Association>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    #[serde(default)]
    destination_cidr_block: Option<String>,
    #[serde(default)]
    origin: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Association {
    #[serde(default)]
    subnet_id: Option<String>,
}

/// What leads through a route table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteTable {
    pub id: String,
    /// Where its routes go that somebody made, as IPv4 ranges.
    pub destinations: Vec<String>,
    pub subnets: Vec<String>,
}

impl Cloud {
    /// The parts of networks whose tag `tag` is `value`, with all their tags, as
    /// [`Cloud::tagged_resources`] tells of everything; what was made a moment ago is among them. Some
    /// of it may be deleted already.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn tagged_network(&self, tag: &str, value: &str) -> Result<Vec<Leftover>> {
        block_on(async {
            let account = self.account().await?;
            let (key, values) = ([tag.to_owned()], [value.to_owned()]);
            let marked = self.network_tags(&[("key", &key), ("value", &values)]).await?;
            let marked = marked.into_iter().filter(|one| one.key == tag && one.value == value);
            let ids: Vec<String> = marked.map(|one| one.resource_id).collect();
            let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
            for some in ids.chunks(IDS) {
                for one in self.network_tags(&[("resource-id", some)]).await? {
                    found.entry(one.resource_id).or_default().insert(one.key, one.value);
                }
            }
            let place = format!("arn:{}:ec2:{}:{account}", self.partition(), self.region());
            let known = found.into_iter().filter_map(|(id, tags)| {
                let start = id.split('-').next()?;
                let (_, kind) = KINDS.iter().find(|(prefix, _)| *prefix == start)?;
                Some(Leftover { arn: format!("{place}:{kind}/{id}"), tags })
            });
            Ok(known.collect())
        })
    }

    async fn network_tags(&self, filters: &[(&str, &[String])]) -> Result<Vec<Tag>> {
        let mut asked = String::from("&MaxResults=1000");
        for (at, (name, values)) in (1..).zip(filters) {
            asked.push_str(&format!("&Filter.{at}.Name={name}"));
            for (index, value) in (1..).zip(*values) {
                asked.push_str(&format!("&Filter.{at}.Value.{index}={value}"));
            }
        }
        let (mut found, mut token) = (Vec::new(), None::<String>);
        loop {
            let next =
                token.map(|token| format!("&NextToken={}", super::possessions::encoded(&token)));
            let body = self
                .act(CALL, "DescribeTags", &format!("{asked}{}", next.unwrap_or_default()))
                .await?;
            let page: Tags = quick_xml::de::from_str(&body)
                .context("failed to read the answer of ec2:DescribeTags")?;
            found.extend(page.tag_set.item);
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The route tables with these ids, as far as they are there.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn route_tables(&self, ids: &[String]) -> Result<Vec<RouteTable>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let asked: String = std::iter::once("&Filter.1.Name=route-table-id".to_owned())
            .chain((1..).zip(ids).map(|(at, id)| format!("&Filter.1.Value.{at}={id}")))
            .collect();
        let body = block_on(self.act(CALL, "DescribeRouteTables", &asked))?;
        let tables: Tables = quick_xml::de::from_str(&body)
            .context("failed to read the answer of ec2:DescribeRouteTables")?;
        Ok(tables.route_table_set.item.into_iter().map(route_table).collect())
    }
}

fn route_table(table: Table) -> RouteTable {
    let made = table.route_set.item.into_iter().filter(|route| route.origin == "CreateRoute");
    let associations = table.association_set.item.into_iter();
    RouteTable {
        id: table.id,
        destinations: made.filter_map(|route| route.destination_cidr_block).collect(),
        subnets: associations.filter_map(|association| association.subnet_id).collect(),
    }
}
