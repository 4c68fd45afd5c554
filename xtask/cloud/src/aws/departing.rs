//! Resources that AWS still lists although they are deleted: its index of tags is hours behind, so that
//! the service itself is asked before anything is called left.

use anyhow::Result;
use serde_json::json;

use super::{Cloud, signed::first_text};
use crate::runtime::block_on;

/// A kind of EC2 resource in ARNs, the call that describes it, and what that call names its id.
const EC2: [(&str, &str, &str); 14] = [
    ("elastic-ip", "DescribeAddresses", "AllocationId"),
    ("instance", "DescribeInstances", "InstanceId"),
    ("internet-gateway", "DescribeInternetGateways", "InternetGatewayId"),
    ("launch-template", "DescribeLaunchTemplates", "LaunchTemplateId"),
    ("natgateway", "DescribeNatGateways", "NatGatewayId"),
    ("network-interface", "DescribeNetworkInterfaces", "NetworkInterfaceId"),
    ("route-table", "DescribeRouteTables", "RouteTableId"),
    ("security-group", "DescribeSecurityGroups", "GroupId"),
    ("security-group-rule", "DescribeSecurityGroupRules", "SecurityGroupRuleId"),
    ("subnet", "DescribeSubnets", "SubnetId"),
    ("volume", "DescribeVolumes", "VolumeId"),
    ("vpc", "DescribeVpcs", "VpcId"),
    ("vpc-endpoint", "DescribeVpcEndpoints", "VpcEndpointId"),
    ("vpc-flow-log", "DescribeFlowLogs", "FlowLogId"),
];

impl Cloud {
    /// Whether a resource is gone, or on its way out where nothing costs anything any more, although
    /// it is still listed: a terminated node, its volume, a gateway in the hour after its end, a key
    /// that waits for the end of its deletion window. False for types that are not asked about.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn is_departing(&self, arn: &str) -> Result<bool> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, _, service, _, _, resource] = parts.as_slice() else { return Ok(false) };
        match (*service, resource.split_once(['/', ':'])) {
            ("acm", Some(("certificate", _))) => block_on(self.certificate_is_gone(arn)),
            ("ec2", Some((kind, id))) => block_on(self.ec2_is_gone(kind, id)),
            ("eks", Some((_, path))) => {
                let cluster = path.split('/').next().unwrap_or_default();
                Ok(!self.cluster_exists(cluster)?)
            }
            ("elasticloadbalancing", Some((kind, _))) => block_on(self.elb_is_gone(kind, arn)),
            ("kms", Some(("key", _))) => block_on(self.key_is_departing(arn)),
            ("logs", Some(("log-group", name))) => {
                let name = name.trim_end_matches(":*");
                Ok(!self.log_groups(name)?.iter().any(|found| found == name))
            }
            ("rds", Some(("db", name))) => block_on(self.database_is_gone(name)),
            ("s3", None) => Ok(!self.bucket_exists(resource)?),
            ("ssm", Some(("parameter", name))) => {
                Ok(self.parameter(&format!("/{name}"))?.is_none())
            }
            _ => Ok(false),
        }
    }

    async fn certificate_is_gone(&self, arn: &str) -> Result<bool> {
        let body = json!({ "CertificateArn": arn });
        let target = "CertificateManager.DescribeCertificate";
        let name = "acm:DescribeCertificate";
        let answer = self.ask_json(name, ("acm", "ACM"), target, &body).await?;
        match answer.json_error().0.as_str() {
            _ if answer.status.is_success() => Ok(false),
            "ResourceNotFoundException" => Ok(true),
            _ => Err(answer.refusal(name)),
        }
    }

    async fn ec2_is_gone(&self, kind: &str, id: &str) -> Result<bool> {
        let Some((_, action, parameter)) = EC2.iter().find(|(known, ..)| *known == kind) else {
            return Ok(false);
        };
        let form = format!("Action={action}&Version=2016-11-15&{parameter}.1={id}");
        self.gone("ec2:Describe*", ("ec2", "EC2"), form).await
    }

    async fn elb_is_gone(&self, kind: &str, arn: &str) -> Result<bool> {
        let (action, parameter) = match kind {
            "loadbalancer" => ("DescribeLoadBalancers", "LoadBalancerArns"),
            "targetgroup" => ("DescribeTargetGroups", "TargetGroupArns"),
            _ => return Ok(false),
        };
        let form = format!("Action={action}&Version=2015-12-01&{parameter}.member.1={arn}");
        let service = ("elasticloadbalancing", "ELASTIC_LOAD_BALANCING_V2");
        self.gone("elasticloadbalancing:Describe*", service, form).await
    }

    async fn database_is_gone(&self, name: &str) -> Result<bool> {
        let form =
            format!("Action=DescribeDBInstances&Version=2014-10-31&DBInstanceIdentifier={name}");
        self.gone("rds:DescribeDBInstances", ("rds", "RDS"), form).await
    }

    async fn gone(
        &self,
        name: &'static str,
        service: (&'static str, &str),
        form: String,
    ) -> Result<bool> {
        let answer = self.ask_form(name, service, form).await?;
        if answer.status.is_success() {
            return Ok(has_ended(&answer.body));
        }
        if answer.xml_code().ends_with("NotFound") {
            return Ok(true);
        }
        Err(answer.xml_refusal(name))
    }
}

/// Whether the description shows nothing, or something that has ended or is about to.
fn has_ended(answer: &str) -> bool {
    const ENDED: [&str; 4] = ["deleted", "deleting", "shutting-down", "terminated"];
    if !["<item>", "<member>", "<DBInstance>"].iter().any(|one| answer.contains(one)) {
        return true;
    }
    // An instance has its state in an element of its own, the others as a text.
    let instance = answer.split_once("<instanceState>");
    let state = instance.and_then(|(_, rest)| first_text(rest, "name"));
    let state = state.or_else(|| {
        let names = ["state", "status", "vpcEndpointState", "DBInstanceStatus"];
        names.iter().find_map(|name| first_text(answer, name))
    });
    state.is_some_and(|state| ENDED.contains(&state))
}

#[cfg(test)]
mod tests {
    use super::has_ended;

    #[test]
    fn only_what_ended_is_gone() {
        let shown = |inner: &str| format!("<set><item>{inner}</item></set>");
        for ended in [
            "<state>deleted</state>",
            "<state>deleting</state>",
            "<volumeId>vol-1</volumeId><status>deleting</status>",
            "<instanceState><code>48</code><name>terminated</name></instanceState>",
        ] {
            assert!(has_ended(&shown(ended)), "{ended}");
        }
        for there in [
            "<state>available</state>",
            "<groupId>sg-1</groupId>",
            "<instanceState><code>16</code><name>running</name></instanceState>",
            "<status>in-use</status><attachmentSet><status>detaching</status></attachmentSet>",
        ] {
            assert!(!has_ended(&shown(there)), "{there}");
        }
        assert!(has_ended("<natGatewaySet/>"));
    }
}
