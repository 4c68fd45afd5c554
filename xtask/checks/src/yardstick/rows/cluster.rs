//! Rows 12 to 24: the cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::yardstick::{
    plan::PlanView,
    row::{
        Breakage::{Add, Express, Forget, Remove, Set},
        Proof::{Checkov, CheckovSkip, Code, Observed, Plan, Says, Test},
        Row, Verdict, edit, must,
    },
    sources::{Sources, all, attribute, has_block, labels, written},
};

const CLUSTER: &str = "aws_eks_cluster";

pub(super) const ROWS: &[Row] = &[
    Row::new(
        12,
        "versions are checked against a dated support table, with 60 days' notice",
        "support.json, guards.tf",
        &[
            Test("guards:support_ended"),
            Test("guards:support_ends_soon"),
            Test("guards:next_version_supported"),
            Test("guards:database_support_ended"),
            Says("validations:first", "var.kubernetes_version"),
            Observed("support-calendar"),
        ],
    ),
    Row::new(
        13,
        "no extended support at six times the price",
        "modules/cluster/main.tf",
        &[Plan(
            standard_support,
            &[
                Set(CLUSTER, "/upgrade_policy/0/support_type", "\"EXTENDED\""),
                Set(CLUSTER, "/upgrade_policy", "[]"),
            ],
        )],
    ),
    Row::new(
        14,
        "the Kubernetes API is private, or public to listed networks only",
        "modules/cluster/main.tf",
        &[
            Test("cluster:public_to_some"),
            Test("cluster:private_to_some"),
            Says("validations:eighth", "var.cluster"),
            Checkov("CKV_AWS_38"),
            CheckovSkip("CKV_AWS_39"),
            Plan(
                closed_api,
                &[
                    Set(
                        CLUSTER,
                        "/vpc_config/0",
                        r#"{"endpoint_private_access": true, "endpoint_public_access": true, "public_access_cidrs": ["0.0.0.0/0"]}"#,
                    ),
                    Set(
                        CLUSTER,
                        "/vpc_config/0",
                        r#"{"endpoint_private_access": true, "endpoint_public_access": true}"#,
                    ),
                    Set(CLUSTER, "/vpc_config/0/endpoint_private_access", "false"),
                ],
            ),
        ],
    ),
    Row::new(
        15,
        "Kubernetes Secrets are encrypted with a key of ours, which rotates",
        "modules/encryption, modules/cluster/main.tf",
        &[
            Checkov("CKV_AWS_58"),
            Checkov("CKV_AWS_7"),
            Plan(
                encrypted_secrets,
                &[
                    Set(CLUSTER, "/encryption_config", "[]"),
                    Express("module.cluster.aws_eks_cluster.this", "encryption_config", "[]"),
                    Set("aws_kms_key", "/enable_key_rotation", "false"),
                ],
            ),
        ],
    ),
    Row::new(
        16,
        "all control plane logs, into an encrypted group that forgets after a year",
        "modules/cluster/main.tf",
        &[
            Checkov("CKV_AWS_37"),
            Checkov("CKV_AWS_158"),
            Checkov("CKV_AWS_338"),
            Plan(
                control_plane_logs,
                &[
                    Set(CLUSTER, "/enabled_cluster_log_types", "[\"api\"]"),
                    Remove("module.cluster.aws_cloudwatch_log_group.control_plane"),
                    Forget("module.cluster.aws_cloudwatch_log_group.control_plane", "kms_key_id"),
                    Set(
                        "module.cluster.aws_cloudwatch_log_group.control_plane",
                        "/retention_in_days",
                        "0",
                    ),
                ],
            ),
        ],
    ),
    Row::new(
        17,
        "access by entries only; whoever makes the cluster gets none",
        "modules/cluster/main.tf",
        &[
            Says("validations:tenth", "var.cluster"),
            Plan(
                access_entries,
                &[
                    Set(CLUSTER, "/access_config/0/authentication_mode", "\"API_AND_CONFIG_MAP\""),
                    Set(
                        CLUSTER,
                        "/access_config/0/bootstrap_cluster_creator_admin_permissions",
                        "true",
                    ),
                    Remove("aws_eks_access_policy_association"),
                ],
            ),
        ],
    ),
    Row::new(
        18,
        "nodes: IMDSv2 with one hop, encrypted gp3, no SSH key",
        "modules/cluster/nodes.tf",
        &[
            Checkov("CKV_AWS_79"),
            Checkov("CKV_AWS_341"),
            Checkov("CKV_AWS_100"),
            Plan(
                hardened_nodes,
                &[
                    Set("aws_launch_template", "/metadata_options/0/http_tokens", "\"optional\""),
                    Set(
                        "aws_launch_template",
                        "/metadata_options/0/http_put_response_hop_limit",
                        "2",
                    ),
                    Set(
                        "aws_launch_template",
                        "/block_device_mappings/0/ebs/0/encrypted",
                        "\"false\"",
                    ),
                    Set("aws_launch_template", "/key_name", "\"key\""),
                ],
            ),
        ],
    ),
    Row::new(
        19,
        "nodes run Amazon Linux 2023 of a chosen architecture, arm64 by default",
        "modules/cluster/nodes.tf",
        &[
            Test("cluster:x86_nodes"),
            Says("validations:second", "var.nodes"),
            Plan(node_images, &[Set("aws_eks_node_group", "/ami_type", "\"AL2_x86_64\"")]),
        ],
    ),
    Row::new(
        20,
        "every add-on has the version that fits the Kubernetes minor, from one place",
        "modules/cluster/addons.tf",
        &[
            Test("cluster:addons"),
            Test("dns:zone"),
            Test("observability:before_the_first_deployment"),
            Plan(
                addons,
                &[
                    Remove("module.cluster.aws_eks_addon.node"),
                    Express(
                        "module.cluster.aws_eks_addon.network",
                        "addon_version",
                        r#"{"constant_value": "v1"}"#,
                    ),
                ],
            ),
        ],
    ),
    Row::new(
        21,
        "the CNI enforces network policies with a role of its own",
        "modules/cluster/addons.tf",
        &[Plan(
            cni,
            &[
                Set(
                    "module.cluster.aws_eks_addon.network[\"vpc-cni\"]",
                    "/configuration_values",
                    "\"{}\"",
                ),
                Forget(
                    "module.cluster.aws_eks_addon.network[\"vpc-cni\"]",
                    "service_account_role_arn",
                ),
                Set(
                    "module.cluster.aws_iam_role_policy_attachment.node",
                    "/policy_arn",
                    "\"arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy\"",
                ),
            ],
        )],
    ),
    Row::new(
        22,
        "a plan leaves the number of nodes to the autoscaler",
        "modules/cluster/nodes.tf",
        &[Code(
            desired_size_is_left_alone,
            &[edit(
                "terraform/modules/cluster/nodes.tf",
                "ignore_changes = [scaling_config[0].desired_size]",
                "ignore_changes = []",
            )],
        )],
    ),
    Row::new(
        23,
        "one node group a zone",
        "modules/cluster/nodes.tf",
        &[Plan(node_groups, &[Remove("aws_eks_node_group"), Add("aws_eks_node_group", "{}")])],
    ),
    Row::new(
        24,
        "the autoscaler fits the cluster's minor and resizes its own groups only",
        "modules/identity/workloads.tf, helm/addons/addons.yaml",
        &[
            Checkov("CKV_AWS_290"),
            Plan(
                own_groups_only,
                &[
                    Remove(
                        "module.identity.module.role[\"cluster_autoscaler\"].aws_iam_role_policy.this",
                    ),
                    Set(
                        "module.identity.module.role[\"cluster_autoscaler\"].aws_iam_role_policy.this",
                        "/policy",
                        r#""{\"Statement\": [{\"Action\": [\"autoscaling:SetDesiredCapacity\"], \"Resource\": [\"*\"]}]}""#,
                    ),
                ],
            ),
            Code(
                autoscaler_fits,
                &[
                    edit("helm/addons/addons.yaml", ": v1.", ": v0."),
                    edit("terraform/environments/prod.tfvars", "kubernetes_version", "version"),
                ],
            ),
        ],
    ),
];

fn standard_support(plan: &PlanView<'_>) -> Verdict {
    plan.every(CLUSTER, "enters extended support", |cluster| {
        cluster.text("/upgrade_policy/0/support_type") == "STANDARD"
    })
}

fn closed_api(plan: &PlanView<'_>) -> Verdict {
    plan.every(CLUSTER, "has an API that is open to all, or not reached from inside", |cluster| {
        let networks = cluster.list("/vpc_config/0/public_access_cidrs");
        let is_open = networks.is_empty() || networks.iter().any(|it| it.ends_with("/0"));
        let is_public = !(*cluster.at("/vpc_config/0/endpoint_public_access") == false);
        cluster.is_true("/vpc_config/0/endpoint_private_access") && !(is_public && is_open)
    })
}

fn encrypted_secrets(plan: &PlanView<'_>) -> Verdict {
    plan.every(CLUSTER, "keeps Secrets in plain text", |cluster| {
        cluster.list("/encryption_config/0/resources") == ["secrets"]
    })?;
    let block = plan.block("module.cluster.aws_eks_cluster.this")?;
    must(block.refers_to("/encryption_config", "var.secrets_kms_key_arn"), "the key is not ours")?;
    plan.every("aws_kms_key", "never rotates", |key| key.is_true("/enable_key_rotation"))
}

fn control_plane_logs(plan: &PlanView<'_>) -> Verdict {
    plan.every(CLUSTER, "does not log all five types", |cluster| {
        cluster.list("/enabled_cluster_log_types").len() == 5
    })?;
    let group = "module.cluster.aws_cloudwatch_log_group.control_plane";
    plan.every(group, "is not made with key and retention beforehand", |it| {
        it.number("/retention_in_days") >= 365 && it.has("kms_key_id")
    })
}

fn access_entries(plan: &PlanView<'_>) -> Verdict {
    plan.every(CLUSTER, "lets others in than access entries do", |cluster| {
        cluster.text("/access_config/0/authentication_mode") == "API"
            && *cluster.at("/access_config/0/bootstrap_cluster_creator_admin_permissions") == false
    })?;
    let entries = plan.some("aws_eks_access_entry")?.len();
    let associations = plan.some("aws_eks_access_policy_association")?.len();
    must(entries == associations, "an access entry has no policy")
}

fn hardened_nodes(plan: &PlanView<'_>) -> Verdict {
    plan.every("aws_launch_template", "leaves a way to credentials or plain disks", |it| {
        it.text("/metadata_options/0/http_tokens") == "required"
            && it.number("/metadata_options/0/http_put_response_hop_limit") == 1
            && it.text("/block_device_mappings/0/ebs/0/encrypted") == "true"
            && it.text("/block_device_mappings/0/ebs/0/volume_type") == "gp3"
            && !it.has("key_name")
    })
}

fn node_images(plan: &PlanView<'_>) -> Verdict {
    plan.every("aws_eks_node_group", "runs another system", |group| {
        let wanted = match plan.variable("nodes")["architecture"].as_str() {
            Some("x86_64") => "AL2023_x86_64_STANDARD",
            _ => "AL2023_ARM_64_STANDARD",
        };
        group.text("/ami_type") == wanted
    })
}

fn addons(plan: &PlanView<'_>) -> Verdict {
    let planned: BTreeSet<_> =
        plan.some("aws_eks_addon")?.iter().map(|addon| addon.text("/addon_name")).collect();
    for name in ["vpc-cni", "kube-proxy", "coredns", "aws-ebs-csi-driver", "metrics-server"] {
        must(planned.contains(name), format!("add-on {name} is not planned"))?;
    }
    all(["network", "node"].map(|group| {
        let block = plan.block(&format!("module.cluster.aws_eks_addon.{group}"))?;
        must(
            block.refers_to("/addon_version", "local.versions"),
            format!("{} does not follow the Kubernetes minor", block.address),
        )
    }))
}

fn cni(plan: &PlanView<'_>) -> Verdict {
    plan.every("module.cluster.aws_eks_addon.network[\"vpc-cni\"]", "is no such CNI", |addon| {
        let values: Value =
            serde_json::from_str(addon.text("/configuration_values")).unwrap_or_default();
        values["enableNetworkPolicy"] == "true" && addon.has("service_account_role_arn")
    })?;
    let node = "module.cluster.aws_iam_role_policy_attachment.node";
    plan.every(node, "gives every pod the CNI's rights", |it| {
        !it.text("/policy_arn").contains("CNI")
    })
}

fn desired_size_is_left_alone(sources: &Sources) -> Verdict {
    let body = sources.hcl("terraform/modules/cluster/nodes.tf")?;
    let ignores = |block: &hcl::Block| {
        labels(block).first() == Some(&"aws_eks_node_group")
            && has_block(block.body(), "lifecycle", &|lifecycle| {
                let ignored = attribute(lifecycle, "ignore_changes").map(written);
                matches!(ignored, Some(Ok(text)) if text.contains("scaling_config[0].desired_size"))
            })
    };
    must(has_block(&body, "resource", &ignores), "a plan would set the number of nodes back")
}

fn node_groups(plan: &PlanView<'_>) -> Verdict {
    let zones = plan.some("module.network.aws_subnet.node")?.len();
    let groups = plan.find("aws_eks_node_group").len();
    must(groups == zones, format!("{groups} node groups for {zones} zones"))
}

fn own_groups_only(plan: &PlanView<'_>) -> Verdict {
    let address = "module.identity.module.role[\"cluster_autoscaler\"].aws_iam_role_policy.this";
    let policies = plan.policies(address);
    must(!policies.is_empty(), "the autoscaler has no policy")?;
    let key = format!("aws:ResourceTag/k8s.io/cluster-autoscaler/supabase-{}", plan.environment());
    let statements = policies.iter().flat_map(|(_, statements)| statements);
    let mut resizing = statements.filter(|it| {
        let actions = it["Action"].as_array().into_iter().flatten();
        actions.filter_map(Value::as_str).any(|action| {
            action.starts_with("autoscaling:") && !action.starts_with("autoscaling:Describe")
        })
    });
    must(
        resizing.all(|it| it["Condition"]["StringEquals"][&key] == "owned"),
        "the autoscaler resizes the groups of others",
    )
}

fn autoscaler_fits(sources: &Sources) -> Verdict {
    let addons = sources.yaml("helm/addons/addons.yaml")?;
    let listed = addons["addons"].as_sequence().into_iter().flatten();
    let autoscaler = listed.into_iter().find(|addon| addon["name"] == "cluster-autoscaler");
    let tags = autoscaler.ok_or("there is no autoscaler")?["imageTagByKubernetesMinor"].clone();
    for (name, values) in sources.environments()? {
        let minor = values["kubernetes_version"].as_str().unwrap_or_default();
        let tag = tags[minor].as_str().unwrap_or_default();
        must(
            tag.starts_with(&format!("v{minor}.")),
            format!("{name}: the autoscaler of Kubernetes {minor} is `{tag}`"),
        )?;
    }
    Ok(())
}
