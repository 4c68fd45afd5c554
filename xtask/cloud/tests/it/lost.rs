//! What AWS has under a name or with a tag: absent, ours, another's, blank, already deleted.

use std::collections::BTreeMap;

use xtask_cloud::{Cloud, CloudConfig, Possession, Thing};

use crate::standin::{Reply, Request, StandIn};

const IDENTITY: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/a</Arn><UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

fn cloud(endpoint: &str) -> Cloud {
    let env = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Cloud::new(CloudConfig { region: "eu-west-1".into(), env }).unwrap()
}

fn error(status: u16, code: &str) -> Reply {
    Reply::new(
        status,
        format!("<Error><Code>{code}</Code><Message>no</Message><__type>{code}</__type></Error>"),
    )
    .header("x-amzn-errortype", code)
}

fn answer(request: &Request) -> Reply {
    let Request { method, target, body, .. } = request;
    let role = |tags: &str| Reply::new(200, format!("<Role><Tags>{tags}</Tags></Role>"));
    match (method.as_str(), target.as_str()) {
        ("POST", _) if body.contains("GetCallerIdentity") => Reply::new(200, IDENTITY),
        ("POST", _) if body.contains("RoleName=ours") => {
            role("<member><Key>Project</Key><Value>supabase</Value></member>")
        }
        ("POST", _) if body.contains("RoleName=theirs") => role(""),
        ("POST", _) if body.contains("GetRole") => error(404, "NoSuchEntity"),
        ("POST", _) if body.contains("DescribeDBSubnetGroups") => {
            error(404, "DBSubnetGroupNotFoundFault")
        }
        ("POST", _) if body.contains("DBInstanceIdentifier=leaving") => Reply::new(
            200,
            "<DBInstance><DBInstanceStatus>deleting</DBInstanceStatus></DBInstance>",
        ),
        ("HEAD", "/blank" | "/full") => {
            Reply::new(200, "").header("x-amz-bucket-region", "eu-west-1")
        }
        ("HEAD", _) => Reply::new(404, "").header("x-amz-bucket-region", "eu-west-1"),
        ("GET", path) if path.contains("tagging") => error(404, "NoSuchTagSet"),
        ("GET", "/full?list-type=2&max-keys=1") => Reply::new(
            200,
            "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        ),
        ("GET", "/clusters/c/addons/a") => {
            Reply::new(200, r#"{"addon":{"status":"ACTIVE","tags":{"Project":"supabase"}}}"#)
        }
        ("GET", path) if path.starts_with("/clusters/") => error(404, "ResourceNotFoundException"),
        _ => Reply::new(200, "<Empty/>"),
    }
}

#[test]
fn what_has_a_name_is_absent_ours_anothers_or_blank() {
    let aws = StandIn::start(answer);
    let text = str::to_owned;
    let things = [
        Thing::Role(text("ours")),
        Thing::Role(text("theirs")),
        Thing::Role(text("nobodys")),
        Thing::SubnetGroup(text("a")),
        Thing::Database(text("leaving")),
        Thing::Bucket(text("blank")),
        Thing::Bucket(text("full")),
        Thing::Bucket(text("none")),
        Thing::Cluster(vec![text("c"), text("addons"), text("a")]),
        Thing::Cluster(vec![text("c")]),
    ];
    let found = cloud(&aws.url).possessions(&things).unwrap();
    let found: Vec<Option<Possession>> = found.into_iter().map(|one| one.unwrap()).collect();
    let tags = BTreeMap::from([(text("Project"), text("supabase"))]);
    let ours = Some(Possession { tags, is_blank: false });
    let (bare, blank) =
        (Some(Possession::default()), Some(Possession { is_blank: true, ..Possession::default() }));
    assert_eq!(
        found,
        [ours.clone(), bare.clone(), None, None, None, blank, bare, None, ours, None]
    );
    let roles = aws.asked().into_iter().filter(|it| it.body.contains("GetRole"));
    for role in roles {
        let scope = &role.headers["authorization"];
        assert!(scope.contains("/us-east-1/iam/aws4_request"), "{scope}");
    }
}

#[test]
fn one_refusal_says_nothing_about_the_others() {
    let aws = StandIn::start(|request| match request.body.contains("RoleName=no") {
        true => error(403, "AccessDenied"),
        false => error(404, "NoSuchEntity"),
    });
    let things = ["no", "yes"].map(|name| Thing::Role(name.to_owned()));
    let found = cloud(&aws.url).possessions(&things).unwrap();
    assert!(found[0].as_ref().unwrap_err().to_string().contains("iam:GetRole"));
    assert_eq!(found[1].as_ref().unwrap(), &None);
}

/// `dev` is not `dev-eu`, whatever a service makes of a filter; and all tags come along.
#[test]
fn a_network_is_found_by_the_whole_value_of_a_tag() {
    let tag = |id: &str, key: &str, value: &str| {
        format!(
            "<item><resourceId>{id}</resourceId><resourceType>x</resourceType><key>{key}</key><value>{value}</value></item>"
        )
    };
    let aws = StandIn::start(move |request| {
        let items = match &request.body {
            body if body.contains("GetCallerIdentity") => return Reply::new(200, IDENTITY),
            body if body.contains("resource-id") => {
                tag("vpc-1", "Environment", "dev")
                    + &tag("vpc-1", "Name", "supabase-dev")
                    + &tag("i-1", "Environment", "dev")
            }
            _ => {
                tag("vpc-1", "Environment", "dev")
                    + &tag("vpc-2", "Environment", "dev-eu")
                    + &tag("i-1", "Environment", "dev")
            }
        };
        Reply::new(
            200,
            format!("<DescribeTagsResponse><tagSet>{items}</tagSet></DescribeTagsResponse>"),
        )
    });
    let found = cloud(&aws.url).tagged_network("Environment", "dev").unwrap();
    assert_eq!(found.len(), 1, "instances are nobody's here: {found:?}");
    assert_eq!(found[0].arn, "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-1");
    assert_eq!(found[0].tags["Name"], "supabase-dev");
    let asked = aws.asked().into_iter().find(|it| it.body.contains("resource-id")).unwrap();
    assert!(!asked.body.contains("vpc-2"), "{}", asked.body);
}
