//! Asks the public address what a client would ask, and expects exactly the right answers.
//!
//! Source of paths and codes: the gateway routes of self-hosted Supabase.

mod told;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use xtask_cloud::{DeadlineExceeded, Method, Response};
use xtask_pipeline::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Undo};
use xtask_tools::Secret;

use self::told::Told;
use super::{Address, Database};
use crate::{
    context::{Context, waiting},
    exit::Exit,
    secrets::{ANON_KEY, DASHBOARD_PASSWORD, DASHBOARD_USERNAME, SERVICE_ROLE_KEY},
};

/// See the module.
pub(super) struct Smoke;

impl Stage<Context> for Smoke {
    fn name(&self) -> &'static str {
        "smoke"
    }

    fn purpose(&self) -> &'static str {
        "Supabase answers at its public address, to the right keys and to no others"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["ingress"]
    }

    fn effect(&self) -> Effect {
        // A bucket is made and deleted.
        Effect::Write
    }

    fn undo(&self) -> Undo {
        Undo::Nothing
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(10 * 60)
    }

    fn plan(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        let mut steps = vec![Step::new(
            "answers",
            "wait until the load balancer answers",
            Effect::Read,
            Answers,
        )];
        steps.extend(PROBES.iter().map(|probe| {
            Step::new(probe.id, probe.title, probe.question.effect(probe.path), Probing { probe })
        }));
        Ok(steps)
    }

    fn tear_down(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(Vec::new())
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
enum Key {
    None,
    /// Well-formed and signed by nobody we know.
    Wrong,
    Anon,
    ServiceRole,
    Dashboard,
}

impl Key {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "no key",
            Self::Wrong => "a wrong key",
            Self::Anon => "the anon key",
            Self::ServiceRole => "the service_role key",
            Self::Dashboard => "the dashboard login",
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
enum Question {
    Get,
    /// With this JSON body.
    Post(&'static str),
    Delete,
    WebSocket,
}

impl Question {
    const fn verb(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post(_) => "POST",
            Self::Delete => "DELETE",
            Self::WebSocket => "websocket",
        }
    }

    /// The placeholder of GraphQL changes nothing, a bucket is one.
    fn effect(self, path: &str) -> Effect {
        match self {
            Self::Post(_) | Self::Delete if path.starts_with(BUCKETS) => Effect::Write,
            _ => Effect::Read,
        }
    }
}

const BUCKETS: &str = "/storage/v1/bucket";
/// The bucket that shows whether the service key may write.
const BUCKET: &str = "/storage/v1/bucket/xtask-smoke-test";

/// One question and its only right answers.
struct Probe {
    id: &'static str,
    title: &'static str,
    question: Question,
    path: &'static str,
    key: Key,
    status: &'static [u16],
    /// What the body has to contain.
    contains: &'static str,
    /// Where the answer names the service's own address, which has to be the public one.
    told: Option<Told>,
    /// Skipped, not passed, where the database cannot carry the feature.
    feature: Option<fn(&Database) -> Option<String>>,
}

const fn get(
    id: &'static str,
    title: &'static str,
    path: &'static str,
    key: Key,
    status: &'static [u16],
) -> Probe {
    Probe {
        id,
        title,
        question: Question::Get,
        path,
        key,
        status,
        contains: "",
        told: None,
        feature: None,
    }
}

/// A question that only the service_role key may ask.
const fn ask(
    question: Question,
    id: &'static str,
    title: &'static str,
    path: &'static str,
    status: &'static [u16],
) -> Probe {
    Probe { question, ..get(id, title, path, Key::ServiceRole, status) }
}

impl Probe {
    const fn containing(mut self, text: &'static str) -> Self {
        self.contains = text;
        self
    }

    const fn telling(mut self, told: Told) -> Self {
        self.told = Some(told);
        self
    }
}

static PROBES: [Probe; 22] = [
    get("gateway-health", "the gateway is healthy", "/healthz", Key::None, &[200]),
    get(
        "rest-service",
        "rest answers to the service_role key",
        "/rest/v1/",
        Key::ServiceRole,
        &[200],
    )
    .telling(Told::Description),
    get("rest-none", "rest refuses a request without a key", "/rest/v1/", Key::None, &[401]),
    get("rest-wrong", "rest refuses a wrong key", "/rest/v1/", Key::Wrong, &[401]),
    get("auth-health", "auth is healthy", "/auth/v1/health", Key::Anon, &[200])
        .containing("GoTrue"),
    get("auth-none", "auth refuses a request without a key", "/auth/v1/health", Key::None, &[401]),
    get(
        "auth-settings",
        "auth tells its settings to the anon key",
        "/auth/v1/settings",
        Key::Anon,
        &[200],
    ),
    get(
        "auth-address",
        "auth names the public address in its tokens",
        "/auth/v1/.well-known/openid-configuration",
        Key::Anon,
        &[200],
    )
    .telling(Told::Issuer),
    get(
        "auth-keys",
        "auth publishes its public keys",
        "/auth/v1/.well-known/jwks.json",
        Key::None,
        &[200],
    )
    .containing("keys"),
    get("storage-status", "storage is up", "/storage/v1/status", Key::None, &[200]),
    get(
        "storage-buckets",
        "storage lists buckets for service_role",
        "/storage/v1/bucket",
        Key::ServiceRole,
        &[200],
    ),
    // What an interrupted run left; there is none as a rule.
    ask(
        Question::Delete,
        "storage-clear",
        "storage has no bucket of an earlier smoke test",
        BUCKET,
        &[200, 400, 404],
    ),
    ask(
        Question::Post(r#"{"id":"xtask-smoke-test","name":"xtask-smoke-test"}"#),
        "storage-create",
        "storage makes a bucket for service_role",
        BUCKETS,
        &[200],
    ),
    ask(Question::Delete, "storage-delete", "storage deletes it again", BUCKET, &[200]),
    get(
        "storage-wrong",
        "storage refuses a wrong key",
        "/storage/v1/bucket",
        Key::Wrong,
        &[400, 401, 403],
    ),
    get("functions", "an edge function answers", "/functions/v1/hello", Key::Anon, &[200]),
    Probe {
        id: "graphql",
        title: "graphql answers (with a placeholder, where the extension is missing)",
        question: Question::Post(r#"{"query":"{ __typename }"}"#),
        path: "/graphql/v1",
        key: Key::Anon,
        status: &[200],
        contains: "",
        told: None,
        feature: None,
    },
    get("meta-anon", "the admin route refuses the anon key", "/pg/tables", Key::Anon, &[403]),
    get("studio-none", "studio asks for a login", "/", Key::None, &[401]),
    get("studio-login", "studio opens with the login", "/", Key::Dashboard, &[200, 302, 307]),
    Probe {
        id: "realtime",
        title: "realtime accepts a websocket",
        question: Question::WebSocket,
        path: "/realtime/v1/websocket?vsn=1.0.0",
        key: Key::Anon,
        status: &[101],
        contains: "",
        told: None,
        feature: Some(realtime),
    },
    Probe {
        id: "realtime-none",
        title: "realtime refuses a websocket without a key",
        question: Question::WebSocket,
        path: "/realtime/v1/websocket?vsn=1.0.0",
        key: Key::None,
        status: &[401],
        contains: "",
        told: None,
        feature: Some(realtime),
    },
];

fn realtime(database: &Database) -> Option<String> {
    (!database.realtime.enabled)
        .then(|| format!("realtime is switched off: {}", database.realtime.reason))
}

struct Answers;

impl Action<Context> for Answers {
    fn preview(&self) -> Preview {
        Preview::Wait("the public address answers 200 on /healthz".to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let address = run.output::<Address>()?;
        let url = format!("{}/healthz", address.url);
        let http = context.http()?;
        let answer =
            waiting(run, |wait| http.send_until_reachable(Method::Get, &url, &[], None, wait))
                .map_err(|error| match error.downcast_ref::<DeadlineExceeded>() {
                    Some(late) => Exit::SmokeFailed.error(format!("smoke test `answers`: {late}")),
                    None => error,
                })?;
        judge(&PROBES[0], &answer, &address.url)?;
        Ok(Outcome::Unchanged(address.url))
    }
}

struct Probing {
    probe: &'static Probe,
}

impl Action<Context> for Probing {
    fn preview(&self) -> Preview {
        let Probe { question, path, key, status, .. } = self.probe;
        Preview::Check(format!(
            "{} {path} with {} → {}",
            question.verb(),
            key.name(),
            codes(status)
        ))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let probe = self.probe;
        if let Some(reason) = probe
            .feature
            .and_then(|missing| run.output::<Database>().ok().and_then(|found| missing(&found)))
        {
            return Ok(Outcome::Skipped(reason));
        }
        let address = run.output::<Address>()?;
        let url = format!("{}{}", address.url, probe.path);
        let answer = answer_to(context, probe, &url)?;
        judge(probe, &answer, &address.url)?;
        Ok(Outcome::Unchanged(answer.status.to_string()))
    }
}

/// Asks one question.
fn answer_to(context: &Context, probe: &Probe, url: &str) -> anyhow::Result<Response> {
    let http = context.http()?;
    let keys = authentication(context, probe.key)?;
    let mut headers: Vec<(&str, &str)> =
        keys.iter().map(|(name, secret)| (*name, secret.expose())).collect();
    match probe.question {
        Question::Get => http.get(url, &headers),
        Question::Post(body) => {
            headers.push(("content-type", "application/json"));
            http.send(Method::Post, url, &headers, Some(body))
        }
        Question::Delete => http.send(Method::Delete, url, &headers, None),
        Question::WebSocket => http.websocket_handshake(url, &headers),
    }
}

fn authentication(context: &Context, key: Key) -> anyhow::Result<Vec<(&'static str, Secret)>> {
    let bearer = |secret: Secret| {
        vec![
            ("authorization", Secret::new(format!("Bearer {}", secret.expose()))),
            ("apikey", secret),
        ]
    };
    Ok(match key {
        Key::None => Vec::new(),
        Key::Wrong => bearer(Secret::new(WRONG_KEY)),
        Key::Anon => bearer(context.secret(ANON_KEY)?),
        Key::ServiceRole => bearer(context.secret(SERVICE_ROLE_KEY)?),
        Key::Dashboard => {
            let login = format!(
                "{}:{}",
                context.secret(DASHBOARD_USERNAME)?.expose(),
                context.secret(DASHBOARD_PASSWORD)?.expose()
            );
            let encoded = Secret::new(STANDARD.encode(login));
            context.register(&encoded)?;
            vec![("authorization", Secret::new(format!("Basic {}", encoded.expose())))]
        }
    })
}

/// `{"alg":"HS256","typ":"JWT"}.{"role":"service_role"}` with a signature of zeros.
const WRONG_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn codes(status: &[u16]) -> String {
    status.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

/// Fails with one sentence that says what was asked, what was answered and what it said.
fn judge(probe: &Probe, answer: &Response, url: &str) -> anyhow::Result<()> {
    if probe.status.contains(&answer.status) && answer.body.contains(probe.contains) {
        let Some(why) = probe.told.and_then(|told| told.mismatch(answer, url)) else {
            return Ok(());
        };
        return Err(Exit::SmokeFailed.error(format!(
            "smoke test `{}`: {} {why}; deploy again, so that the release is told the address of today",
            probe.id, probe.path
        )));
    }
    let mut expected = codes(probe.status);
    if !probe.contains.is_empty() {
        expected = format!("{expected} with `{}` in the body", probe.contains);
    }
    let said = Some(answer.said()).filter(|said| !said.is_empty());
    let said = said.map(|said| format!(": {said}")).unwrap_or_default();
    let Probe { id, path, key, .. } = probe;
    Err(Exit::SmokeFailed.error(format!(
        "smoke test `{id}`: {path} with {} answered {}, expected {expected}{said}",
        key.name(),
        answer.status
    )))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use xtask_cloud::Response;

    use super::{PROBES, judge};
    use crate::exit::{Classified, Exit};

    /// What the probe of this name makes of an answer.
    fn sentence(id: &str, status: u16, body: &str) -> String {
        let probe = PROBES.iter().find(|probe| probe.id == id).unwrap();
        let answer = Response { status, headers: BTreeMap::new(), body: body.to_owned() };
        let error = judge(probe, &answer, "https://api.example.com").unwrap_err();
        assert_eq!(error.downcast_ref::<Classified>().unwrap().exit, Exit::SmokeFailed);
        error.to_string()
    }

    #[test]
    fn a_service_with_another_address_is_named() {
        let body = r#"{"issuer": "http://localhost:8000/auth/v1"}"#;
        let said = sentence("auth-address", 200, body);
        assert!(
            said.starts_with(
                "smoke test `auth-address`: /auth/v1/.well-known/openid-configuration says that its address is \
                 http://localhost:8000/auth/v1, expected https://api.example.com/auth/v1; deploy again"
            ),
            "{said}"
        );
    }

    /// The bodies are those that the gateway gives with the real charts and one thing broken.
    #[test]
    fn a_failure_names_its_cause_in_one_sentence() {
        let lost = r#"{"message":"the selector of Service supabase/supabase-rest matches nothing: app.kubernetes.io/component=nobody"}"#;
        assert_eq!(
            sentence("rest-service", 503, lost),
            "smoke test `rest-service`: /rest/v1/ with the service_role key answered 503, expected 200: the \
             selector of Service supabase/supabase-rest matches nothing: app.kubernetes.io/component=nobody"
        );
        let blocked = r#"{"message":"NetworkPolicy supabase-default-deny, supabase-rest blocks supabase-kong -> supabase-rest:3000"}"#;
        assert!(
            sentence("rest-service", 503, blocked).contains("NetworkPolicy supabase-default-deny")
        );
        assert_eq!(
            sentence("auth-health", 200, "{}"),
            "smoke test `auth-health`: /auth/v1/health with the anon key answered 200, expected 200 with `GoTrue` \
             in the body: {}"
        );
        assert_eq!(
            sentence("rest-none", 200, ""),
            "smoke test `rest-none`: /rest/v1/ with no key answered 200, expected 401"
        );
    }

    #[test]
    fn every_probe_has_its_own_name_and_an_expectation() {
        let names: BTreeSet<_> = PROBES.iter().map(|probe| probe.id).collect();
        assert_eq!(names.len(), PROBES.len());
        assert!(PROBES.iter().all(|probe| !probe.status.is_empty() && probe.path.starts_with('/')));
    }
}
