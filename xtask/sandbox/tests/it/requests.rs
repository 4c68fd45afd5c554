//! What AWS refuses before it looks at anything else, the sandbox refuses: unknown operations and
//! parameters, values outside of the service models, and what the documentation forbids.

use std::time::Duration;

use crate::lifecycle::Sandbox;

/// A request, and the answer that it gets.
struct Row {
    service: &'static str,
    /// Method and path.
    line: &'static str,
    /// The operation of a service that speaks JSON, with its prefix.
    target: &'static str,
    body: &'static str,
    /// Code and words of a refusal; none for what AWS takes.
    refused: Option<(&'static str, &'static str)>,
}

const fn row(
    service: &'static str,
    line: &'static str,
    body: &'static str,
    refused: Option<(&'static str, &'static str)>,
) -> Row {
    Row { service, line, target: "", body, refused }
}

const fn json(
    service: &'static str,
    target: &'static str,
    body: &'static str,
    refused: Option<(&'static str, &'static str)>,
) -> Row {
    Row { service, line: "POST /", target, body, refused }
}

const QUERY: &str = "POST /";

const ROWS: &[Row] = &[
    // Operations that there are, and that there are not.
    row("ec2", QUERY, "Action=DescribeVpcs&Version=2016-11-15", None),
    row(
        "ec2",
        QUERY,
        "Action=DescribeClouds&Version=2016-11-15",
        Some(("UnknownOperationException", "ec2 has no operation DescribeClouds")),
    ),
    row(
        "eks",
        "PUT /clusters",
        "{}",
        Some(("UnknownOperationException", "eks has no operation with the form PUT /clusters")),
    ),
    row("", "GET /nothing", "", Some(("UnknownOperationException", "is not signed"))),
    // Names of parameters.
    row(
        "ec2",
        QUERY,
        "Action=CreateVpc&Version=2016-11-15&CidrBlok=10.0.0.0/16",
        Some(("InvalidParameterValue", "Unknown parameter: CidrBlok")),
    ),
    json(
        "ssm",
        "AmazonSSM.DescribeParameters",
        r#"{"MaxResult":5}"#,
        Some(("ValidationException", "Unknown parameter: MaxResult")),
    ),
    row(
        "s3",
        "PUT /requests-1?versioning",
        "<VersioningConfiguration><State>Enabled</State></VersioningConfiguration>",
        Some(("InvalidArgument", "Unknown parameter: State")),
    ),
    // Required, enumerated, long, short, large, small, of a pattern.
    json(
        "ssm",
        "AmazonSSM.GetParameter",
        "{}",
        Some(("ValidationException", "Value 'null' at 'Name' failed to satisfy constraint")),
    ),
    json(
        "kms",
        "TrentService.CreateKey",
        r#"{"KeyUsage":"ENCRYPT"}"#,
        Some(("ValidationException", "Member must satisfy enum value set")),
    ),
    json("kms", "TrentService.CreateKey", r#"{"KeyUsage":"ENCRYPT_DECRYPT"}"#, None),
    json(
        "ssm",
        "AmazonSSM.DescribeParameters",
        r#"{"MaxResults":51}"#,
        Some(("ValidationException", "must have value less than or equal to 50")),
    ),
    row(
        "iam",
        QUERY,
        "Action=CreateRole&Version=2010-05-08&RoleName=a%20b&AssumeRolePolicyDocument=%7B%7D",
        Some(("ValidationError", "Value 'a b' at 'RoleName'")),
    ),
    row(
        "eks",
        "POST /clusters",
        r#"{"name":"a_b c","roleArn":"arn:aws:iam::123456789012:role/a","resourcesVpcConfig":{}}"#,
        Some(("InvalidParameterException", "at 'name' failed to satisfy constraint")),
    ),
    // What only the documentation says.
    row(
        "rds",
        QUERY,
        "Action=CreateDBInstance&Version=2014-10-31&DBInstanceIdentifier=a--b&DBInstanceClass=db.t4g.micro&Engine=postgres",
        Some(("InvalidParameterValue", "DBInstanceIdentifier is not a valid value")),
    ),
    row(
        "rds",
        QUERY,
        "Action=CreateDBSubnetGroup&Version=2014-10-31&DBSubnetGroupName=default&DBSubnetGroupDescription=a&SubnetIds.SubnetIdentifier.1=subnet-1",
        Some(("InvalidParameterValue", "is not `default`")),
    ),
    row(
        "s3",
        "PUT /Requests_1",
        "",
        Some(("InvalidArgument", "The parameter Bucket is not a valid value")),
    ),
    row("s3", "GET /", "", None),
    json(
        "ssm",
        "AmazonSSM.PutParameter",
        r#"{"Name":"/aws/mine","Value":"x","Type":"String"}"#,
        Some(("ValidationException", "does not begin with aws or ssm")),
    ),
    row(
        "ec2",
        QUERY,
        "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.1/16",
        Some(("InvalidParameterValue", "named by its first address")),
    ),
    row(
        "elasticloadbalancing",
        QUERY,
        "Action=CreateTargetGroup&Version=2015-12-01&Name=a-name-of-thirty-three-characters",
        Some(("ValidationError", "has at most 32 letters")),
    ),
];

#[test]
fn what_aws_does_not_take_is_refused_with_its_code_and_the_name_of_the_parameter() {
    let sandbox = Sandbox::new("requests");
    let (code, text) = sandbox.run(&["up"]);
    assert_eq!(code, 0, "{text}");
    let wrong: Vec<_> = ROWS.iter().filter_map(|row| sandbox.wrong(row)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let secret = json(
        "ssm",
        "AmazonSSM.PutParameter",
        r#"{"Name":"/mine","Value":"hunter2","Type":"Strin","Tiers":"x"}"#,
        None,
    );
    let (_, answer) = sandbox.ask(&secret);
    assert!(answer.contains("Value 'Strin' at 'Type'"), "{answer}");
    assert!(!answer.contains("hunter2"), "{answer}");
}

impl Sandbox {
    fn wrong(&self, row: &Row) -> Option<String> {
        let (status, answer) = self.ask(row);
        let is_right = match row.refused {
            None => status < 300,
            Some((code, words)) => {
                (400..500).contains(&status) && answer.contains(code) && answer.contains(words)
            }
        };
        let Row { service, line, target, body, refused } = row;
        (!is_right).then(|| {
            format!("{service} {line} {target} {body}: {status} {answer}, not {refused:?}")
        })
    }

    fn ask(&self, row: &Row) -> (u16, String) {
        let (method, path) = row.line.split_once(' ').unwrap();
        let url = format!("{}{path}", self.state()["aws"].as_str().unwrap());
        let kind = match (row.service, row.target) {
            (_, target) if !target.is_empty() => "application/x-amz-json-1.1",
            ("eks", _) => "application/json",
            ("s3" | "", _) => "application/xml",
            _ => "application/x-www-form-urlencoded",
        };
        self.runtime.block_on(async {
            let mut request = self.http.request(method.parse().unwrap(), url);
            request = request.header("content-type", kind).body(row.body);
            if !row.service.is_empty() {
                let scope = format!("20260101/eu-west-1/{}/aws4_request", row.service);
                let signed = format!(
                    "AWS4-HMAC-SHA256 Credential=x/{scope}, SignedHeaders=host, Signature=x"
                );
                request = request.header("authorization", signed);
            }
            if !row.target.is_empty() {
                request = request.header("x-amz-target", row.target);
            }
            let answer = request.timeout(Duration::from_secs(60)).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }
}
