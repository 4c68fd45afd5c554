//! AWS where moto cannot play it: refusals, throttling, pages, a lost connection.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::Value;
use xtask_cloud::{Cloud, CloudConfig, Encryption, Key, Recreation, Wait};
use xtask_tools::Secret;

use crate::standin::{Reply, Request, StandIn};

const CANARY: &str = "canary-5Lk2PqWz";

fn cloud(endpoint: &str) -> Cloud {
    let env = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", CANARY),
    ];
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Cloud::new(CloudConfig { region: "eu-west-1".into(), env }).unwrap()
}

const IDENTITY: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/a</Arn><UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

fn sts_error(code: &str) -> Reply {
    Reply::new(
        403,
        format!("<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>"),
    )
    .header("content-type", "text/xml")
}

#[test]
fn the_identity_is_read() {
    let aws = StandIn::start(|_| Reply::new(200, IDENTITY).header("content-type", "text/xml"));
    let identity = cloud(&aws.url).identity().unwrap();
    assert_eq!((identity.account.as_str(), identity.user_id.as_str()), ("123456789012", "AIDA"));
    assert_eq!(identity.expires, None);
    let asked = aws.asked();
    assert!(asked[0].headers["authorization"].contains("/eu-west-1/sts/aws4_request"));
    assert!(!format!("{asked:?}").contains(CANARY));
}

#[test]
fn expired_and_unknown_credentials_are_told_apart() {
    let aws = StandIn::start(|_| sts_error("ExpiredToken"));
    let error = cloud(&aws.url).identity().unwrap_err().to_string();
    assert!(error.starts_with("the AWS credentials have expired"), "{error}");
    let aws = StandIn::start(|_| sts_error("InvalidClientTokenId"));
    let error = cloud(&aws.url).identity().unwrap_err().to_string();
    assert!(error.starts_with("AWS does not know these credentials"), "{error}");
}

#[test]
fn an_endpoint_that_nobody_serves_is_named_as_unreachable() {
    // Bound and dropped: nothing listens on it, and nobody else gets it in this moment.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let error = cloud(&url).identity().unwrap_err().to_string();
    assert!(error.starts_with("failed to reach AWS for sts:GetCallerIdentity"), "{error}");
}

fn json_error(status: u16, code: &str, message: &str) -> Reply {
    Reply::new(status, format!(r#"{{"__type":"{code}","message":"{message}"}}"#))
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-errortype", code)
}

#[test]
fn a_throttled_write_is_sent_again() {
    let sent = AtomicUsize::new(0);
    let aws = StandIn::start(move |_| match sent.fetch_add(1, Ordering::SeqCst) {
        0 => json_error(400, "ThrottlingException", "Rate exceeded"),
        _ => Reply::new(200, r#"{"Version":1}"#),
    });
    cloud(&aws.url).put_parameter_if_absent("/dev/a", &Secret::new(CANARY), None).unwrap();
    assert_eq!(aws.calls().len(), 2);
}

#[test]
fn a_refused_value_is_not_in_the_error() {
    let aws = StandIn::start(|_| {
        json_error(400, "ValidationException", &format!("value '{CANARY}' is no good"))
    });
    let cloud = cloud(&aws.url);
    let error = cloud.overwrite_parameter("/dev/a", &Secret::new(CANARY), None).unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("ssm:PutParameter for /dev/a failed"), "{text}");
    assert!(!text.contains(CANARY), "{text}");
}

#[test]
fn a_parameter_loses_its_old_versions_and_never_its_value() {
    let aws = StandIn::start(|_| Reply::new(200, r#"{"Version":1}"#));
    let all = [Recreation {
        name: "/dev/a".to_owned(),
        copy: "/dev/pending/a".to_owned(),
        value: Secret::new(CANARY),
    }];
    let wait = Wait::at_most(Duration::from_secs(60));
    cloud(&aws.url).recreate_parameters(&all, "key", Duration::ZERO, &wait).unwrap();
    let asked = aws.asked();
    let calls: Vec<_> = asked
        .iter()
        .map(|request| {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            let action = request.headers["x-amz-target"].trim_start_matches("AmazonSSM.");
            let name = body["Name"].as_str().or(body["Names"][0].as_str()).unwrap();
            format!("{action} {name} {} {}", body["KeyId"], body["Overwrite"])
        })
        .collect();
    assert_eq!(
        calls,
        [
            r#"PutParameter /dev/pending/a "key" true"#,
            "DeleteParameters /dev/a null null",
            r#"PutParameter /dev/a "key" false"#,
            "DeleteParameters /dev/pending/a null null",
        ]
    );
}

#[test]
fn versions_are_read_with_the_key_of_each() {
    let aws = StandIn::start(|_| {
        let version = |number: u8, key: &str| {
            format!(r#"{{"Name":"/dev/a","Value":"v{number}","Version":{number},"KeyId":"{key}"}}"#)
        };
        Reply::new(
            200,
            format!(r#"{{"Parameters":[{},{}]}}"#, version(2, "ours"), version(1, "alias/aws/ssm")),
        )
    });
    let versions = cloud(&aws.url).parameter_versions("/dev/a").unwrap();
    let shown: Vec<_> =
        versions.iter().map(|one| (one.value.expose(), one.key_id.as_deref().unwrap())).collect();
    assert_eq!(shown, [("v1", "alias/aws/ssm"), ("v2", "ours")]);
}

#[test]
fn parameters_are_read_page_by_page() {
    let aws = StandIn::start(|request| {
        let (name, next) = match request.body.contains("NextToken") {
            false => ("/dev/b", r#","NextToken":"more""#),
            true => ("/dev/a", ""),
        };
        Reply::new(
            200,
            format!(
                r#"{{"Parameters":[{{"Name":"{name}","Type":"SecureString","Value":"v","Version":3}}]{next}}}"#
            ),
        )
    });
    let found = cloud(&aws.url).parameters_by_path("/dev").unwrap();
    let names: Vec<_> = found.iter().map(|p| p.name.as_str()).collect();
    assert_eq!((names, found[0].version), (vec!["/dev/a", "/dev/b"], 3));
}

/// A stand-in for S3 behind which STS answers too.
fn s3(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> StandIn {
    StandIn::start(move |request| match request.target.as_str() {
        "/" => Reply::new(200, IDENTITY).header("content-type", "text/xml"),
        _ => answer(request),
    })
}

fn s3_error(status: u16, code: &str) -> Reply {
    Reply::new(status, format!("<Error><Code>{code}</Code><Message>because</Message></Error>"))
}

#[test]
fn a_bucket_of_another_account_is_refused() {
    let aws = s3(|_| Reply::new(403, ""));
    let error = cloud(&aws.url).ensure_state_bucket("state", &Encryption::Aes256).unwrap_err();
    assert!(error.to_string().contains("belongs to another account than 123456789012"), "{error}");
    let head = aws.asked().into_iter().find(|request| request.method == "HEAD").unwrap();
    assert_eq!(head.headers["x-amz-expected-bucket-owner"], "123456789012");
}

#[test]
fn a_bucket_in_another_region_is_refused() {
    let aws = s3(|_| Reply::new(200, "").header("x-amz-bucket-region", "us-east-1"));
    let error = cloud(&aws.url).bucket_exists("state").unwrap_err().to_string();
    assert!(error.contains("lies in region us-east-1, not in eu-west-1"), "{error}");
}

#[test]
fn a_bucket_in_shape_is_only_read() {
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"DenyInsecureTransport","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::{0}","arn:aws:s3:::{0}/*"],"Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}]}}"#,
        "state"
    );
    let aws = s3(move |request| {
        let body = match request.target.split_once('?').map(|(_, query)| query) {
            None => "",
            Some("versioning") => {
                "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
            }
            Some("encryption") => {
                "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
            }
            Some("publicAccessBlock") => {
                "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
            }
            Some(_) => policy.as_str(),
        };
        Reply::new(200, body)
    });
    let report = cloud(&aws.url).ensure_state_bucket("state", &Encryption::Aes256).unwrap();
    assert_eq!((report.created, report.changes.len()), (false, 0), "{report:?}");
    assert!(aws.asked().iter().all(|request| request.method != "PUT"));
}

#[test]
fn a_busy_s3_is_asked_again_and_a_refusal_is_not() {
    let sent = AtomicUsize::new(0);
    let aws = s3(move |_| match sent.fetch_add(1, Ordering::SeqCst) {
        0 => s3_error(503, "SlowDown"),
        _ => s3_error(403, "AccessDenied"),
    });
    let error = cloud(&aws.url).bucket_exists("state").unwrap_err().to_string();
    assert!(error.starts_with("bucket `state` is not ours to use"), "{error}");
    assert_eq!(aws.calls().iter().filter(|call| call.contains("/state")).count(), 2);
}

#[test]
fn leftovers_come_from_all_pages() {
    let aws = StandIn::start(|request| {
        let body = match request.body.contains(r#""PaginationToken":"more""#) {
            false => {
                r#"{"PaginationToken":"more","ResourceTagMappingList":[{"ResourceARN":"arn:b","Tags":[{"Key":"k","Value":"v"}]}]}"#
            }
            true => {
                r#"{"PaginationToken":"","ResourceTagMappingList":[{"ResourceARN":"arn:a","Tags":[]}]}"#
            }
        };
        Reply::new(200, body)
    });
    let found = cloud(&aws.url).tagged_resources("k", "v").unwrap();
    let arns: Vec<_> = found.iter().map(|left| left.arn.as_str()).collect();
    assert_eq!(arns, ["arn:a", "arn:b"]);
}

#[test]
fn a_cluster_is_gone_only_when_eks_says_so() {
    let ask = |status: u16, code: &'static str, body: &'static str| {
        let aws =
            StandIn::start(move |_| Reply::new(status, body).header("x-amzn-errortype", code));
        let answer = cloud(&aws.url).cluster_exists("supabase-dev");
        assert_eq!(aws.asked()[0].target, "/clusters/supabase-dev");
        answer
    };
    assert!(ask(200, "", r#"{"cluster": {"status": "ACTIVE"}}"#).unwrap());
    assert!(ask(200, "", r#"{"cluster": {"status": "FAILED"}}"#).unwrap());
    assert!(!ask(200, "", r#"{"cluster": {"status": "DELETING"}}"#).unwrap());
    let not_found = "ResourceNotFoundException:http://internal.amazon.com/";
    assert!(!ask(404, not_found, r#"{"message": "No cluster found"}"#).unwrap());
    assert!(!ask(404, "", r#"{"__type": "ResourceNotFoundException"}"#).unwrap());
    ask(404, "", "<html>no such page</html>").unwrap_err();
    let denied = ask(403, "AccessDeniedException", r#"{"message": "no"}"#).unwrap_err().to_string();
    assert!(denied.starts_with("not allowed to call eks:DescribeCluster"), "{denied}");
}

#[test]
fn a_key_is_found_behind_its_alias_on_any_page_and_none_where_there_is_none() {
    let aws = StandIn::start(|request| {
        let body = match request.headers["x-amz-target"].as_str() {
            "TrentService.DescribeKey" => {
                assert!(request.body.contains("k-2"), "{}", request.body);
                r#"{"KeyMetadata":{"KeyId":"k-2","Arn":"arn:aws:kms:eu-west-1:1:key/k-2","KeyState":"Enabled"}}"#
            }
            _ if request.body.contains("more") => {
                r#"{"Aliases":[{"AliasName":"alias/b","TargetKeyId":"k-2"}]}"#
            }
            _ => r#"{"Aliases":[{"AliasName":"alias/a","TargetKeyId":"k-1"}],"NextMarker":"more"}"#,
        };
        Reply::new(200, body)
    });
    let found = cloud(&aws.url).key_behind("alias/b").unwrap().unwrap();
    assert_eq!((&*found.id, found.is_usable(), found.is_departing()), ("k-2", true, false));
    assert_eq!(cloud(&aws.url).key_behind("alias/c").unwrap(), None);
}

#[test]
fn a_key_loses_its_alias_last_and_only_once() {
    let aws = StandIn::start(|_| Reply::new(200, ""));
    let key = |state: &str| Key { id: "k".into(), arn: "arn".into(), state: state.into() };
    cloud(&aws.url).delete_key(&key("Enabled"), "alias/a").unwrap();
    cloud(&aws.url).delete_key(&key("PendingDeletion"), "alias/a").unwrap();
    let asked = aws.asked();
    let targets: Vec<_> = asked.iter().map(|it| it.headers["x-amz-target"].as_str()).collect();
    assert_eq!(
        targets,
        [
            "TrentService.ScheduleKeyDeletion",
            "TrentService.DeleteAlias",
            "TrentService.DeleteAlias"
        ]
    );
    assert!(asked[0].body.contains(r#""PendingWindowInDays":30"#), "{}", asked[0].body);
}

#[test]
fn snapshots_of_every_kind_and_page_need_their_key() {
    let aws = StandIn::start(|request| {
        let snapshot = |name: &str, key: &str| {
            format!(
                "<DBSnapshot><DBSnapshotIdentifier>{name}</DBSnapshotIdentifier><DBInstanceIdentifier>db</DBInstanceIdentifier><KmsKeyId>{key}</KmsKeyId><DBSnapshotArn>arn:{name}</DBSnapshotArn><TagList><Tag><Key>a</Key></Tag></TagList></DBSnapshot>"
            )
        };
        let answer = |list: &str, marker: &str| {
            let result = "DescribeDBSnapshots";
            format!(
                "<{result}Response><{result}Result>{marker}<DBSnapshots>{list}</DBSnapshots></{result}Result></{result}Response>"
            )
        };
        let body = match request.body.as_str() {
            body if body.contains("DescribeDBInstances") => {
                "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance><DBInstanceIdentifier>db</DBInstanceIdentifier><DBInstanceArn>arn:db</DBInstanceArn></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>".to_owned()
            }
            body if body.contains("Marker=%6D") => answer(&snapshot("final", "k"), ""),
            body if body.contains("manual") => {
                answer(&(snapshot("other", "x") + &snapshot("mine", "k")), "<Marker>m</Marker>")
            }
            body if body.contains("awsbackup") => answer(&snapshot("job", "k"), ""),
            _ => answer("", ""),
        };
        Reply::new(200, body)
    });
    let found = cloud(&aws.url).databases_encrypted_with("k").unwrap();
    assert_eq!(found, ["arn:final", "arn:job", "arn:mine"]);
    let denied = StandIn::start(|_| Reply::new(403, "<ErrorResponse/>"));
    let error = cloud(&denied.url).databases_encrypted_with("k").unwrap_err().to_string();
    assert!(error.contains("rds:DescribeDBInstances"), "not knowing is not a no: {error}");
}

/// The index of tags lists what was deleted an hour ago; the services know better.
#[test]
fn what_a_service_does_not_know_any_more_is_not_left() {
    let aws = StandIn::start(|request| {
        let gone = |code: &str| {
            Reply::new(
                400,
                format!(
                    "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
                ),
            )
        };
        let body = &request.body;
        match () {
            () if body.contains("DescribeVolumes") => gone("InvalidVolume.NotFound"),
            () if body.contains("DescribeLoadBalancers") => gone("LoadBalancerNotFound"),
            () if body.contains("DescribeInstances") => Reply::new(
                200,
                "<a><item><instanceState><name>terminated</name></instanceState></item></a>",
            ),
            () if body.contains("DescribeSubnets") => {
                Reply::new(200, "<a><item><state>available</state></item></a>")
            }
            () if body.contains("DescribeVpcs") => gone("UnauthorizedOperation"),
            () => json_error(400, "ResourceNotFoundException", "no"),
        }
    });
    let cloud = cloud(&aws.url);
    let departing =
        |rest: &str| cloud.is_departing(&format!("arn:aws:{rest}")).map_err(|e| e.to_string());
    for gone in [
        "ec2:eu-west-1:123456789012:volume/vol-1",
        "ec2:eu-west-1:123456789012:instance/i-1",
        "elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/k8s-x/1",
        "acm:eu-west-1:123456789012:certificate/1",
        "eks:eu-west-1:123456789012:nodegroup/supabase-dev/a/1",
    ] {
        assert_eq!(departing(gone), Ok(true), "{gone}");
    }
    assert_eq!(departing("ec2:eu-west-1:123456789012:subnet/subnet-1"), Ok(false));
    assert_eq!(departing("sns:eu-west-1:123456789012:topic"), Ok(false), "nobody is asked");
    let denied = departing("ec2:eu-west-1:123456789012:vpc/vpc-1").unwrap_err();
    assert!(denied.contains("not allowed to call ec2:Describe*"), "{denied}");
}

#[test]
fn what_guardduty_put_into_a_network_is_found_and_removed_in_order() {
    let aws = StandIn::start(|request| {
        let body = &request.body;
        let item = |set: &str, inner: &str| {
            Reply::new(200, format!("<R><{set}><item>{inner}</item></{set}></R>"))
        };
        match () {
            () if body.contains("VpcEndpointId.1=") && body.contains("Describe") => Reply::new(
                400,
                "<Response><Errors><Error><Code>InvalidVpcEndpointId.NotFound</Code></Error></Errors></Response>",
            ),
            () if body.contains("DescribeVpcs") => item("vpcSet", "<vpcId>vpc-1</vpcId>"),
            () if body.contains("DescribeVpcEndpoints") => item(
                "vpcEndpointSet",
                "<vpcEndpointId>vpce-1</vpcEndpointId><state>available</state>",
            ),
            () if body.contains("DescribeSecurityGroups") => item(
                "securityGroupInfo",
                "<groupId>sg-1</groupId><ipPermissions><item><groups><item><groupId>sg-2</groupId></item></groups></item></ipPermissions>",
            ),
            () => Reply::new(200, "<R/>"),
        }
    });
    let cloud = cloud(&aws.url);
    let guests = cloud.guests(&[("Project", "supabase"), ("Environment", "dev")]).unwrap();
    assert_eq!(guests.endpoints, ["vpce-1"]);
    assert_eq!(guests.security_groups, ["sg-1"], "a group that a rule names is somebody else's");
    cloud.remove_guests(&guests, &Wait::at_most(Duration::from_secs(60))).unwrap();
    let changes: Vec<_> = aws
        .asked()
        .iter()
        .filter_map(|request| request.body.strip_prefix("Action=Delete").map(str::to_owned))
        .collect();
    assert_eq!(
        changes,
        [
            "VpcEndpoints&Version=2016-11-15&VpcEndpointId.1=vpce-1",
            "SecurityGroup&Version=2016-11-15&GroupId=sg-1",
        ]
    );
}
