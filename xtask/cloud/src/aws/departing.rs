//! Resources that AWS still lists although they are deleted.

use anyhow::{Result, anyhow};
use reqwest::Method;

use super::{Cloud, signed::Call};
use crate::runtime::block_on;

impl Cloud {
    /// Whether a resource is deleted already and only listed for a while: a KMS key that waits for
    /// the end of its deletion window, a NAT gateway in the hour after its end. Neither costs
    /// anything. False for every other type.
    ///
    /// Source: `KeyState` of `kms:DescribeKey`, `state` of `ec2:DescribeNatGateways`.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn is_departing(&self, arn: &str) -> Result<bool> {
        block_on(async {
            match arn.split(':').collect::<Vec<_>>().as_slice() {
                [_, _, "kms", _, _, key] if key.starts_with("key/") => {
                    self.key_is_departing(arn).await
                }
                [_, _, "ec2", _, _, gateway] => match gateway.strip_prefix("natgateway/") {
                    Some(id) => self.gateway_is_departing(id).await,
                    None => Ok(false),
                },
                _ => Ok(false),
            }
        })
    }

    async fn gateway_is_departing(&self, id: &str) -> Result<bool> {
        let call = Call {
            name: "ec2:DescribeNatGateways",
            service: "ec2",
            method: Method::POST,
            url: format!("{}/", self.endpoint("ec2", "EC2")),
            headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
            body: format!("Action=DescribeNatGateways&Version=2016-11-15&NatGatewayId.1={id}")
                .into_bytes(),
        };
        let answer = self.send(&call).await?;
        if answer.body.contains("NatGatewayNotFound") {
            return Ok(true);
        }
        if !answer.status.is_success() {
            return Err(anyhow!(
                "ec2:DescribeNatGateways failed (status {})",
                answer.status.as_u16()
            ));
        }
        Ok(gateway_ended(&answer.body))
    }
}

/// Whether the answer describes no gateway, or one that is on its way out.
fn gateway_ended(answer: &str) -> bool {
    let state = answer.split_once("<state>").and_then(|(_, rest)| rest.split('<').next());
    state.is_none_or(|state| matches!(state, "deleted" | "deleting"))
}

#[cfg(test)]
mod tests {
    use super::gateway_ended;

    #[test]
    fn only_a_gateway_that_ended_is_departing() {
        assert!(gateway_ended(
            "<natGatewaySet><item><state>deleted</state></item></natGatewaySet>"
        ));
        assert!(gateway_ended("<natGatewaySet/>"));
        assert!(!gateway_ended(
            "<natGatewaySet><item><state>available</state></item></natGatewaySet>"
        ));
    }
}
