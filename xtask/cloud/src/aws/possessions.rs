//! What AWS has under a name, asked of the service itself: it knows what was made a second ago, and its
//! names are taken whether or not anybody put a tag on what has them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use futures::{StreamExt as _, stream};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Cloud,
    signed::{Answer, Call, first_text},
};
use crate::runtime::block_on;

/// Something that has a name of its own in an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Thing {
    Role(String),
    /// By its ARN.
    IdentityProvider(String),
    Bucket(String),
    Parameter(String),
    Database(String),
    SubnetGroup(String),
    EventSubscription(String),
    Budget(String),
    /// A cluster, or what belongs to one: the parts of its path behind `/clusters/`.
    Cluster(Vec<String>),
}

/// Something that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Possession {
    pub tags: BTreeMap<String, String>,
    /// Nothing was done with it since it was made: a bucket without a tag, an object or versions. S3
    /// takes tags in a second request, which is never sent when the answer to the first is lost.
    pub is_blank: bool,
}

/// So many questions are under way at the same time.
const AT_ONCE: usize = 8;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tag {
    #[serde(alias = "key")]
    key: String,
    #[serde(alias = "value")]
    value: String,
}

impl Cloud {
    /// What AWS has of each of these, in their order; `None` where it has none of that name.
    ///
    /// # Errors
    /// When AWS cannot be asked at all; each answer may be an error of its own.
    pub fn possessions(&self, things: &[Thing]) -> Result<Vec<Result<Option<Possession>>>> {
        block_on(async {
            let questions = stream::iter(things).map(|thing| self.possession(thing));
            Ok(questions.buffered(AT_ONCE).collect::<Vec<_>>().await)
        })
    }

    async fn possession(&self, thing: &Thing) -> Result<Option<Possession>> {
        match thing {
            Thing::Role(name) => self.of_iam("iam:GetRole", "GetRole&RoleName", name).await,
            Thing::IdentityProvider(arn) => {
                let action = "GetOpenIDConnectProvider&OpenIDConnectProviderArn";
                self.of_iam("iam:GetOpenIDConnectProvider", action, arn).await
            }
            Thing::Bucket(name) => self.of_s3(name).await,
            Thing::Parameter(name) => {
                let asked = json!({ "ResourceType": "Parameter", "ResourceId": name });
                let target = "AmazonSSM.ListTagsForResource";
                let call = "ssm:ListTagsForResource";
                let answer = self.ask_json(call, ("ssm", "SSM"), target, &asked).await?;
                tagged(call, &answer, "InvalidResourceId", "/TagList")
            }
            Thing::Database(name) => {
                self.of_rds("DescribeDBInstances&DBInstanceIdentifier", "db", name).await
            }
            Thing::SubnetGroup(name) => {
                self.of_rds("DescribeDBSubnetGroups&DBSubnetGroupName", "subgrp", name).await
            }
            Thing::EventSubscription(name) => {
                self.of_rds("DescribeEventSubscriptions&SubscriptionName", "es", name).await
            }
            Thing::Budget(name) => self.of_budgets(name).await,
            Thing::Cluster(path) => self.of_cluster(path).await,
        }
    }

    async fn of_iam(
        &self,
        call: &'static str,
        action: &str,
        name: &str,
    ) -> Result<Option<Possession>> {
        let form = format!("Action={action}={}&Version=2010-05-08", encoded(name));
        let answer = self.ask_form(call, ("iam", "IAM"), form).await?;
        if answer.xml_code() == "NoSuchEntity" {
            return Ok(None);
        }
        xml_tags(call, &answer, "member").map(Some)
    }

    async fn of_s3(&self, name: &str) -> Result<Option<Possession>> {
        let account = self.account().await?;
        if !self.head_bucket(name, &account).await? {
            return Ok(None);
        }
        let get =
            |call, query: &str| self.bucket_call(call, Method::GET, name, query).owned_by(&account);
        let tagging = get("s3:GetBucketTagging", "tagging");
        if let Some(body) = self.s3_optional(&tagging, "NoSuchTagSet").await? {
            let tags = read_tags(&body, "Tag").context("failed to read a bucket's tags")?;
            return Ok(Some(Possession { tags, is_blank: false }));
        }
        let objects = self.s3(&get("s3:ListBucket", "list-type=2&max-keys=1")).await?;
        let versions = self.s3(&get("s3:GetBucketVersioning", "versioning")).await?;
        let is_blank = !objects.body.contains("<Contents>") && !versions.body.contains("<Status>");
        Ok(Some(Possession { tags: BTreeMap::new(), is_blank }))
    }

    /// What RDS has under a name: whether it is there, then its tags, since for what is not there some
    /// lists of tags are empty.
    async fn of_rds(&self, action: &str, kind: &str, name: &str) -> Result<Option<Possession>> {
        const VERSION: &str = "Version=2014-10-31";
        let service = ("rds", "RDS");
        let call = "rds:Describe*";
        let form = format!("Action={action}={}&{VERSION}", encoded(name));
        let described = self.ask_form(call, service, form).await?;
        if described.xml_code().contains("NotFound") {
            return Ok(None);
        }
        if !described.status.is_success() {
            return Err(described.xml_refusal(call));
        }
        if first_text(&described.body, "DBInstanceStatus") == Some("deleting") {
            return Ok(None);
        }
        let account = self.account().await?;
        let arn = format!("arn:{}:rds:{}:{account}:{kind}:{name}", self.partition(), self.region());
        let form = format!("Action=ListTagsForResource&ResourceName={}&{VERSION}", encoded(&arn));
        let call = "rds:ListTagsForResource";
        let answer = self.ask_form(call, service, form).await?;
        xml_tags(call, &answer, "Tag").map(Some)
    }

    async fn of_budgets(&self, name: &str) -> Result<Option<Possession>> {
        let account = self.account().await?;
        let service = ("budgets", "BUDGETS");
        let target = |action: &str| format!("AWSBudgetServiceGateway.{action}");
        let call = "budgets:ViewBudget";
        let asked = json!({ "AccountId": account, "BudgetName": name });
        let answer = self.ask_json(call, service, &target("DescribeBudget"), &asked).await?;
        if answer.json_error().0 == "NotFoundException" {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(answer.refusal(call));
        }
        let arn = format!("arn:{}:budgets::{account}:budget/{name}", self.partition());
        let (call, asked) = ("budgets:ListTagsForResource", json!({ "ResourceARN": arn }));
        let answer = self.ask_json(call, service, &target("ListTagsForResource"), &asked).await?;
        tagged(call, &answer, "NotFoundException", "/ResourceTags")
    }

    async fn of_cluster(&self, path: &[String]) -> Result<Option<Possession>> {
        let path: Vec<String> = path.iter().map(|part| encoded(part)).collect();
        let call = Call {
            name: "eks:Describe*",
            service: "eks",
            method: Method::GET,
            url: format!("{}/clusters/{}", self.endpoint("eks", "EKS"), path.join("/")),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let answer = self.send(&call).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(answer.refusal(call.name));
        }
        let document: Value = serde_json::from_str(&answer.body)
            .with_context(|| format!("failed to read the answer of {}", call.name))?;
        let described = document.as_object().and_then(|parts| parts.values().next());
        let described = described.unwrap_or(&Value::Null);
        if described["status"] == "DELETING" {
            return Ok(None);
        }
        let tags = serde_json::from_value(described["tags"].clone()).unwrap_or_default();
        Ok(Some(Possession { tags, is_blank: false }))
    }
}

/// The tags in a JSON answer, or nothing where its error is `absent`.
fn tagged(call: &str, answer: &Answer, absent: &str, place: &str) -> Result<Option<Possession>> {
    if answer.json_error().0 == absent {
        return Ok(None);
    }
    if !answer.status.is_success() {
        return Err(answer.refusal(call));
    }
    let document: Value = serde_json::from_str(&answer.body)
        .with_context(|| format!("failed to read the answer of {call}"))?;
    let list = document.pointer(place).cloned().unwrap_or_else(|| json!([]));
    let tags: Vec<Tag> = serde_json::from_value(list)
        .with_context(|| format!("failed to read the answer of {call}"))?;
    Ok(Some(Possession { tags: by_key(tags), is_blank: false }))
}

fn xml_tags(call: &str, answer: &Answer, element: &str) -> Result<Possession> {
    if !answer.status.is_success() {
        return Err(answer.xml_refusal(call));
    }
    let tags = read_tags(&answer.body, element)
        .with_context(|| format!("failed to read the answer of {call}"))?;
    Ok(Possession { tags, is_blank: false })
}

/// The pairs of key and value in elements of this name, wherever they stand.
fn read_tags(xml: &str, element: &str) -> Result<BTreeMap<String, String>> {
    let (start, end) = (format!("<{element}>"), format!("</{element}>"));
    let mut tags = Vec::new();
    for piece in xml.split(&start).skip(1) {
        let inner = piece.split(&end).next().unwrap_or_default();
        // Other lists have elements of this name, too.
        if inner.contains("<Key>") {
            tags.push(quick_xml::de::from_str(&format!("{start}{inner}{end}"))?);
        }
    }
    Ok(by_key(tags))
}

fn by_key(tags: Vec<Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// As a signature wants it: all but the unreserved characters.
pub(super) fn encoded(text: &str) -> String {
    const RESERVED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::read_tags;

    #[test]
    fn tags_are_found_wherever_they_stand() {
        let role = "<GetRoleResult><Role><RoleName>a</RoleName><Tags><member><Key>Project</Key><Value>s &amp; t</Value>\
                    </member><member><Key>Name</Key><Value/></member></Tags></Role></GetRoleResult>";
        let tags = read_tags(role, "member").unwrap();
        assert_eq!((&*tags["Project"], &*tags["Name"]), ("s & t", ""));
        let provider = "<ClientIDList><member>sts</member></ClientIDList><Tags><member><Key>A</Key><Value>b</Value>\
                        </member></Tags>";
        assert_eq!(read_tags(provider, "member").unwrap().len(), 1);
        assert!(read_tags("<TagList/>", "Tag").unwrap().is_empty());
    }
}
