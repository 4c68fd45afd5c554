//! Who may do what: the attacks that have to end, and the work that has to go on.
//!
//! `own` is the environment that an identity belongs to, `other` one in the same account.

use super::evaluate::{ACCOUNT, Question, REGION};

/// The tag that says whose a resource is.
const OWNER: &str = "Environment";

fn ask(action: &str, resource: &str) -> Question {
    Question::new(action, resource)
}

/// Requests that each end with the same decision, for one reason.
pub(super) struct Rows {
    pub(super) because: &'static str,
    pub(super) questions: Vec<Question>,
}

fn rows(because: &'static str, questions: Vec<Question>) -> Rows {
    Rows { because, questions }
}

/// Nobody of `own` may do this, whatever policies it writes for itself.
pub(super) fn attacks(own: &str, other: &str) -> Vec<Rows> {
    let mut attacks = reach(other);
    attacks.extend(escapes(own, other));
    attacks
}

/// What belongs to another environment.
fn reach(other: &str) -> Vec<Rows> {
    let state = format!("supabase-terraform-state-{ACCOUNT}-{REGION}");
    let cluster = format!("supabase-{other}");
    let theirs = |action: &str, resource: &str| ask(action, resource).tagged(OWNER, other);
    let secret = format!("parameter/{other}/supabase/database/master-password");
    vec![
        rows(
            "another environment's parameters",
            vec![
                ask("ssm:GetParameter", &secret),
                ask("ssm:GetParameters", &secret),
                ask("ssm:GetParameterHistory", &secret),
                ask("ssm:PutParameter", &secret),
                ask("ssm:DeleteParameter", &secret),
                ask("ssm:GetParametersByPath", &format!("parameter/{other}/supabase")),
                ask("ssm:GetParametersByPath", "parameter/"),
            ],
        ),
        rows(
            "another environment's keys",
            vec![
                theirs("kms:Decrypt", "key/k"),
                theirs("kms:CreateGrant", "key/k"),
                theirs("kms:PutKeyPolicy", "key/k"),
                theirs("kms:ScheduleKeyDeletion", "key/k"),
                ask("kms:ScheduleKeyDeletion", "key/shared"),
                ask("kms:DisableKey", "key/shared"),
            ],
        ),
        rows(
            "another environment's buckets, and state that is not its own",
            vec![
                ask("s3:GetObject", &format!("supabase-{other}-storage-{ACCOUNT}/a")),
                ask("s3:DeleteObjectVersion", &format!("supabase-{other}-backup-{ACCOUNT}/a")),
                ask("s3:PutBucketPolicy", &format!("supabase-{other}-storage-{ACCOUNT}")),
                ask("s3:GetObject", &format!("{state}/env:/{other}/supabase.tfstate")),
                ask("s3:PutObject", &format!("{state}/env:/{other}/supabase.tfstate")),
                ask("s3:GetObject", &format!("{state}/bootstrap.tfstate")),
                ask("s3:PutObject", &format!("{state}/bootstrap.tfstate")),
                ask("s3:PutBucketPolicy", &state),
                ask("s3:DeleteBucket", &state),
            ],
        ),
        rows(
            "another environment's database, by name and by tag",
            vec![
                ask("rds:DeleteDBInstance", &format!("db:{cluster}")),
                ask("rds:ModifyDBInstance", &format!("db:{cluster}-replica")),
                theirs("rds:ModifyDBInstance", "db:awsbackup-restore-test-1"),
                theirs("rds:RestoreDBInstanceFromDBSnapshot", "snapshot:awsbackup:job-1"),
                theirs("rds:DeleteDBSnapshot", "snapshot:awsbackup:job-1"),
                ask("rds:ModifyDBSnapshotAttribute", &format!("snapshot:rds:{cluster}-2026-11-21")),
                theirs("rds:DeleteDBInstanceAutomatedBackup", "auto-backup:ab-1"),
            ],
        ),
        rows(
            "another environment's backups",
            vec![
                theirs("backup:DeleteRecoveryPoint", "recovery-point:1"),
                theirs(
                    "backup:DeleteRecoveryPoint",
                    &format!("arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:awsbackup:job-1"),
                ),
                theirs("backup:DeleteBackupVault", &format!("backup-vault:{cluster}-copy")),
                theirs(
                    "backup:DeleteBackupVaultLockConfiguration",
                    &format!("backup-vault:{cluster}"),
                ),
                theirs("backup:StartRestoreJob", "recovery-point:1"),
            ],
        ),
        rows(
            "another environment's cluster and what EKS and its controllers made for it",
            vec![
                ask("eks:CreateAccessEntry", &format!("cluster/{cluster}")),
                ask("eks:DeleteCluster", &format!("cluster/{cluster}")),
                ask("eks:DeleteNodegroup", &format!("nodegroup/{cluster}/a/1")),
                ask("eks:AssociateAccessPolicy", &format!("access-entry/{cluster}/role/1/a/1")),
                ask("ec2:AuthorizeSecurityGroupIngress", "security-group/sg-1")
                    .tagged("aws:eks:cluster-name", &cluster),
                ask("ec2:DeleteNetworkInterface", "network-interface/eni-1")
                    .tagged("cluster.k8s.amazonaws.com/name", &cluster),
                ask(
                    "autoscaling:UpdateAutoScalingGroup",
                    "autoScalingGroup:1:autoScalingGroupName/a",
                )
                .tagged("eks:cluster-name", &cluster),
                ask("elasticloadbalancing:DeleteLoadBalancer", "loadbalancer/app/a/1")
                    .tagged("elbv2.k8s.aws/cluster", &cluster),
            ],
        ),
        rows(
            "another environment's network, logs and alarms",
            vec![
                theirs("ec2:TerminateInstances", "instance/i-1"),
                theirs("ec2:DeleteVpc", "vpc/vpc-1"),
                theirs("ec2:CreateSnapshot", "volume/vol-1"),
                theirs("ssm:StartSession", &format!("arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1")),
                ask("logs:FilterLogEvents", &format!("log-group:/aws/eks/{cluster}/cluster")),
                ask(
                    "logs:DeleteLogGroup",
                    &format!("log-group:/aws/rds/instance/{cluster}/postgresql"),
                ),
                theirs("sns:Publish", &format!("{cluster}-alerts")),
                theirs("cloudwatch:DeleteAlarms", &format!("alarm:{cluster}-cpu")),
                theirs("wafv2:DeleteWebACL", &format!("regional/webacl/{cluster}/1")),
            ],
        ),
        rows(
            "another environment's identities",
            vec![
                ask("sts:AssumeRole", &format!("arn:aws:iam::{ACCOUNT}:role/{cluster}-deploy")),
                ask("iam:PutRolePolicy", &format!("role/{cluster}-storage")),
                ask("iam:UpdateAssumeRolePolicy", &format!("role/{cluster}-storage")),
                ask("iam:DeleteRole", &format!("role/{cluster}-node")),
                ask("iam:PassRole", &format!("role/{cluster}-node"))
                    .with("iam:PassedToService", "ec2.amazonaws.com"),
                theirs(
                    "iam:DeleteOpenIDConnectProvider",
                    "oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/1",
                ),
            ],
        ),
    ]
}

/// Ways out from below the boundary.
fn escapes(own: &str, other: &str) -> Vec<Rows> {
    let boundary = |name: &str| format!("arn:aws:iam::{ACCOUNT}:policy/supabase-{name}-boundary");
    let role = format!("role/supabase-{own}-mine");
    vec![
        rows(
            "identities that its boundary does not hold",
            vec![
                ask("iam:CreateRole", &role),
                ask("iam:CreateRole", &role).with("iam:PermissionsBoundary", &boundary(other)),
                ask("iam:CreateRole", "role/mine").with("iam:PermissionsBoundary", &boundary(own)),
                ask("iam:DeleteRolePermissionsBoundary", &role)
                    .with("iam:PermissionsBoundary", &boundary(own)),
                ask("iam:PutRolePermissionsBoundary", &role)
                    .with("iam:PermissionsBoundary", &boundary(other)),
                ask("iam:CreatePolicyVersion", &boundary(own)),
                ask("iam:CreateUser", "user/mine"),
                ask("iam:CreateAccessKey", "user/mine"),
            ],
        ),
        rows(
            "what bootstrap made",
            vec![
                ask("iam:PutRolePolicy", &format!("role/supabase-{own}-deploy")),
                ask("iam:UpdateAssumeRolePolicy", &format!("role/supabase-{own}-deploy")),
                ask("iam:UpdateAssumeRolePolicy", &format!("role/supabase-{own}-plan")),
                ask(
                    "iam:DeleteOpenIDConnectProvider",
                    "oidc-provider/token.actions.githubusercontent.com",
                ),
            ],
        ),
        rows(
            "services and regions that nothing here uses",
            vec![
                ask("secretsmanager:GetSecretValue", "secret:a"),
                ask("lambda:CreateFunction", "function:a"),
                ask("ec2:RunInstances", "instance/i-1").with("aws:RequestedRegion", "us-west-2"),
            ],
        ),
    ]
}

/// What deploying and destroying an environment takes, beyond what its code says.
pub(super) fn deployment(own: &str) -> Vec<Rows> {
    let cluster = format!("supabase-{own}");
    let mine = |action: &str, resource: &str| ask(action, resource).tagged(OWNER, own);
    let linked = |service: &str| format!("role/aws-service-role/{service}/AWSServiceRole");
    let state = format!("supabase-terraform-state-{ACCOUNT}-{REGION}");
    let boundary = format!("arn:aws:iam::{ACCOUNT}:policy/{cluster}-boundary");
    vec![
        rows(
            "EKS looks with its caller's rights whether its service-linked roles exist",
            vec![
                ask("iam:GetRole", &linked("eks.amazonaws.com")),
                ask("iam:GetRole", &linked("eks-nodegroup.amazonaws.com")),
                ask("iam:CreateServiceLinkedRole", &linked("eks-nodegroup.amazonaws.com"))
                    .with("iam:AWSServiceName", "eks-nodegroup.amazonaws.com"),
            ],
        ),
        rows(
            "a vault is emptied of recovery points, which the service that was saved names",
            vec![
                mine("backup:DeleteRecoveryPoint", "recovery-point:1"),
                mine(
                    "backup:DeleteRecoveryPoint",
                    &format!("arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:awsbackup:job-1"),
                ),
                mine("rds:DeleteDBSnapshot", "snapshot:awsbackup:job-1"),
            ],
        ),
        rows(
            "a tear-down removes interfaces that nodes left",
            vec![
                mine("ec2:DeleteNetworkInterface", "network-interface/eni-1"),
                mine("ec2:DetachNetworkInterface", "network-interface/eni-1"),
                mine("ec2:DetachNetworkInterface", "instance/i-1"),
                ask("ec2:DeleteNetworkInterface", "network-interface/eni-1")
                    .tagged("cluster.k8s.amazonaws.com/name", &cluster),
                ask("ec2:DetachNetworkInterface", "network-interface/eni-1")
                    .tagged("cluster.k8s.amazonaws.com/name", &cluster),
            ],
        ),
        rows(
            "the environment is made",
            vec![
                ask("eks:CreateCluster", "*").with("aws:RequestTag/Environment", own),
                ask("kms:CreateKey", "*").with("aws:RequestTag/Environment", own),
                ask("iam:CreateRole", &format!("role/{cluster}-node"))
                    .with("iam:PermissionsBoundary", &boundary),
                ask("iam:PassRole", &format!("role/{cluster}-node"))
                    .with("iam:PassedToService", "eks.amazonaws.com"),
                ask(
                    "ssm:PutParameter",
                    &format!("parameter/{own}/supabase/database/master-password"),
                ),
                ask("s3:PutObject", &format!("{state}/env:/{own}/supabase.tfstate")),
                ask("s3:GetObject", &format!("{state}/supabase.tfstate")),
                ask("s3:ListBucket", &state),
            ],
        ),
    ]
}

/// What the roles of an environment do below their boundary: controllers, nodes, AWS's own services.
pub(super) fn work(own: &str) -> Vec<Rows> {
    let cluster = format!("supabase-{own}");
    let mine = |action: &str, resource: &str| ask(action, resource).tagged(OWNER, own);
    vec![
        rows(
            "KMS sees the tag of a new key minutes after it is made",
            ["kms:CreateGrant", "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:PutKeyPolicy"]
                .map(|action| ask(action, "key/new"))
                .into(),
        ),
        rows(
            "AWS Backup saves, copies and restores",
            vec![
                mine("rds:CreateDBSnapshot", &format!("db:{cluster}")),
                ask("rds:CreateDBSnapshot", "snapshot:awsbackup:job-1"),
                mine("rds:RestoreDBInstanceFromDBSnapshot", "snapshot:awsbackup:job-1"),
                ask("rds:CreateDBInstance", "db:awsbackup-restore-test-1"),
                ask("rds:DescribeDBSnapshots", "snapshot:*"),
                mine("kms:ScheduleKeyDeletion", "key/k"),
                ask("kms:GenerateDataKey", "key/shared")
                    .with("aws:RequestedRegion", "eu-central-1"),
                mine("backup:CopyIntoBackupVault", &format!("backup-vault:{cluster}-copy"))
                    .with("aws:RequestedRegion", "eu-central-1"),
                ask("events:PutRule", "rule/AwsBackupManagedRule-1"),
                ask("s3:ListAllMyBuckets", "*"),
                ask("s3:GetObjectVersion", &format!("supabase-{own}-storage-{ACCOUNT}/a")),
            ],
        ),
        rows(
            "logs and metrics are written",
            vec![
                ask(
                    "logs:PutLogEvents",
                    &format!("log-group:/aws/vpc/{cluster}/flow:log-stream:a"),
                ),
                ask(
                    "logs:CreateLogStream",
                    &format!("log-group:/aws/containerinsights/{cluster}/performance"),
                ),
                ask("logs:CreateLogGroup", "log-group:RDSOSMetrics"),
                ask("logs:DescribeLogGroups", "log-group::log-stream:"),
                ask("cloudwatch:PutMetricData", "*"),
            ],
        ),
        rows(
            "the controllers and nodes of the cluster work",
            vec![
                ask("eks:DescribeCluster", &format!("cluster/{cluster}")),
                ask("ecr:GetAuthorizationToken", "*"),
                ask("autoscaling:DescribeAutoScalingGroups", "*"),
                ask("autoscaling:SetDesiredCapacity", "autoScalingGroup:1:autoScalingGroupName/a")
                    .tagged("eks:cluster-name", &cluster),
                mine("ec2:CreateNetworkInterface", "subnet/subnet-1"),
                ask("ec2:CreateTags", "network-interface/eni-1"),
                ask("ec2:AuthorizeSecurityGroupIngress", "security-group/sg-1")
                    .tagged("aws:eks:cluster-name", &cluster),
                ask("elasticloadbalancing:DeleteLoadBalancer", "loadbalancer/app/a/1")
                    .tagged("elbv2.k8s.aws/cluster", &cluster),
                mine("ec2:AttachVolume", "volume/vol-1"),
                ask("route53:ChangeResourceRecordSets", "hostedzone/Z1"),
                ask("ssm:GetParameter", &format!("parameter/{own}/supabase/jwt/secret")),
                ask(
                    "ssm:GetParameter",
                    &format!("arn:aws:ssm:{REGION}::parameter/aws/service/eks/a"),
                ),
                mine("kms:Decrypt", "key/k"),
            ],
        ),
    ]
}

/// The plan role of `own` runs the code of any pull request: it reads configuration, and no data.
pub(super) fn beyond_planning(own: &str, other: &str) -> Vec<Rows> {
    let state = format!("supabase-terraform-state-{ACCOUNT}-{REGION}");
    let secrets = [
        "database/master-password",
        "database/admin-password",
        "jwt/secret",
        "jwt/service-role-key",
        "dashboard/password",
        "smtp/password",
        "something/new",
    ];
    let names = secrets.map(|secret| format!("parameter/{own}/supabase/{secret}"));
    let mut reads: Vec<_> = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParameterHistory"]
        .iter()
        .flat_map(|action| names.iter().map(|name| ask(action, name)))
        .collect();
    reads.push(ask("ssm:GetParametersByPath", &format!("parameter/{own}/supabase")));
    reads.push(ask("ssm:GetParameter", &format!("parameter/{other}/supabase/database/host")));
    vec![
        rows("a secret, in whatever version", reads),
        rows(
            "data, and what opens it",
            vec![
                ask("kms:Decrypt", "key/k").tagged(OWNER, own),
                ask("s3:GetObject", &format!("supabase-{own}-backup-{ACCOUNT}/dump")),
                ask("s3:GetObject", &format!("{state}/env:/{other}/supabase.tfstate")),
                ask("logs:FilterLogEvents", &format!("log-group:/aws/eks/supabase-{own}/cluster")),
            ],
        ),
        rows(
            "any change",
            vec![
                ask("s3:PutObject", &format!("{state}/env:/{own}/supabase.tfstate")),
                ask("ssm:PutParameter", &format!("parameter/{own}/supabase/database/host")),
                ask("iam:PutRolePolicy", &format!("role/supabase-{own}-storage")),
                ask("eks:CreateAccessEntry", &format!("cluster/supabase-{own}")),
                ask("rds:ModifyDBInstance", &format!("db:supabase-{own}")).tagged(OWNER, own),
            ],
        ),
    ]
}

/// What a plan reads.
pub(super) fn planning(own: &str, plain_parameters: &[String]) -> Vec<Rows> {
    let state = format!("supabase-terraform-state-{ACCOUNT}-{REGION}");
    let cluster = format!("supabase-{own}");
    let parameters = plain_parameters.iter();
    vec![
        rows(
            "what terraform/parameters.tf writes is refreshed",
            parameters
                .map(|name| ask("ssm:GetParameter", &format!("parameter/{own}/supabase/{name}")))
                .collect(),
        ),
        rows(
            "state and configuration are read, below the lock",
            vec![
                ask("s3:GetObject", &format!("{state}/env:/{own}/supabase.tfstate")),
                ask("s3:PutObject", &format!("{state}/env:/{own}/supabase.tfstate.tflock")),
                ask("ec2:DescribeVpcs", "*"),
                ask("rds:DescribeDBInstances", &format!("db:{cluster}")),
                ask("rds:ListTagsForResource", &format!("db:{cluster}")),
                ask("eks:DescribeCluster", &format!("cluster/{cluster}")),
                ask("eks:DescribeNodegroup", &format!("nodegroup/{cluster}/a/1")),
                ask("iam:GetRolePolicy", &format!("role/{cluster}-storage")),
                ask("s3:GetBucketPolicy", &format!("supabase-{own}-storage-{ACCOUNT}")),
                ask("logs:ListTagsForResource", &format!("log-group:/aws/eks/{cluster}/cluster")),
                ask("kms:GetKeyPolicy", "key/k").tagged(OWNER, own),
                ask("backup:DescribeBackupVault", &format!("backup-vault:{cluster}"))
                    .tagged(OWNER, own),
                ask("route53:ListHostedZones", "*"),
            ],
        ),
    ]
}
