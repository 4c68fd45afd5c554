//! GitHub behind a base path, as GitHub Enterprise Server has one.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use xtask_cloud::{GitHub, IssueDraft, Label};

use crate::standin::{Reply, Request, StandIn};

const PREFIX: &str = "/api/v3/repos/o/r";
const MARKER: &str = "<!-- xtask: plan-dev -->";

fn github(server: &StandIn) -> GitHub {
    let api = format!("{}/api/v3/", server.url);
    let env = [
        ("GITHUB_API_URL", api.as_str()),
        ("GITHUB_REPOSITORY", "o/r"),
        ("GITHUB_TOKEN", "canary-8Zp"),
    ];
    GitHub::from_env(&env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        .unwrap()
}

fn ok(body: &Value) -> Reply {
    Reply::new(200, body.to_string()).header("content-type", "application/json")
}

fn error(status: u16, message: &str) -> Reply {
    let body = json!({ "message": message, "status": status.to_string() });
    Reply::new(status, body.to_string()).header("content-type", "application/json")
}

fn comment(id: u64, login: &str, kind: &str, body: &str) -> Value {
    json!({ "id": id, "body": body, "html_url": format!("https://github.example/c/{id}"), "user": { "login": login, "type": kind } })
}

/// The token of a workflow, which may not ask who it is.
fn as_workflow(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> StandIn {
    StandIn::start(move |request| match request.target.as_str() {
        "/api/v3/user" => error(403, "Resource not accessible by integration"),
        _ => answer(request),
    })
}

fn body(request: &Request) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

#[test]
fn the_first_comment_is_made() {
    let server = as_workflow(|request| match request.method.as_str() {
        "GET" => ok(&json!([comment(1, "octocat", "User", "hello")])),
        _ => ok(&comment(2, "github-actions[bot]", "Bot", "")),
    });
    let done = github(&server).upsert_comment(7, "plan-dev", "two to add").unwrap();
    assert!(done.created && done.url == "https://github.example/c/2", "{done:?}");
    let last = server.asked().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), last.target.as_str()),
        ("POST", &*format!("{PREFIX}/issues/7/comments"))
    );
    assert_eq!(body(&last)["body"], format!("{MARKER}\ntwo to add"));
    assert_eq!(last.headers["authorization"], "Bearer canary-8Zp");
}

#[test]
fn the_own_comment_on_a_later_page_is_updated_with_patch() {
    let own = format!("{MARKER}\nold");
    let quoted = format!("{MARKER}\na person quotes it");
    let url = std::sync::OnceLock::new();
    let url = std::sync::Arc::new(url);
    let base = std::sync::Arc::clone(&url);
    let server = as_workflow(move |request| {
        match (request.method.as_str(), request.target.contains("page=2")) {
            ("GET", false) => ok(&json!([comment(1, "octocat", "User", &quoted)])).header(
                "link",
                format!(
                    "<{}{PREFIX}/issues/7/comments?per_page=100&page=2>; rel=\"next\"",
                    base.get().cloned().unwrap_or_default()
                ),
            ),
            ("GET", true) => ok(&json!([comment(2, "github-actions[bot]", "Bot", &own)])),
            _ => ok(&comment(2, "github-actions[bot]", "Bot", "")),
        }
    });
    url.set(server.url.clone()).unwrap();
    let done = github(&server).upsert_comment(7, "plan-dev", "new").unwrap();
    assert!(!done.created && done.changed);
    let last = server.calls().pop().unwrap();
    assert_eq!(last, format!("PATCH {PREFIX}/issues/comments/2"));
}

#[test]
fn the_same_comment_is_not_written_again() {
    let own = format!("{MARKER}\nsame");
    let server = as_workflow(move |_| ok(&json!([comment(2, "github-actions[bot]", "Bot", &own)])));
    let done = github(&server).upsert_comment(7, "plan-dev", "same").unwrap();
    assert!(!done.created && !done.changed);
    assert!(server.calls().iter().all(|call| call.starts_with("GET")));
}

#[test]
fn a_comment_that_was_lost_but_arrived_is_not_made_twice() {
    let arrived = Mutex::new(None::<String>);
    let server = as_workflow(move |request| {
        let mut arrived = arrived.lock().unwrap();
        match (request.method.as_str(), arrived.as_ref()) {
            ("GET", None) => ok(&json!([])),
            ("GET", Some(text)) => ok(&json!([comment(3, "github-actions[bot]", "Bot", text)])),
            _ => {
                *arrived = Some(body(request)["body"].as_str().unwrap().to_owned());
                Reply::new(502, "<html>bad gateway</html>")
            }
        }
    });
    let done = github(&server).upsert_comment(7, "plan-dev", "text").unwrap();
    assert_eq!(done.url, "https://github.example/c/3");
    assert_eq!(server.calls().iter().filter(|call| call.starts_with("POST")).count(), 1);
}

#[test]
fn a_missing_permission_is_named() {
    let server = as_workflow(|request| match request.method.as_str() {
        "GET" => ok(&json!([])),
        _ => error(403, "Resource not accessible by integration"),
    });
    let told = github(&server).upsert_comment(7, "plan-dev", "x").unwrap_err().to_string();
    assert!(told.contains("give the job the permission `pull-requests: write`"), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn an_unknown_pull_request_and_refused_content_are_told() {
    let server = as_workflow(|_| error(404, "Not Found"));
    let told = github(&server).upsert_comment(7, "plan-dev", "x").unwrap_err().to_string();
    assert!(
        told.starts_with("GitHub knows nothing at GET /repos/o/r/issues/7/comments (Not Found)"),
        "{told}"
    );
    let server = as_workflow(|request| match request.method.as_str() {
        "GET" => ok(&json!([])),
        _ => Reply::new(
            422,
            r#"{"message":"Validation Failed","errors":[{"resource":"IssueComment","field":"body","code":"invalid","message":"body is too long"}]}"#,
        ),
    });
    let told = github(&server).upsert_comment(7, "plan-dev", "x").unwrap_err().to_string();
    assert!(told.ends_with("Validation Failed; body is too long"), "{told}");
}

#[test]
fn a_short_rate_limit_is_waited_for_and_a_long_one_is_told() {
    let sent = AtomicUsize::new(0);
    let server = StandIn::start(move |_| match sent.fetch_add(1, Ordering::SeqCst) {
        0 => error(429, "You have exceeded a secondary rate limit").header("retry-after", "0"),
        _ => {
            ok(&json!({ "id": 5, "status": "completed", "conclusion": "success", "html_url": "u" }))
        }
    });
    let run = github(&server).run(5).unwrap();
    assert_eq!(run.conclusion.as_deref(), Some("success"));
    let server = StandIn::start(|_| {
        error(403, "API rate limit exceeded")
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", "4000000000")
    });
    let told = github(&server).run(5).unwrap_err().to_string();
    assert!(told.starts_with("GitHub's rate limit is used up (API rate limit exceeded)"), "{told}");
    assert_eq!(server.calls(), [format!("GET {PREFIX}/actions/runs/5")]);
}

#[test]
fn a_read_is_repeated_after_a_failure_of_the_server() {
    let sent = AtomicUsize::new(0);
    let server = StandIn::start(move |_| match sent.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(502, "<html>bad gateway</html>"),
        _ => ok(&json!({ "id": 5, "status": null, "conclusion": null })),
    });
    assert_eq!(github(&server).run(5).unwrap().status, "unknown");
}

fn draft() -> IssueDraft {
    let label =
        |name: &str| Label { name: name.into(), color: "d93f0b".into(), description: "x".into() };
    IssueDraft {
        marker: "drift-dev".into(),
        labels: vec![label("drift"), label("env dev")],
        title: "Drift in dev".into(),
        body: "one resource".into(),
    }
}

fn issue(number: u64, state: &str, title: &str, body: &str) -> Value {
    json!({ "number": number, "state": state, "title": title, "body": body, "html_url": format!("https://github.example/i/{number}") })
}

#[test]
fn an_issue_is_opened_with_labels_that_are_made_when_absent() {
    let server =
        StandIn::start(|request| match (request.method.as_str(), request.target.as_str()) {
            ("GET", target) if target.ends_with("/labels/drift") => ok(&json!({ "name": "drift" })),
            ("GET", target) if target.contains("/labels/") => error(404, "Not Found"),
            ("GET", _) => ok(&json!([])),
            (_, target) if target.ends_with("/labels") => ok(&json!({ "name": "env dev" })),
            _ => ok(&issue(4, "open", "", "")),
        });
    let done = github(&server).upsert_issue(&draft()).unwrap();
    assert!(done.created, "{done:?}");
    assert_eq!(
        server.calls(),
        [
            format!("GET {PREFIX}/labels/drift"),
            format!("GET {PREFIX}/labels/env%20dev"),
            format!("POST {PREFIX}/labels"),
            format!("GET {PREFIX}/issues?state=all&labels=drift&per_page=100"),
            format!("POST {PREFIX}/issues"),
        ]
    );
    let made = body(&server.asked().pop().unwrap());
    assert_eq!(made["labels"], json!(["drift", "env dev"]));
    assert_eq!(made["body"], "<!-- xtask: drift-dev -->\none resource");
}

#[test]
fn a_closed_issue_is_reopened_and_a_pull_request_is_none() {
    let text = "<!-- xtask: drift-dev -->\nold";
    let server = StandIn::start(move |request| match request.method.as_str() {
        "GET" if request.target.contains("/labels/") => ok(&json!({ "name": "l" })),
        "GET" => {
            let mut pull_request = issue(9, "open", "Drift in dev", text);
            pull_request["pull_request"] = json!({ "url": "x" });
            ok(&json!([pull_request, issue(3, "closed", "Drift in dev", text)]))
        }
        _ => ok(&issue(3, "open", "", "")),
    });
    let done = github(&server).upsert_issue(&draft()).unwrap();
    assert!(!done.created && done.changed);
    let last = server.asked().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), last.target.as_str()),
        ("PATCH", &*format!("{PREFIX}/issues/3"))
    );
    assert_eq!(
        (&body(&last)["state"], &body(&last)["state_reason"]),
        (&json!("open"), &json!("reopened"))
    );
}

#[test]
fn an_open_issue_is_closed_after_a_last_word() {
    let text = "<!-- xtask: drift-dev -->\nold";
    let server = StandIn::start(move |request| match request.method.as_str() {
        "GET" => ok(&json!([issue(3, "open", "Drift in dev", text)])),
        "POST" => ok(&comment(1, "b", "Bot", "")),
        _ => ok(&issue(3, "closed", "", "")),
    });
    let closed = github(&server).close_issue("drift-dev", "drift", "all is well").unwrap().unwrap();
    assert_eq!((closed.number, closed.open), (3, false));
    let calls: Vec<String> = server.calls().into_iter().skip(1).collect();
    assert_eq!(
        calls,
        [format!("POST {PREFIX}/issues/3/comments"), format!("PATCH {PREFIX}/issues/3")]
    );
}

#[test]
fn no_open_issue_is_nothing_to_close() {
    let server = StandIn::start(|_| ok(&json!([])));
    assert_eq!(github(&server).close_issue("drift-dev", "drift", "x").unwrap(), None);
}
