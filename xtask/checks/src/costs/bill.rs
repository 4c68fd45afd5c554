//! The bill of a month: the resources of a plan, and what serving them takes, times their prices.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::Value;

/// `terraform/prices.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Prices {
    pub(super) region: String,
    hours_a_month: f64,
    normal_month: Month,
    prices: BTreeMap<String, Price>,
}

/// How much a normal month takes of what is billed by use.
#[derive(Debug, Deserialize)]
struct Month {
    nat_gib_a_node: f64,
    load_balancer_units: f64,
    firewall_million_requests: f64,
    log_gib_a_node: f64,
    stored_objects_gib: f64,
    /// Backups kept in a vault, in sizes of the database: all but the first hold changes only.
    backups_of_whole_size: f64,
}

#[derive(Debug, Deserialize)]
struct Price {
    usd: f64,
}

/// What is paid for, and USD.
#[derive(Debug)]
pub(super) struct Bill {
    pub(super) items: Vec<(String, f64)>,
}

impl Bill {
    pub(super) fn total(&self) -> f64 {
        self.items.iter().map(|(_, usd)| usd).sum()
    }

    /// To the nearest ten: no more is known of prices that are believed.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few thousand dollars"
    )]
    pub(super) fn rounded(&self) -> u64 {
        (self.total() / 10.0).round() as u64 * 10
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, usd) in &self.items {
            writeln!(f, "  {usd:8.2}  {what}")?;
        }
        write!(f, "  {:8.2}  together", self.total())
    }
}

impl Prices {
    /// # Errors
    /// Names what has no price.
    pub(super) fn bill(&self, plan: &Value) -> Result<Bill, String> {
        let resources = Resources::of(plan);
        let mut items = Vec::new();
        self.cluster(&resources, &mut items)?;
        self.database(&resources, &mut items)?;
        self.network(&resources, &mut items)?;
        self.watching(&resources, &mut items)?;
        Ok(Bill { items })
    }

    fn cluster(&self, of: &Resources<'_>, items: &mut Items) -> Result<(), String> {
        let disk = of.first("aws_launch_template", "/block_device_mappings/0/ebs/0/volume_size");
        items.push(("Kubernetes control plane".to_owned(), self.hourly("eks.cluster")?));
        for group in of.all("aws_eks_node_group") {
            let count = number(group, "/scaling_config/0/desired_size");
            let class = group["instance_types"][0].as_str().unwrap_or_default();
            let node = self.hourly(&format!("ec2.{class}"))? + disk * self.price("ebs.gp3")?;
            items.push((format!("{count} {class} with {disk} GiB"), count * node));
        }
        Ok(())
    }

    fn database(&self, of: &Resources<'_>, items: &mut Items) -> Result<(), String> {
        let size = of.first("aws_db_instance", "/allocated_storage");
        for instance in of.all("aws_db_instance") {
            let class = instance["instance_class"].as_str().unwrap_or_default();
            let zones = if instance["multi_az"] == true { 2.0 } else { 1.0 };
            let usd = self.hourly(&format!("rds.{class}"))? + size * self.price("rds.gp3")?;
            items.push((format!("{class} with {size} GiB in {zones} zones"), zones * usd));
        }
        let backups = size * self.month().backups_of_whole_size * self.price("backup.storage")?;
        for plan in of.all("aws_backup_plan") {
            let copies = plan["rule"][0]["copy_action"].as_array().map_or(0, Vec::len);
            items.push(("backups".to_owned(), backups));
            if copies > 0 {
                items.push(("copies of backups in another region".to_owned(), backups));
            }
        }
        Ok(())
    }

    fn network(&self, of: &Resources<'_>, items: &mut Items) -> Result<(), String> {
        let (gateways, zones) = (of.count("aws_nat_gateway"), of.public_zones());
        let through_nat = of.nodes() * self.month().nat_gib_a_node * self.price("nat.data")?;
        items.push((
            format!("{gateways} NAT gateways"),
            gateways * self.hourly("nat.gateway")? + through_nat,
        ));
        let units = self.month().load_balancer_units * self.hourly("alb.unit")?;
        items.push(("load balancer".to_owned(), self.hourly("alb")? + units));
        // A load balancer has one in each zone.
        items.push((
            "public IPv4 addresses".to_owned(),
            (gateways + zones) * self.hourly("vpc.public-ipv4")?,
        ));
        let interfaces: usize = of
            .all("aws_vpc_endpoint")
            .filter(|endpoint| endpoint["vpc_endpoint_type"] == "Interface")
            .count();
        if interfaces > 0 {
            let usd = self.hourly("vpc.endpoint")? * zones * small(interfaces);
            items.push((format!("{interfaces} interface endpoints"), usd));
        }
        if of.count("aws_acm_certificate") > 0.0 {
            items.push(("DNS zone".to_owned(), self.price("route53.zone")?));
        }
        for acl in of.all("aws_wafv2_web_acl") {
            let rules = small(acl["rule"].as_array().map_or(0, Vec::len));
            let requests = self.month().firewall_million_requests * self.price("waf.requests")?;
            let usd = self.price("waf.acl")? + rules * self.price("waf.rule")? + requests;
            items.push((format!("firewall with {rules} rules"), usd));
        }
        Ok(())
    }

    fn watching(&self, of: &Resources<'_>, items: &mut Items) -> Result<(), String> {
        let (keys, alarms) = (of.count("aws_kms_key"), of.count("aws_cloudwatch_metric_alarm"));
        items.push((format!("{keys} keys"), keys * self.price("kms.key")?));
        items.push((format!("{alarms} alarms"), alarms * self.price("cloudwatch.alarm")?));
        let insights = |addon: &Value| addon["addon_name"] == "amazon-cloudwatch-observability";
        if of.all("aws_eks_addon").any(insights) {
            let usd = of.nodes() * self.price("cloudwatch.insights")?;
            items.push(("Container Insights".to_owned(), usd));
        }
        let logs = of.nodes() * self.month().log_gib_a_node;
        items.push((format!("{logs} GiB of logs"), logs * self.price("cloudwatch.logs")?));
        let objects = self.month().stored_objects_gib;
        items.push((format!("{objects} GiB of objects"), objects * self.price("s3.storage")?));
        Ok(())
    }

    fn month(&self) -> &Month {
        &self.normal_month
    }

    fn hourly(&self, name: &str) -> Result<f64, String> {
        Ok(self.price(name)? * self.hours_a_month)
    }

    fn price(&self, name: &str) -> Result<f64, String> {
        let found = self.prices.get(name).map(|price| price.usd);
        found.ok_or_else(|| format!("`{name}` has no price"))
    }
}

type Items = Vec<(String, f64)>;

/// The planned resources by type.
struct Resources<'a>(BTreeMap<&'a str, Vec<(&'a str, &'a Value)>>);

impl<'a> Resources<'a> {
    fn of(plan: &'a Value) -> Self {
        let mut found = BTreeMap::new();
        collect(&plan["planned_values"]["root_module"], &mut found);
        Self(found)
    }

    fn all(&self, kind: &str) -> impl Iterator<Item = &'a Value> {
        self.0.get(kind).into_iter().flatten().map(|(_, values)| *values)
    }

    fn count(&self, kind: &str) -> f64 {
        small(self.all(kind).count())
    }

    /// A number of the first resource of a type that has it.
    fn first(&self, kind: &str, pointer: &str) -> f64 {
        self.all(kind)
            .map(|values| number(values, pointer))
            .find(|it| *it > 0.0)
            .unwrap_or_default()
    }

    fn nodes(&self) -> f64 {
        self.all("aws_eks_node_group").map(|it| number(it, "/scaling_config/0/desired_size")).sum()
    }

    fn public_zones(&self) -> f64 {
        let subnets = self.0.get("aws_subnet").into_iter().flatten();
        small(subnets.filter(|(address, _)| address.contains("aws_subnet.public")).count())
    }
}

fn collect<'a>(module: &'a Value, found: &mut BTreeMap<&'a str, Vec<(&'a str, &'a Value)>>) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        if let (Some(kind), Some(address)) =
            (resource["type"].as_str(), resource["address"].as_str())
            && resource["mode"] != "data"
        {
            found.entry(kind).or_default().push((address, &resource["values"]));
        }
    }
    for child in module["child_modules"].as_array().into_iter().flatten() {
        collect(child, found);
    }
}

fn number(values: &Value, pointer: &str) -> f64 {
    values.pointer(pointer).and_then(Value::as_f64).unwrap_or_default()
}

fn small(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Prices;

    /// Round prices, so that the sums can be done in the head.
    fn prices() -> Prices {
        let price = |usd: f64| json!({ "usd": usd });
        serde_json::from_value(json!({
            "region": "eu-west-1", "hours_a_month": 100.0,
            "normal_month": {
                "nat_gib_a_node": 10.0, "load_balancer_units": 1.0, "firewall_million_requests": 5.0,
                "log_gib_a_node": 5.0, "stored_objects_gib": 0.0, "backups_of_whole_size": 2.0,
            },
            "prices": {
                "eks.cluster": price(0.1), "ec2.t4g.large": price(0.5), "ebs.gp3": price(0.1),
                "rds.db.r6g.large": price(1.0), "rds.gp3": price(0.2), "backup.storage": price(0.1),
                "nat.gateway": price(0.2), "nat.data": price(0.1), "alb": price(0.1), "alb.unit": price(0.1),
                "vpc.public-ipv4": price(0.01), "kms.key": price(1.0), "cloudwatch.alarm": price(0.1),
                "cloudwatch.logs": price(1.0), "s3.storage": price(1.0),
            },
        }))
        .unwrap()
    }

    fn plan(resources: &[(&str, Value)]) -> Value {
        let resources: Vec<Value> = resources
            .iter()
            .map(|(address, values)| {
                let kind = address.split('.').next().unwrap();
                json!({ "address": address, "type": kind, "mode": "managed", "values": values })
            })
            .collect();
        json!({ "planned_values": { "root_module": { "child_modules": [{ "resources": resources }] } } })
    }

    fn usd(found: &[(String, f64)], what: &str) -> f64 {
        found.iter().filter(|(name, _)| name.contains(what)).map(|(_, usd)| usd).sum()
    }

    #[test]
    fn what_is_planned_is_paid_for() {
        let group =
            json!({ "instance_types": ["t4g.large"], "scaling_config": [{ "desired_size": 2 }] });
        let disk = json!({ "block_device_mappings": [{ "ebs": [{ "volume_size": 50 }] }] });
        let database = |multi_az: bool, size: Value| json!({ "instance_class": "db.r6g.large", "multi_az": multi_az, "allocated_storage": size });
        let bill = prices()
            .bill(&plan(&[
                ("aws_eks_node_group.this", group),
                ("aws_launch_template.node", disk),
                ("aws_db_instance.primary", database(true, json!(10))),
                // AWS says its size after the apply.
                ("aws_db_instance.replica", database(false, Value::Null)),
                ("aws_backup_plan.this", json!({ "rule": [{ "copy_action": [{}] }] })),
                ("aws_nat_gateway.this", json!({})),
                ("aws_subnet.public", json!({})),
                ("aws_subnet.node", json!({})),
                ("aws_kms_key.this", json!({})),
            ]))
            .unwrap();
        let close = |what: &str, wanted: f64| {
            let found = usd(&bill.items, what);
            assert!((found - wanted).abs() < 1e-9, "{what}: {found}, not {wanted}");
        };
        close("control plane", 10.0);
        close("t4g.large", 2.0 * (50.0 + 5.0));
        close("in 2 zones", 2.0 * (100.0 + 2.0));
        close("in 1 zones", 100.0 + 2.0);
        close("backups", 2.0 * 2.0);
        close("NAT", 20.0 + 2.0);
        close("public IPv4", 2.0);
        close("keys", 1.0);
        close("logs", 10.0);
    }

    #[test]
    fn what_has_no_price_is_named() {
        let group =
            json!({ "instance_types": ["c9.huge"], "scaling_config": [{ "desired_size": 1 }] });
        let unknown = prices().bill(&plan(&[("aws_eks_node_group.a", group)]));
        assert_eq!(unknown.unwrap_err(), "`ec2.c9.huge` has no price");
    }

    /// Every price says where it is from, of which day it is, and whether it was compared.
    #[test]
    fn every_price_is_dated() {
        let text = include_str!("../../../../terraform/prices.json");
        let table: Value = serde_json::from_str(text).unwrap();
        let rows = table["prices"].as_object().unwrap();
        assert!(rows.len() > 20);
        for (name, row) in rows {
            assert!(row["usd"].as_f64().is_some_and(|usd| usd > 0.0), "{name}");
            assert!(
                row["source"].as_str().is_some_and(|it| it.starts_with("https://aws.amazon.com/")),
                "{name}"
            );
            assert!(row["as_of"].as_str().is_some_and(|it| it.len() == 10), "{name}");
            assert!(row["fetched"].is_boolean() && row["per"].is_string(), "{name}");
        }
    }
}
