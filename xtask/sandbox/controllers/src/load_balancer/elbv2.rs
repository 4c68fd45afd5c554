//! The load balancer in the account: what `elbv2` lists until the controller deletes it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::Context;

use crate::aws::{Aws, AwsError, first_text, texts};

pub(super) const ELBV2: (&str, &str) = ("elasticloadbalancing", "2015-12-01");
const EC2: (&str, &str) = ("ec2", "2016-11-15");

/// What the controller asks for.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) internet_facing: bool,
    pub(crate) vpc: String,
    pub(crate) cluster: String,
    /// `namespace/ingress`, or the group's name.
    pub(crate) stack: String,
    pub(crate) port: u16,
}

/// What the account answers.
pub(crate) struct Made {
    pub(crate) arn: String,
    pub(crate) hostname: String,
    pub(crate) address: IpAddr,
}

/// Makes the load balancer and its target group, or finds those that exist.
pub(crate) async fn ensure(aws: &Aws, wanted: &Wanted) -> anyhow::Result<Made> {
    let subnets = subnets(aws, wanted).await?;
    let (arn, hostname) = match describe(aws, &wanted.name).await? {
        Some(found) => found,
        None => create(aws, wanted, &subnets).await?,
    };
    let address = subnets.first().and_then(|(_, cidr)| address_in(cidr));
    Ok(Made {
        arn,
        hostname,
        address: address.context("the subnets of the load balancer have no addresses")?,
    })
}

/// Deletes both; already gone is fine.
pub(crate) async fn delete(aws: &Aws, name: &str) -> anyhow::Result<()> {
    if let Some((arn, _)) = describe(aws, name).await? {
        aws.query(ELBV2, "DeleteLoadBalancer", &one("LoadBalancerArn", arn)).await?;
    }
    for arn in target_groups(aws, name).await? {
        aws.query(ELBV2, "DeleteTargetGroup", &one("TargetGroupArn", arn)).await?;
    }
    Ok(())
}

/// The target groups of this name; none is fine.
pub(super) async fn target_groups(aws: &Aws, name: &str) -> anyhow::Result<Vec<String>> {
    let names = one("Names.member.1", name.to_owned());
    let answer = found(aws.query(ELBV2, "DescribeTargetGroups", &names).await)?;
    Ok(answer.map(|answer| texts(&answer, "TargetGroupArn")).unwrap_or_default())
}

/// The subnets that carry the role of this scheme, with their address blocks.
async fn subnets(aws: &Aws, wanted: &Wanted) -> anyhow::Result<Vec<(String, String)>> {
    let role = if wanted.internet_facing { "elb" } else { "internal-elb" };
    let parameters = BTreeMap::from([
        ("Filter.1.Name".to_owned(), "vpc-id".to_owned()),
        ("Filter.1.Value.1".to_owned(), wanted.vpc.clone()),
        ("Filter.2.Name".to_owned(), "tag-key".to_owned()),
        ("Filter.2.Value.1".to_owned(), format!("kubernetes.io/role/{role}")),
    ]);
    let answer = aws.query(EC2, "DescribeSubnets", &parameters).await?;
    let subnets: Vec<_> =
        texts(&answer, "subnetId").into_iter().zip(texts(&answer, "cidrBlock")).collect();
    let zones: std::collections::BTreeSet<_> =
        texts(&answer, "availabilityZone").into_iter().collect();
    if subnets.is_empty() {
        anyhow::bail!(
            "couldn't auto-discover subnets: unable to resolve at least one subnet (0 match VPC {} and tag \
             kubernetes.io/role/{role})",
            wanted.vpc
        );
    }
    if zones.len() < 2 {
        anyhow::bail!(
            "couldn't auto-discover subnets: subnets count less than minimal required count: {} < 2",
            zones.len()
        );
    }
    Ok(subnets)
}

async fn describe(aws: &Aws, name: &str) -> anyhow::Result<Option<(String, String)>> {
    let parameters = BTreeMap::from([("Names.member.1".to_owned(), name.to_owned())]);
    let Some(answer) = found(aws.query(ELBV2, "DescribeLoadBalancers", &parameters).await)? else {
        return Ok(None);
    };
    Ok(first_text(&answer, "LoadBalancerArn").zip(first_text(&answer, "DNSName")))
}

async fn create(
    aws: &Aws,
    wanted: &Wanted,
    subnets: &[(String, String)],
) -> anyhow::Result<(String, String)> {
    let scheme = if wanted.internet_facing { "internet-facing" } else { "internal" };
    let mut parameters = BTreeMap::from([
        ("Name".to_owned(), wanted.name.clone()),
        ("Scheme".to_owned(), scheme.to_owned()),
        ("Type".to_owned(), "application".to_owned()),
    ]);
    for (index, (subnet, _)) in subnets.iter().enumerate() {
        parameters.insert(format!("Subnets.member.{}", index + 1), subnet.clone());
    }
    parameters.extend(tags(wanted, "LoadBalancer"));
    let answer = aws.query(ELBV2, "CreateLoadBalancer", &parameters).await?;
    let mut group = BTreeMap::from([
        ("Name".to_owned(), wanted.name.clone()),
        ("Protocol".to_owned(), "HTTP".to_owned()),
        ("Port".to_owned(), wanted.port.to_string()),
        ("VpcId".to_owned(), wanted.vpc.clone()),
        ("TargetType".to_owned(), "ip".to_owned()),
    ]);
    group.extend(tags(wanted, &format!("{}:{}", wanted.stack, wanted.port)));
    aws.query(ELBV2, "CreateTargetGroup", &group).await?;
    first_text(&answer, "LoadBalancerArn")
        .zip(first_text(&answer, "DNSName"))
        .context("CreateLoadBalancer answered no ARN or no DNSName")
}

/// The tags by which a tear-down finds what a cluster left behind.
fn tags(wanted: &Wanted, resource: &str) -> BTreeMap<String, String> {
    let tags = [
        ("elbv2.k8s.aws/cluster", wanted.cluster.as_str()),
        ("ingress.k8s.aws/stack", wanted.stack.as_str()),
        ("ingress.k8s.aws/resource", resource),
    ];
    let numbered = tags.iter().enumerate().flat_map(|(index, (key, value))| {
        let member = format!("Tags.member.{}", index + 1);
        [
            (format!("{member}.Key"), (*key).to_owned()),
            (format!("{member}.Value"), (*value).to_owned()),
        ]
    });
    numbered.collect()
}

pub(super) fn one(name: &str, value: String) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value)])
}

fn found(answer: anyhow::Result<String>) -> anyhow::Result<Option<String>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => match error.downcast_ref::<AwsError>() {
            Some(known) if known.code.ends_with("NotFound") => Ok(None),
            _ => Err(error),
        },
    }
}

/// An address in a block, as a load balancer takes one of each subnet.
fn address_in(cidr: &str) -> Option<IpAddr> {
    cidr.parse::<ipnet::IpNet>().ok()?.hosts().nth(9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_its_block() {
        assert_eq!(address_in("10.0.4.0/24").unwrap().to_string(), "10.0.4.10");
        assert_eq!(address_in("nonsense"), None);
    }
}
