//! Whether a cluster exists: what tells "unreachable" from "gone".

use anyhow::{Context, Result, anyhow};
use http::Method;
use serde_json::Value;

use super::{Cloud, error, signed::Call};
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
        let described: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status.is_success() {
            let status = described["cluster"]["status"].as_str();
            return status
                .map(|status| status != "DELETING")
                .context("the answer of eks:DescribeCluster has no status");
        }
        let code = error_code(&answer.headers, &described);
        match code.as_str() {
            "ResourceNotFoundException" => Ok(false),
            // Also a 404 that no EKS wrote: a proxy's, say.
            "" => Err(anyhow!("eks:DescribeCluster failed (status {})", answer.status.as_u16())),
            code => Err(error::answer(
                call.name,
                code,
                described["message"].as_str().unwrap_or_default(),
            )),
        }
    }
}

/// The error's name: in a header, or in the document.
fn error_code(headers: &http::HeaderMap, document: &Value) -> String {
    let header = headers
        .get("x-amzn-errortype")
        .and_then(|value| value.to_str().ok())
        .filter(|code| !code.is_empty());
    let named = header.or_else(|| document["__type"].as_str()).unwrap_or_default();
    let code = named.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().to_owned()
}
