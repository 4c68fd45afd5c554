//! What GuardDuty's runtime monitoring puts into a network by itself: an endpoint and a security group,
//! which nobody takes away again and which keep subnets and network from being deleted.
//!
//! Source: "How Runtime Monitoring works with Amazon EKS clusters", Amazon GuardDuty User Guide.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::sleep;

use super::{Cloud, signed::first_text};
use crate::{
    Wait,
    runtime::{block_on, wait_for},
};

/// The tag that GuardDuty puts on both.
const MANAGED: &str = "GuardDutyManaged";

/// How often the end of an endpoint is looked for.
const INTERVAL: Duration = Duration::from_secs(5);

/// What GuardDuty put into a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guests {
    pub endpoints: Vec<String>,
    pub security_groups: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Items<T> {
    #[serde(default = "Vec::new")]
    item: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct Networks {
    #[serde(rename = "vpcSet")]
    set: Items<Network>,
}

#[derive(Debug, Deserialize)]
struct Network {
    #[serde(rename = "vpcId")]
    id: String,
}

#[derive(Debug, Deserialize)]
struct Endpoints {
    #[serde(rename = "vpcEndpointSet")]
    set: Items<Endpoint>,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    #[serde(rename = "vpcEndpointId")]
    id: String,
    #[serde(default)]
    state: String,
}

#[derive(Debug, Deserialize)]
struct Groups {
    #[serde(rename = "securityGroupInfo")]
    set: Items<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    #[serde(rename = "groupId")]
    id: String,
}

impl Guests {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty() && self.security_groups.is_empty()
    }
}

impl Cloud {
    /// What GuardDuty put into the networks that carry all these tags.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn guests(&self, tags: &[(&str, &str)]) -> Result<Guests> {
        block_on(async {
            let tags: Vec<_> = tags.iter().map(|(k, v)| (format!("tag:{k}"), *v)).collect();
            let networks: Networks = self.network_items("DescribeVpcs", &tags).await?;
            let mut guests = Guests::default();
            for network in networks.set.item {
                let found = self.guests_of(&network.id).await?;
                guests.endpoints.extend(found.endpoints);
                guests.security_groups.extend(found.security_groups);
            }
            Ok(guests)
        })
    }

    /// Deletes them: the endpoints first, whose interfaces use the groups.
    ///
    /// # Errors
    /// When AWS refuses or is not reached, or the wait ends.
    pub fn remove_guests(&self, guests: &Guests, wait: &Wait<'_>) -> Result<()> {
        wait_for(wait, "GuardDuty's endpoint to be gone", async |seen| {
            if !guests.endpoints.is_empty() {
                let ids = numbered("VpcEndpointId", &guests.endpoints);
                self.act("ec2:DeleteVpcEndpoints", "DeleteVpcEndpoints", &ids).await?;
            }
            for id in &guests.endpoints {
                while !self.endpoint_is_gone(id).await? {
                    seen.note(format!("endpoint {id} is being deleted"));
                    sleep(INTERVAL).await;
                }
            }
            for group in &guests.security_groups {
                let id = format!("&GroupId={group}");
                self.act("ec2:DeleteSecurityGroup", "DeleteSecurityGroup", &id).await?;
            }
            Ok(())
        })
    }

    /// Not while it is being deleted: until its end its interfaces use the group.
    async fn endpoint_is_gone(&self, id: &str) -> Result<bool> {
        let ids = numbered("VpcEndpointId", &[id.to_owned()]);
        let body = self.act("ec2:DescribeVpcEndpoints", "DescribeVpcEndpoints", &ids).await?;
        Ok(first_text(&body, "state").is_none_or(|state| state == "deleted"))
    }

    async fn guests_of(&self, network: &str) -> Result<Guests> {
        let filter = [("vpc-id".to_owned(), network), (format!("tag:{MANAGED}"), "true")];
        let endpoints: Endpoints = self.network_items("DescribeVpcEndpoints", &filter).await?;
        let groups: Groups = self.network_items("DescribeSecurityGroups", &filter).await?;
        let living = endpoints.set.item.into_iter().filter(|one| one.state != "deleted");
        Ok(Guests {
            endpoints: living.map(|endpoint| endpoint.id).collect(),
            security_groups: groups.set.item.into_iter().map(|group| group.id).collect(),
        })
    }

    async fn network_items<T: DeserializeOwned>(
        &self,
        action: &str,
        filters: &[(String, &str)],
    ) -> Result<T> {
        let filters: String = filters
            .iter()
            .enumerate()
            .map(|(index, (name, value))| {
                format!("&Filter.{0}.Name={name}&Filter.{0}.Value.1={value}", index + 1)
            })
            .collect();
        let body = self.act("ec2:Describe*", action, &filters).await?;
        quick_xml::de::from_str(&body)
            .with_context(|| format!("failed to read the answer of ec2:{action}"))
    }

    /// Sends; what is not there any more is no error.
    pub(super) async fn act(&self, name: &'static str, action: &str, rest: &str) -> Result<String> {
        let form = format!("Action={action}&Version=2016-11-15{rest}");
        let answer = self.ask_form(name, ("ec2", "EC2"), form).await?;
        if answer.status.is_success() || answer.xml_code().ends_with("NotFound") {
            return Ok(answer.body);
        }
        Err(answer.xml_refusal(name))
    }
}

fn numbered(name: &str, ids: &[String]) -> String {
    ids.iter().enumerate().map(|(index, id)| format!("&{name}.{}={id}", index + 1)).collect()
}
