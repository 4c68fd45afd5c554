//! Whether a cluster exists: what tells "unreachable" from "gone".

use anyhow::{Context, Result};
use http::Method;
use serde_json::Value;

use super::{Cloud, signed::Call};
use crate::runtime::block_on;

impl Cloud {
    /// Whether EKS has a cluster of this name that is not on its way out.
    ///
    /// Source: `eks:DescribeCluster`, its `status` and its `ResourceNotFoundException`.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn cluster_exists(&self, name: &str) -> Result<bool> {
        let call = Call {
            name: "eks:DescribeCluster",
            service: "eks",
            method: Method::GET,
            url: format!("{}/clusters/{name}", self.endpoint("eks", "EKS")),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let answer = block_on(self.send(&call))?;
        if answer.status.is_success() {
            let described: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let status = described["cluster"]["status"].as_str();
            return status
                .map(|status| status != "DELETING")
                .context("the answer of eks:DescribeCluster has no status");
        }
        match answer.json_error() {
            (code, _) if code == "ResourceNotFoundException" => Ok(false),
            _ => Err(answer.refusal(call.name)),
        }
    }
}
