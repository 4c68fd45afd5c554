//! What still carries a tag: the proof of a tear-down.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Cloud;
use crate::runtime::block_on;

/// A resource that carries a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    pub arn: String,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    pagination_token: Option<String>,
    #[serde(default, rename = "ResourceTagMappingList")]
    resources: Vec<Resource>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(default, rename = "Tags")]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

impl Cloud {
    /// The resources of the region whose tag `tag` is `value`, ordered by ARN. AWS keeps showing
    /// some of them for a while after they were deleted.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn tagged_resources(&self, tag: &str, value: &str) -> Result<Vec<Leftover>> {
        block_on(async {
            let mut found = Vec::new();
            let mut token = String::new();
            loop {
                let page = self.tagged_page(tag, value, &token).await?;
                found.extend(page.resources.into_iter().map(leftover));
                token = page.pagination_token.unwrap_or_default();
                if token.is_empty() {
                    break;
                }
            }
            found.sort_by(|a, b| a.arn.cmp(&b.arn));
            Ok(found)
        })
    }

    async fn tagged_page(&self, tag: &str, value: &str, token: &str) -> Result<Page> {
        let name = "tag:GetResources";
        let body = json!({
            "TagFilters": [{ "Key": tag, "Values": [value] }],
            "ResourcesPerPage": 100,
            "PaginationToken": token,
        });
        let target = "ResourceGroupsTaggingAPI_20170126.GetResources";
        let service = ("tagging", "RESOURCE_GROUPS_TAGGING_API");
        let answer = self.ask_json(name, service, target, &body).await?;
        if answer.status.is_success() {
            return serde_json::from_str(&answer.body)
                .with_context(|| format!("failed to read the answer of {name}"));
        }
        Err(answer.refusal(name))
    }
}

fn leftover(resource: Resource) -> Leftover {
    let tags = resource.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    Leftover { arn: resource.arn, tags }
}
