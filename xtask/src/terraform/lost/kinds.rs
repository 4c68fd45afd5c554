//! How each type of resource is found again that AWS has made and of which Terraform never heard.
//!
//! Two facts decide: whether AWS lets a second one be made beside the first, and where the service
//! itself says whose the first one is.

use serde_json::Value;
use xtask_cloud::Thing;

/// Where an account lies: parts of ARNs.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) partition: String,
    pub(super) account: String,
}

/// How it is found.
#[derive(Clone, Copy)]
pub(super) enum Trail {
    /// By its tag `Name` among what carries the environment's tags; the service and the kind in ARNs.
    Tagged(&'static str, &'static str),
    /// By its own name, with the id for an import; its tags then tell whose it is.
    Named(fn(&Value, &Place) -> Option<(Thing, String)>),
    /// An alias has no tags: it is ours when the key is.
    Alias,
    /// Parts of a route table, which have neither name nor tags: ours when the table is.
    Route,
    Association,
    /// Making it a second time leaves what the first time made, or it exists in the state alone.
    Again,
    /// See `adoption`.
    LogGroup,
    /// Nobody asks whether it is there: AWS refuses a second one, or keeps it at no cost. The error
    /// names the command that takes it over.
    Unsought,
}

/// A type, and how one of them is deleted; `{}` stands for its id. Empty where a person has to think.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) trail: Trail,
    pub(super) delete: &'static str,
}

const fn kind(name: &'static str, trail: Trail, delete: &'static str) -> Kind {
    Kind { name, trail, delete }
}

const fn network(name: &'static str, part: &'static str, delete: &'static str) -> Kind {
    kind(name, Trail::Tagged("ec2", part), delete)
}

const fn again(name: &'static str) -> Kind {
    kind(name, Trail::Again, "")
}

const fn unsought(name: &'static str) -> Kind {
    kind(name, Trail::Unsought, "")
}

/// Every type that the modules make; a test compares.
pub(super) const KINDS: &[Kind] = &[
    network("aws_eip", "elastic-ip", "aws ec2 release-address --allocation-id {}"),
    network("aws_flow_log", "vpc-flow-log", "aws ec2 delete-flow-logs --flow-log-ids {}"),
    network(
        "aws_internet_gateway",
        "internet-gateway",
        "aws ec2 delete-internet-gateway --internet-gateway-id {}",
    ),
    network(
        "aws_launch_template",
        "launch-template",
        "aws ec2 delete-launch-template --launch-template-id {}",
    ),
    network("aws_nat_gateway", "natgateway", "aws ec2 delete-nat-gateway --nat-gateway-id {}"),
    network("aws_route_table", "route-table", "aws ec2 delete-route-table --route-table-id {}"),
    network("aws_security_group", "security-group", "aws ec2 delete-security-group --group-id {}"),
    network("aws_subnet", "subnet", "aws ec2 delete-subnet --subnet-id {}"),
    network("aws_vpc", "vpc", "aws ec2 delete-vpc --vpc-id {}"),
    network(
        "aws_vpc_endpoint",
        "vpc-endpoint",
        "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {}",
    ),
    network(
        "aws_vpc_security_group_egress_rule",
        "security-group-rule",
        "aws ec2 revoke-security-group-egress --group-id <its group> --security-group-rule-ids {}",
    ),
    network(
        "aws_vpc_security_group_ingress_rule",
        "security-group-rule",
        "aws ec2 revoke-security-group-ingress --group-id <its group> --security-group-rule-ids {}",
    ),
    kind("aws_kms_key", Trail::Tagged("kms", "key"), "aws kms schedule-key-deletion --key-id {}"),
    kind(
        "aws_db_parameter_group",
        Trail::Tagged("rds", "pg"),
        "aws rds delete-db-parameter-group --db-parameter-group-name {}",
    ),
    kind("aws_kms_alias", Trail::Alias, "aws kms delete-alias --alias-name {}"),
    kind(
        "aws_iam_role",
        Trail::Named(|values, _| named(values, "name", Thing::Role)),
        "aws iam delete-role --role-name {}",
    ),
    kind(
        "aws_iam_openid_connect_provider",
        Trail::Named(provider),
        "aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {}",
    ),
    kind(
        "aws_s3_bucket",
        Trail::Named(|values, _| named(values, "bucket", Thing::Bucket)),
        "aws s3api delete-bucket --bucket {}",
    ),
    kind(
        "aws_ssm_parameter",
        Trail::Named(|values, _| named(values, "name", Thing::Parameter)),
        "aws ssm delete-parameter --name {}",
    ),
    kind(
        "aws_db_instance",
        Trail::Named(|values, _| named(values, "identifier", Thing::Database)),
        "",
    ),
    kind(
        "aws_db_subnet_group",
        Trail::Named(|values, _| named(values, "name", Thing::SubnetGroup)),
        "aws rds delete-db-subnet-group --db-subnet-group-name {}",
    ),
    kind(
        "aws_db_event_subscription",
        Trail::Named(|values, _| named(values, "name", Thing::EventSubscription)),
        "aws rds delete-event-subscription --subscription-name {}",
    ),
    kind(
        "aws_budgets_budget",
        Trail::Named(budget),
        "aws budgets delete-budget --account-id <account> --budget-name <its name>",
    ),
    kind("aws_eks_cluster", Trail::Named(|values, _| of_cluster(values, None)), ""),
    kind(
        "aws_eks_access_entry",
        Trail::Named(|values, _| of_cluster(values, Some(("access-entries", "principal_arn")))),
        "aws eks delete-access-entry --cluster-name <cluster> --principal-arn <its principal>",
    ),
    kind(
        "aws_eks_addon",
        Trail::Named(|values, _| of_cluster(values, Some(("addons", "addon_name")))),
        "aws eks delete-addon --cluster-name <cluster> --addon-name <its name>",
    ),
    kind(
        "aws_eks_node_group",
        Trail::Named(|values, _| of_cluster(values, Some(("node-groups", "node_group_name")))),
        "aws eks delete-nodegroup --cluster-name <cluster> --nodegroup-name <its name>",
    ),
    kind(
        "aws_route",
        Trail::Route,
        "aws ec2 delete-route --route-table-id <its table> --destination-cidr-block <its range>",
    ),
    kind(
        "aws_route_table_association",
        Trail::Association,
        "aws ec2 disassociate-route-table --association-id <its id>",
    ),
    kind(
        "aws_cloudwatch_log_group",
        Trail::LogGroup,
        "aws logs delete-log-group --log-group-name {}",
    ),
    // What belongs to another resource and is put there, whatever was there before.
    again("aws_backup_vault_lock_configuration"),
    again("aws_cloudwatch_metric_alarm"),
    again("aws_default_security_group"),
    again("aws_eks_access_policy_association"),
    again("aws_iam_role_policy"),
    again("aws_iam_role_policy_attachment"),
    again("aws_s3_bucket_cors_configuration"),
    again("aws_s3_bucket_lifecycle_configuration"),
    again("aws_s3_bucket_logging"),
    again("aws_s3_bucket_notification"),
    again("aws_s3_bucket_ownership_controls"),
    again("aws_s3_bucket_policy"),
    again("aws_s3_bucket_public_access_block"),
    again("aws_s3_bucket_server_side_encryption_configuration"),
    again("aws_s3_bucket_versioning"),
    // A topic with this name, and a subscription of this address, are found by making them.
    again("aws_sns_topic"),
    again("aws_sns_topic_policy"),
    again("aws_sns_topic_subscription"),
    again("aws_wafv2_web_acl_logging_configuration"),
    // In the state alone.
    again("aws_acm_certificate_validation"),
    again("terraform_data"),
    // Unpaid, or the only one that AWS allows, or with a name that is taken then.
    unsought("aws_acm_certificate"),
    unsought("aws_backup_plan"),
    unsought("aws_backup_restore_testing_plan"),
    unsought("aws_backup_restore_testing_selection"),
    unsought("aws_backup_selection"),
    unsought("aws_backup_vault"),
    unsought("aws_ce_anomaly_monitor"),
    unsought("aws_ce_anomaly_subscription"),
    unsought("aws_route53_record"),
    unsought("aws_wafv2_web_acl"),
];

/// The row of a type; none for one that nobody thought of, which is then as good as unsought.
pub(super) fn of(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

fn text(values: &Value, name: &str) -> Option<String> {
    values[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn named(values: &Value, attribute: &str, thing: fn(String) -> Thing) -> Option<(Thing, String)> {
    let name = text(values, attribute)?;
    Some((thing(name.clone()), name))
}

fn provider(values: &Value, place: &Place) -> Option<(Thing, String)> {
    let issuer = text(values, "url")?;
    let issuer = issuer.trim_start_matches("https://");
    let Place { partition, account } = place;
    let arn = format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}");
    Some((Thing::IdentityProvider(arn.clone()), arn))
}

fn budget(values: &Value, place: &Place) -> Option<(Thing, String)> {
    let name = text(values, "name")?;
    let id = format!("{}:{name}", place.account);
    Some((Thing::Budget(name), id))
}

/// A cluster, or the part of it whose kind and name are given.
fn of_cluster(values: &Value, part: Option<(&str, &str)>) -> Option<(Thing, String)> {
    let Some((kind, attribute)) = part else {
        let name = text(values, "name")?;
        return Some((Thing::Cluster(vec![name.clone()]), name));
    };
    let (cluster, name) = (text(values, "cluster_name")?, text(values, attribute)?);
    let id = format!("{cluster}:{name}");
    Some((Thing::Cluster(vec![cluster, kind.to_owned(), name]), id))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::KINDS;

    /// A new type has to be thought about: is a second one made in silence, and how is it found?
    #[test]
    fn every_type_of_the_modules_has_its_row_and_no_row_is_left_over() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform");
        let mut folders = vec![root.clone(), root.join("modules")];
        folders.extend(fs::read_dir(root.join("modules")).unwrap().map(|one| one.unwrap().path()));
        let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
        let files = files.map(|file| file.unwrap().path());
        let mut made = BTreeSet::new();
        for file in files.filter(|file| file.extension().is_some_and(|end| end == "tf")) {
            let text = fs::read_to_string(&file).unwrap();
            let types = text.lines().filter_map(|line| line.strip_prefix("resource \""));
            made.extend(types.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
        let known: BTreeSet<String> = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
        assert_eq!(made, known);
        assert_eq!(known.len(), KINDS.len(), "a type has two rows");
    }
}
