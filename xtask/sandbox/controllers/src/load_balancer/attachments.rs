//! What a load balancer uses of others: the certificates of its HTTPS listeners, and a web ACL. AWS
//! lets nobody delete either while it does.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde_json::json;

use super::elbv2::{ELBV2, one, target_groups};
use super::{Protocol, Settings};
use crate::aws::{Aws, texts};

/// Brings both to what the Ingress says. `name`: that of the load balancer and its target group.
pub(crate) async fn ensure(
    aws: &Aws,
    name: &str,
    balancer: &str,
    settings: &Settings,
) -> anyhow::Result<()> {
    listeners(aws, name, balancer, settings).await?;
    // The controller leaves the association alone where the annotation is absent.
    let (call, body) = match settings.web_acl.as_deref() {
        None => return Ok(()),
        Some("none") => ("DisassociateWebACL", json!({ "ResourceArn": balancer })),
        Some(acl) => ("AssociateWebACL", json!({ "ResourceArn": balancer, "WebACLArn": acl })),
    };
    aws.post_json("wafv2", &format!("AWSWAF_20190729.{call}"), &body).await
}

/// Only those that carry a certificate: the others have nothing that somebody could take away.
async fn listeners(
    aws: &Aws,
    name: &str,
    balancer: &str,
    settings: &Settings,
) -> anyhow::Result<()> {
    let answer =
        aws.query(ELBV2, "DescribeListeners", &one("LoadBalancerArn", balancer.to_owned())).await?;
    let secure = settings.listeners.iter().filter(|(protocol, _)| *protocol == Protocol::Https);
    let wanted: Vec<(u16, &String)> = secure
        .filter_map(|(_, port)| settings.certificates.first().map(|first| (*port, first)))
        .collect();
    let carried: BTreeSet<String> = texts(&answer, "CertificateArn").into_iter().collect();
    if carried == wanted.iter().map(|(_, certificate)| (*certificate).clone()).collect() {
        return Ok(());
    }
    for listener in texts(&answer, "ListenerArn") {
        aws.query(ELBV2, "DeleteListener", &one("ListenerArn", listener)).await?;
    }
    for (port, certificate) in wanted {
        let group = target_groups(aws, name).await?.into_iter().next();
        let parameters = BTreeMap::from([
            ("LoadBalancerArn".to_owned(), balancer.to_owned()),
            ("Protocol".to_owned(), "HTTPS".to_owned()),
            ("Port".to_owned(), port.to_string()),
            ("Certificates.member.1.CertificateArn".to_owned(), certificate.clone()),
            ("DefaultActions.member.1.Type".to_owned(), "forward".to_owned()),
            (
                "DefaultActions.member.1.TargetGroupArn".to_owned(),
                group.context("the load balancer has no target group")?,
            ),
        ]);
        aws.query(ELBV2, "CreateListener", &parameters).await?;
    }
    Ok(())
}
