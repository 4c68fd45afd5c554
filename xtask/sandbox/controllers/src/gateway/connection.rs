//! Connections: a proxy's three forms of request, and TLS inside of CONNECT.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::journey::{self, Call};
use super::kong;
use super::reply::Reply;
use super::tls::Signer;
use super::truststore;
use crate::load_balancer::{LoadBalancer, LoadBalancers, Protocol};

/// Enough for what smoke tests upload.
const LARGEST_BODY: usize = 64 << 20;
/// Where clients of the sandbox come from: an address of the documentation range.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// What every connection needs.
pub(super) struct Gateway {
    pub(super) load_balancers: Arc<LoadBalancers>,
    pub(super) signer: Signer,
    /// Who signed the databases' certificates, as PEM text.
    pub(super) database_authority: String,
}

/// Where a request came in.
#[derive(Clone)]
enum Entry {
    /// As a proxy or by a local name.
    Open,
    /// Through CONNECT to a listener of a load balancer.
    Listener(Arc<LoadBalancer>, Protocol, u16),
    /// Through CONNECT to RDS's trust store.
    TrustStore,
}

/// Serves one client.
pub(super) async fn serve(gateway: Arc<Gateway>, stream: TcpStream) {
    serve_http(gateway, TokioIo::new(stream), Entry::Open).await;
}

async fn serve_http<S>(gateway: Arc<Gateway>, stream: S, entry: Entry)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (gateway, entry) = (gateway.clone(), entry.clone());
        async move { Ok::<_, Infallible>(respond(answer(gateway, request, entry).await)) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(stream, service);
    // A client that goes away in the middle is not worth a word.
    let _ = connection.with_upgrades().await;
}

async fn answer(gateway: Arc<Gateway>, request: Request<Incoming>, entry: Entry) -> Reply {
    if request.method() == Method::CONNECT {
        return connect(gateway, request);
    }
    let uri = request.uri().clone();
    let host_header = request.headers().get("host").and_then(|host| host.to_str().ok());
    let authority = match uri.authority() {
        Some(authority) => authority.to_string(),
        None => host_header.unwrap_or_default().to_owned(),
    };
    let (host, port) = split_authority(&authority);
    let pod = pod_of(request.headers());
    let Some(call) = read(request, &uri).await else {
        return Reply::text(
            413,
            format!("the sandbox takes bodies of at most {LARGEST_BODY} bytes"),
        );
    };
    match entry {
        Entry::Listener(balancer, protocol, port) => {
            journey::arrive(&balancer, (protocol, port), &host, call).await
        }
        Entry::TrustStore => truststore::answer(&call.request, &gateway.database_authority),
        Entry::Open => match (pod, uri.authority().is_some()) {
            (Some(uid), true) => {
                journey::from_pod(&gateway.load_balancers, &uid, (&host, port.unwrap_or(80)), call)
                    .await
            }
            (_, proxied) => enter(&gateway, &host, port, proxied, call).await,
        },
    }
}

/// A plain request: to a load balancer's listener through the proxy, or to a local name.
async fn enter(
    gateway: &Gateway,
    host: &str,
    port: Option<u16>,
    proxied: bool,
    call: Call,
) -> Reply {
    let Some(balancer) = gateway.load_balancers.find(host) else {
        return unknown_host(gateway, host);
    };
    if proxied && !host.ends_with(".localhost") {
        let port = port.unwrap_or(80);
        return match balancer.settings.listener(port) {
            Some(protocol) => journey::arrive(&balancer, (protocol, port), host, call).await,
            None => {
                Reply::blocked(502, &format!("load balancer {host} has no listener on port {port}"))
            }
        };
    }
    // The short name stands for what a person would have typed: the real host name, over HTTPS where
    // the load balancer has it.
    let host = journey::first_host(&balancer).unwrap_or_else(|| balancer.hostname.clone());
    let listeners = &balancer.settings.listeners;
    let secure = listeners.iter().find(|(protocol, _)| *protocol == Protocol::Https);
    match secure.or_else(|| listeners.first()) {
        Some(listener) => journey::arrive(&balancer, *listener, &host, call).await,
        None => Reply::blocked(502, "the load balancer has no listener"),
    }
}

fn unknown_host(gateway: &Gateway, host: &str) -> Reply {
    let known: Vec<_> =
        gateway.load_balancers.list().into_iter().map(|(_, hostname)| hostname).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Reply::blocked(
        502,
        &format!("no load balancer of the sandbox answers for {host}; there are: {known}"),
    )
}

/// Opens a tunnel that ends here, at the listener of a load balancer.
fn connect(gateway: Arc<Gateway>, request: Request<Incoming>) -> Reply {
    let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let (host, port) = split_authority(&authority);
    let port = port.unwrap_or(443);
    if (host.as_str(), port) == (truststore::HOST, 443) {
        return tunnel(gateway, request, Entry::TrustStore, Some(&host));
    }
    let Some(balancer) = gateway.load_balancers.find(&host) else {
        return unknown_host(&gateway, &host);
    };
    let Some(protocol) = balancer.settings.listener(port) else {
        return Reply::blocked(
            502,
            &format!("load balancer {host} has no listener on port {port}"),
        );
    };
    let secure = (protocol == Protocol::Https).then_some(host.as_str());
    tunnel(gateway, request, Entry::Listener(balancer, protocol, port), secure)
}

/// Serves what comes through a tunnel to `entry`, within TLS where `secure` is the server's name.
fn tunnel(
    gateway: Arc<Gateway>,
    request: Request<Incoming>,
    entry: Entry,
    secure: Option<&str>,
) -> Reply {
    let acceptor = match secure.map(|host| gateway.signer.acceptor(host)).transpose() {
        Ok(acceptor) => acceptor,
        Err(error) => return Reply::blocked(502, &format!("{error:#}")),
    };
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        match acceptor {
            None => serve_http(gateway, upgraded, entry).await,
            Some(acceptor) => {
                if let Ok(stream) = acceptor.accept(TokioIo::new(upgraded)).await {
                    serve_http(gateway, TokioIo::new(stream), entry).await;
                }
            }
        }
    });
    Reply { status: 200, headers: Vec::new(), body: Vec::new() }
}

fn split_authority(authority: &str) -> (String, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) => match port.parse() {
            Ok(port) => (host.to_lowercase(), Some(port)),
            Err(_) => (authority.to_lowercase(), None),
        },
        None => (authority.to_lowercase(), None),
    }
}

/// The uid of the Pod that asks, from the login that its environment gives it.
fn pod_of(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(PROXY_AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    Some(String::from_utf8(decoded).ok()?.strip_prefix("pod:")?.to_owned())
}

/// Reads the whole request; none if its body is too large.
async fn read(request: Request<Incoming>, uri: &Uri) -> Option<Call> {
    let (parts, body) = request.into_parts();
    let hop = ["proxy-authorization", "proxy-connection", "connection", "keep-alive"];
    let headers = parts
        .headers
        .iter()
        .filter(|(name, _)| !hop.contains(&name.as_str()))
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let body = Limited::new(body, LARGEST_BODY).collect().await.ok()?.to_bytes();
    Some(Call {
        request: kong::Request {
            method: parts.method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers,
            client: CLIENT,
        },
        body: body.to_vec(),
    })
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value))
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}
