//! Plain HTTP and downloads.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use xtask_cloud::{BODY_LIMIT, DeadlineExceeded, Http, HttpConfig, Method, Proxies, Wait};
use xtask_tools::Download;

use crate::standin::{Reply, StandIn};

fn http() -> Http {
    Http::new(HttpConfig::default()).unwrap()
}

#[test]
fn any_status_is_an_answer_and_a_redirect_is_one() {
    let server = StandIn::start(|request| match request.target.as_str() {
        "/moved" => Reply::new(307, "").header("Location", "/elsewhere"),
        _ => Reply::new(401, format!("{} {}", request.method, request.headers["apikey"])),
    });
    let moved = http().get(&format!("{}/moved", server.url), &[]).unwrap();
    assert_eq!((moved.status, moved.headers["location"].as_str()), (307, "/elsewhere"));
    let headers = [("apikey", "wrong")];
    let refused = http().send(Method::Post, &server.url, &headers, Some("{}")).unwrap();
    assert_eq!((refused.status, refused.body.as_str()), (401, "POST wrong"));
}

#[test]
fn a_long_answer_is_cut() {
    let server = StandIn::start(|_| Reply::new(200, "x".repeat(2 * BODY_LIMIT)));
    assert_eq!(http().get(&server.url, &[]).unwrap().body.len(), BODY_LIMIT);
}

#[test]
fn a_proxy_gets_the_request_for_any_host() {
    let proxy = StandIn::start(|request| Reply::new(200, request.target.clone()));
    let config =
        HttpConfig { proxies: Proxies::always(&proxy.url).unwrap(), ..HttpConfig::default() };
    let answer = Http::new(config).unwrap().get("http://k8s-lb.example/rest/v1/", &[]).unwrap();
    assert_eq!(answer.body, "http://k8s-lb.example/rest/v1/");
}

#[test]
fn nobody_behind_the_load_balancer_is_waited_out() {
    let asked = AtomicUsize::new(0);
    let server = StandIn::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(503, ""),
        _ => Reply::new(404, "there"),
    });
    let wait = Wait::at_most(Duration::from_secs(60));
    let answer = http().send_until_reachable(Method::Get, &server.url, &[], None, &wait).unwrap();
    assert_eq!(answer.status, 404);
    let wait = Wait::at_most(Duration::from_millis(300));
    let gone = StandIn::start(|_| Reply::new(502, r#"{"message": "nobody is there"}"#));
    let error = http().send_until_reachable(Method::Get, &gone.url, &[], None, &wait).unwrap_err();
    let exceeded = error.downcast_ref::<DeadlineExceeded>().unwrap();
    assert_eq!(exceeded.last_seen, format!("{} answers 502: nobody is there", gone.url));
}

#[test]
fn a_websocket_handshake_tells_its_status() {
    let server =
        StandIn::start(|request| match request.headers.get("upgrade").map(String::as_str) {
            Some("websocket") => {
                Reply::new(101, "").header("connection", "Upgrade").header("upgrade", "websocket")
            }
            _ => Reply::new(400, ""),
        });
    let url = server.url.replacen("http", "ws", 1);
    let answer = http().websocket_handshake(&format!("{url}/realtime/v1/websocket"), &[]).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (101, ""));
}

#[test]
fn a_download_follows_redirects_and_counts() {
    let server = StandIn::start(|request| match request.target.as_str() {
        "/tool.zip" => Reply::new(302, "").header("Location", "/mirror/tool.zip"),
        _ => Reply::new(200, "content"),
    });
    let (mut file, seen) = (Vec::new(), std::cell::RefCell::new(Vec::new()));
    let progress = |done, all| seen.borrow_mut().push((done, all));
    http().fetch(&format!("{}/tool.zip", server.url), &mut file, &progress).unwrap();
    assert_eq!(file, b"content");
    assert_eq!(seen.borrow().last(), Some(&(7, Some(7))));
}

#[test]
fn a_download_without_tls_from_elsewhere_is_refused() {
    let error =
        http().fetch("http://tools.example/x.zip", &mut Vec::new(), &|_, _| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`http://tools.example/x.zip` is not fetched: a download needs https"
    );
}

#[test]
fn a_missing_file_is_told_at_once() {
    let server = StandIn::start(|_| Reply::new(404, ""));
    let url = format!("{}/x", server.url);
    let error = http().fetch(&url, &mut Vec::new(), &|_, _| {}).unwrap_err().to_string();
    assert_eq!(error, format!("{url} answers 404 Not Found"));
    assert_eq!(server.calls().len(), 1);
}
