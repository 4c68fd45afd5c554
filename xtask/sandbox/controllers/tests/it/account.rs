//! A small AWS account: SSM parameters, IAM roles, subnets, load balancers, buckets and objects, as far
//! as the controllers ask for them.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

pub(crate) const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/TEST";

/// What the account holds.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) parameters: BTreeMap<String, String>,
    /// Trust policies by the role's name.
    pub(crate) roles: BTreeMap<String, Value>,
    /// Names, with the parameters of the call that made them.
    pub(crate) load_balancers: BTreeMap<String, BTreeMap<String, String>>,
    target_groups: BTreeSet<String>,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) endpoint: Url,
    pub(crate) contents: Arc<Mutex<Contents>>,
}

impl Account {
    pub(crate) async fn start(tasks: &mut JoinSet<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let account = Self { endpoint, contents: Arc::default() };
        let answering = account.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let account = answering.clone();
                let service = service_fn(move |request| {
                    let account = account.clone();
                    async move { Ok::<_, Infallible>(account.answer(request).await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                connections.spawn(async move {
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        account
    }

    pub(crate) fn put_parameter(&self, name: &str, value: &str) {
        self.contents.lock().unwrap().parameters.insert(name.to_owned(), value.to_owned());
    }

    /// A role for one ServiceAccount; the answer is its ARN.
    pub(crate) fn put_role(&self, name: &str, subject: &str) -> String {
        let issuer = ISSUER.trim_start_matches("https://");
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": format!("arn:aws:iam::123456789012:oidc-provider/{issuer}")},
            "Condition": {"StringEquals": {
                format!("{issuer}:sub"): format!("system:serviceaccount:{subject}"),
                format!("{issuer}:aud"): "sts.amazonaws.com",
            }},
        }]});
        self.contents.lock().unwrap().roles.insert(name.to_owned(), policy);
        arn(name)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let mut contents = self.contents.lock().unwrap();
        let (status, text) = if let Some(action) = header("x-amz-target").strip_prefix("AmazonSSM.")
        {
            ssm(&contents, action, &serde_json::from_slice(&body).unwrap())
        } else if header("x-amz-target").starts_with("AWSWAF_") {
            (200, "{}".to_owned())
        } else if parts.uri.path().starts_with("/clusters/") {
            (200, json!({"cluster": {"identity": {"oidc": {"issuer": ISSUER}}}}).to_string())
        } else if header("authorization").contains("/s3/") {
            return s3(&mut contents, &parts.method, parts.uri.path(), &body);
        } else {
            let call = url::form_urlencoded::parse(&body).into_owned().collect();
            query(&mut contents, &call)
        };
        Response::builder().status(status).body(Full::new(Bytes::from(text))).unwrap()
    }
}

fn arn(role: &str) -> String {
    format!("arn:aws:iam::123456789012:role/{role}")
}

fn ssm(contents: &Contents, action: &str, input: &Value) -> (u16, String) {
    assert_eq!(action, "GetParameter");
    assert_eq!(input["WithDecryption"], true);
    let name = input["Name"].as_str().unwrap();
    match contents.parameters.get(name) {
        Some(value) => (200, json!({"Parameter": {"Name": name, "Value": value}}).to_string()),
        None => (400, json!({"__type": "ParameterNotFound", "message": ""}).to_string()),
    }
}

fn s3(contents: &mut Contents, method: &Method, path: &str, body: &Bytes) -> Response<Full<Bytes>> {
    let answer = |status: u16, body: &[u8]| {
        Response::builder().status(status).body(Full::new(Bytes::copy_from_slice(body))).unwrap()
    };
    match *method {
        Method::HEAD => answer(if path == "/objects" { 200 } else { 404 }, b""),
        Method::PUT => {
            contents.objects.insert(path.to_owned(), body.to_vec());
            answer(200, b"")
        }
        Method::DELETE => {
            contents.objects.remove(path);
            answer(204, b"")
        }
        _ => match contents.objects.get(path) {
            Some(content) => answer(200, content),
            None => answer(404, b""),
        },
    }
}

fn query(contents: &mut Contents, call: &BTreeMap<String, String>) -> (u16, String) {
    let fail = |code: &str| {
        (
            400,
            format!(
                "<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
            ),
        )
    };
    let name = |key: &str| call.get(key).cloned().unwrap_or_default();
    match call["Action"].as_str() {
        "GetRole" => match contents.roles.get(&call["RoleName"]) {
            Some(policy) => {
                let policy: String =
                    url::form_urlencoded::byte_serialize(policy.to_string().as_bytes()).collect();
                let role = &call["RoleName"];
                (
                    200,
                    format!(
                        "<R><Role><Arn>{}</Arn><AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument></Role></R>",
                        arn(role),
                        policy.replace('+', "%20")
                    ),
                )
            }
            None => fail("NoSuchEntity"),
        },
        "DescribeSubnets" => {
            let subnets = [("a", "10.0.1.0/24"), ("b", "10.0.2.0/24")].map(|(zone, cidr)| {
                format!(
                    "<item><subnetId>subnet-{zone}</subnetId><cidrBlock>{cidr}</cidrBlock>\
                     <availabilityZone>eu-west-1{zone}</availabilityZone></item>"
                )
            });
            (200, format!("<R><subnetSet>{}</subnetSet></R>", subnets.concat()))
        }
        "DescribeLoadBalancers" => {
            match contents.load_balancers.contains_key(&name("Names.member.1")) {
                true => (200, balancer(&name("Names.member.1"))),
                false => fail("LoadBalancerNotFound"),
            }
        }
        "CreateLoadBalancer" => {
            contents.load_balancers.insert(name("Name"), call.clone());
            (200, balancer(&name("Name")))
        }
        "DeleteLoadBalancer" => {
            contents.load_balancers.remove(&name("LoadBalancerArn"));
            (200, "<R/>".to_owned())
        }
        "DescribeListeners" => (200, "<R/>".to_owned()),
        "DescribeTargetGroups" => {
            let name = name("Names.member.1");
            match contents.target_groups.contains(&name) {
                true => (200, format!("<R><TargetGroupArn>{name}</TargetGroupArn></R>")),
                false => fail("TargetGroupNotFound"),
            }
        }
        "CreateTargetGroup" => {
            contents.target_groups.insert(name("Name"));
            (200, "<R/>".to_owned())
        }
        "DeleteTargetGroup" => {
            contents.target_groups.remove(&name("TargetGroupArn"));
            (200, "<R/>".to_owned())
        }
        "CreateListener" => (200, "<R/>".to_owned()),
        other => panic!("unexpected call of {other}"),
    }
}

fn balancer(name: &str) -> String {
    format!(
        "<R><LoadBalancerArn>{name}</LoadBalancerArn><DNSName>{name}-1.eu-west-1.elb.amazonaws.com</DNSName></R>"
    )
}
