use serde_json::json;

use super::*;

fn statements(text: &str) -> Vec<(Value, bool)> {
    let body = hcl::parse(text).unwrap();
    let locals = locals(std::iter::once(&body));
    let mut found = Vec::new();
    walk_body(&body, &mut |object| found.extend(statement(object, &locals)));
    found
}

#[test]
fn a_statement_is_followed_through_locals() {
    let found = statements(
        r#"
        locals {
          prefix = "arn:${var.partition}:ssm:${var.region}:${var.account_id}:parameter"
          read   = ["ssm:GetParameter"]
          list   = [{
            Sid      = "Read"
            Effect   = "Allow"
            Action   = concat(local.read, ["ssm:GetParameters"])
            Resource = ["${local.prefix}${var.parameter_prefix}/*"]
          }]
        }
        "#,
    );
    let wanted = json!({
        "Sid": "Read",
        "Effect": "Allow",
        "Action": ["ssm:GetParameter", "ssm:GetParameters"],
        "Resource": ["arn:aws:ssm:eu-west-1:123456789012:parameter/sample/supabase/*"],
    });
    assert_eq!(found, [(wanted, true)]);
}

#[test]
fn what_only_a_run_knows_is_a_sample_of_the_services_shape_or_marked() {
    let found = statements(
        r#"
        resource "aws_iam_role_policy" "a" {
          policy = jsonencode({ Statement = [
            { Effect = "Allow", Action = "s3:GetObject", Resource = "${aws_s3_bucket.this.arn}/*" },
            { Effect = "Allow", Action = "kms:Decrypt", Resource = [var.key_arns.secrets] },
            { Effect = "Allow", Action = "rds:StartDBInstance", Resource = var.instance_arn },
            { Effect = "Allow", Action = "eks:DescribeCluster",
              Resource = "arn:aws:eks:eu-west-1:123456789012:cluster/${var.cluster_name}" },
          ] })
        }
        "#,
    );
    let resources: Vec<_> =
        found.iter().map(|(it, known)| (it["Resource"].clone(), *known)).collect();
    assert_eq!(resources[0], (json!("arn:aws:s3:::sample/*"), true));
    let key = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000000";
    assert_eq!(resources[1], (json!([key]), true));
    assert_eq!(resources[2], (json!("*"), false));
    assert_eq!(resources[3].0, json!("arn:aws:eks:eu-west-1:123456789012:cluster/sample"));
    assert!(resources[3].1);
}

#[test]
fn trust_policies_and_other_objects_are_left_out() {
    let found = statements(
        r#"
        resource "aws_iam_role" "a" {
          assume_role_policy = jsonencode({ Statement = [{
            Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "eks.amazonaws.com" }
          }] })
        }
        locals { taint = { Effect = "NO_SCHEDULE" } }
        "#,
    );
    assert_eq!(found, []);
}

#[test]
fn a_ring_of_locals_ends() {
    let found = statements(
        r#"
        locals {
          a = local.b
          b = local.a
          s = { Effect = "Allow", Action = "s3:ListBucket", Resource = local.a }
        }
        "#,
    );
    assert!(!found[0].1);
}

#[test]
fn a_condition_that_only_a_run_knows_is_left_out() {
    let found = statements(
        r#"
        locals {
          partition = (startswith(var.region, "cn-") ? "aws-cn" : "aws")
          a = { Effect = "Allow", Action = "s3:ListBucket", Resource = "arn:${local.partition}:s3:::a",
                Condition = { StringEquals = local.tags[each.key] } }
          b = { Effect = "Allow", Action = "s3:ListBucket", Resource = "*",
                Condition = { StringEquals = { "s3:prefix" = "a" } } }
        }
        "#,
    );
    assert_eq!(found[0].0["Resource"], json!("arn:aws:s3:::a"));
    assert_eq!(found[0].0.get("Condition"), None);
    assert_eq!(found[1].0["Condition"], json!({ "StringEquals": { "s3:prefix": "a" } }));
}
