//! What the chart gives to the services, for the values that decide about it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde::Deserialize;
use serde_norway::Value;
use xtask_tools::{Command, CommandFailure, NoDownload, Processes, Toolbox};

const HTTPS: &str = "https://api.example.com";
const HTTP: &str = "http://lb-1.elb.example.com";

/// What the chart does not render without; a test may overrule it.
const GIVEN: &str = "database: {host: db.example.com}\n\
                     storage: {bucket: objects}\n\
                     auth: {signup: false}\n";

/// The chart with `values`, read behind those that are always given.
fn helm<T>(values: &str, run: impl FnOnce(Command) -> T) -> T {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let processes = Processes::default();
    let tools = Toolbox::new(root.join("target/tools"), processes.clone(), Arc::new(NoDownload));
    let command = processes.command(tools.ensure("helm").unwrap().path);
    let given = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&given, GIVEN).unwrap();
    let command = command.args(["template", "supabase"]).arg(root.join("helm/supabase"));
    let command = command.arg("--namespace=supabase").arg("--values").arg(given.path());
    run(command.args(["--values", "-"]).stdin(values))
}

/// The objects that it renders to.
fn render(values: &str) -> Vec<Value> {
    let text = helm(values, |helm| helm.output()).unwrap();
    let documents = serde_norway::Deserializer::from_str(&text);
    documents.map(|document| Value::deserialize(document).unwrap()).collect()
}

/// The sentence with which it refuses `values`.
fn refusal(values: &str) -> String {
    let error = helm(values, |helm| helm.output()).unwrap_err();
    error.downcast::<CommandFailure>().unwrap().tail.join("\n")
}

fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

/// The plain variables of every Pod, as `component/NAME`.
fn settings(objects: &[Value]) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for deployment in objects.iter().filter(|it| it["kind"] == "Deployment") {
        let component = deployment["metadata"]["name"].as_str().unwrap().replace("supabase-", "");
        for container in deployment["spec"]["template"]["spec"]["containers"].as_sequence().unwrap()
        {
            for entry in container["env"].as_sequence().unwrap() {
                let name = format!("{component}/{}", entry["name"].as_str().unwrap());
                settings.insert(name, entry["value"].as_str().unwrap_or_default().to_owned());
            }
        }
    }
    settings
}

#[test]
fn every_service_is_told_the_public_address_and_nothing_of_one_machine() {
    for url in [HTTP, HTTPS] {
        let settings = settings(&render(&format!("publicUrl: {url}")));
        for (name, path) in [
            ("auth/API_EXTERNAL_URL", "/auth/v1"),
            ("auth/GOTRUE_JWT_ISSUER", "/auth/v1"),
            ("rest/PGRST_OPENAPI_SERVER_PROXY_URI", "/rest/v1/"),
            ("storage/STORAGE_PUBLIC_URL", "/storage/v1"),
            ("studio/SUPABASE_PUBLIC_URL", ""),
            ("functions/SUPABASE_PUBLIC_URL", ""),
        ] {
            assert_eq!(settings[name], format!("{url}{path}"), "{name}");
        }
        let local = settings.iter().find(|(_, value)| value.contains("localhost"));
        assert_eq!(local, None);
        // Storage would answer resumable uploads with https.
        let production = if url == HTTPS { "production" } else { "" };
        assert_eq!(settings["storage/NODE_ENV"], production);
    }
    assert!(refusal("{}").contains("publicUrl must be set"), "{}", refusal("{}"));
    let certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/1";
    let without_tls =
        refusal(&format!("{{publicUrl: {HTTP}, ingress: {{certificateArn: '{certificate}'}}}}"));
    assert!(without_tls.contains("must begin with https://"), "{without_tls}");
}

#[test]
fn no_sql_function_can_read_a_secret_and_storage_is_not_in_the_rest_api() {
    let objects = render(&format!("publicUrl: {HTTPS}"));
    let rest = object(&objects, "Deployment", "supabase-rest");
    let env = &rest["spec"]["template"]["spec"]["containers"][0]["env"];
    for entry in env.as_sequence().unwrap() {
        let is_readable = entry["name"].as_str().unwrap().starts_with("PGRST_APP_SETTINGS_");
        assert!(!is_readable || entry["valueFrom"].is_null(), "{entry:?}");
    }
    let settings = settings(&objects);
    assert_eq!(settings["rest/PGRST_APP_SETTINGS_JWT_EXP"], "3600");
    for name in ["rest/PGRST_DB_SCHEMAS", "studio/PGRST_DB_SCHEMAS"] {
        assert_eq!(settings[name], "public,graphql_public", "{name}");
    }
}

#[test]
fn logins_are_limited_by_a_header_that_only_the_gateway_writes() {
    let settings = settings(&render(&format!("publicUrl: {HTTPS}")));
    assert_eq!(settings["auth/GOTRUE_RATE_LIMIT_HEADER"], "X-Real-IP");
}

#[test]
fn a_pool_is_as_large_as_its_value_says() {
    let values = format!("{{publicUrl: {HTTPS}, storage: {{databasePool: 6}}}}");
    assert_eq!(settings(&render(&values))["storage/DATABASE_MAX_CONNECTIONS"], "6");
}

#[test]
fn functions_reach_the_replica_where_there_is_one() {
    let name = "functions/SUPABASE_DB_REPLICA_URL";
    assert!(!settings(&render(&format!("publicUrl: {HTTPS}"))).contains_key(name));
    let values = format!("{{publicUrl: {HTTPS}, database: {{replicaHost: replica.example.com}}}}");
    let url = settings(&render(&values))[name].clone();
    assert!(url.contains("@replica.example.com:5432/supabase?sslmode=require"), "{url}");
}

/// GoTrue with these values starts, and nobody gets in.
#[test]
fn settings_with_which_nobody_can_log_in_are_refused() {
    let google = "GOTRUE_EXTERNAL_GOOGLE_ENABLED: 'true'";
    let id = "GOTRUE_EXTERNAL_GOOGLE_CLIENT_ID: id";
    let secret = "extraSecretEnv: {GOTRUE_EXTERNAL_GOOGLE_SECRET: {secret: s, key: k}}";
    let smtp = "smtp: {enabled: true, host: mail.example.com, adminEmail: a@example.com}";
    for (auth, sentence) in [
        ("signup: true".to_owned(), "nobody who signs up could confirm an address"),
        (format!("extraEnv: {{{google}}}, {secret}"), "GOTRUE_EXTERNAL_GOOGLE_CLIENT_ID"),
        (format!("extraEnv: {{{google}, {id}}}"), "GOTRUE_EXTERNAL_GOOGLE_SECRET"),
        (format!("extraEnv: {{{google}, {id}}}, {secret}"), "auth.siteUrl must be set"),
        (format!("signup: true, {smtp}"), "auth.siteUrl must be set"),
    ] {
        let said = refusal(&format!("{{publicUrl: {HTTPS}, auth: {{{auth}}}}}"));
        assert!(said.contains(sentence), "{auth}: {said}");
    }
    for auth in [
        "signup: true, autoconfirmEmail: true".to_owned(),
        "signup: true, extraEnv: {GOTRUE_EXTERNAL_EMAIL_ENABLED: 'false'}".to_owned(),
        format!("signup: true, siteUrl: {HTTPS}, {smtp}"),
        "enabled: false, signup: true".to_owned(),
    ] {
        render(&format!("{{publicUrl: {HTTPS}, auth: {{{auth}}}}}"));
    }
}

#[test]
fn a_provider_leads_back_to_the_public_callback_unless_told_otherwise() {
    let of = |more: &str| {
        let values = format!(
            "{{publicUrl: {HTTPS}, auth: {{siteUrl: 'https://app.example.com', extraEnv: {{\
             GOTRUE_EXTERNAL_AZURE_ENABLED: true, GOTRUE_EXTERNAL_AZURE_CLIENT_ID: id, \
             GOTRUE_EXTERNAL_APPLE_ENABLED: false{more}}}, \
             extraSecretEnv: {{GOTRUE_EXTERNAL_AZURE_SECRET: {{secret: s, key: k}}}}}}}}"
        );
        settings(&render(&values))
    };
    let usual = of("");
    assert_eq!(
        usual["auth/GOTRUE_EXTERNAL_AZURE_REDIRECT_URI"],
        "https://api.example.com/auth/v1/callback"
    );
    for off in ["APPLE", "EMAIL", "PHONE", "ANONYMOUS_USERS"] {
        assert!(!usual.contains_key(&format!("auth/GOTRUE_EXTERNAL_{off}_REDIRECT_URI")), "{off}");
    }
    let own = of(", GOTRUE_EXTERNAL_AZURE_REDIRECT_URI: 'https://x.example.com/callback'");
    assert_eq!(own["auth/GOTRUE_EXTERNAL_AZURE_REDIRECT_URI"], "https://x.example.com/callback");
}

/// The load balancer sends to a Pod before it knows that it works, and for a while after it is told to go.
#[test]
fn a_gateway_is_in_service_before_another_one_goes_and_stays_until_nobody_is_sent_to_it() {
    let objects =
        render(&format!("{{publicUrl: {HTTPS}, ingress: {{deregistrationDelaySeconds: 60}}}}"));
    let annotations = &object(&objects, "Ingress", "supabase-kong")["metadata"]["annotations"];
    let number = |name: &str| -> u64 {
        let text = &annotations[format!("alb.ingress.kubernetes.io/{name}").as_str()];
        text.as_str().unwrap().parse().unwrap()
    };
    let kong = &object(&objects, "Deployment", "supabase-kong")["spec"];
    let until_healthy = number("healthcheck-interval-seconds") * number("healthy-threshold-count");
    assert!(kong["minReadySeconds"].as_u64().unwrap() > until_healthy);
    let pod = &kong["template"]["spec"];
    let drain = &pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"];
    // Its controller needs some seconds to see that the Pod goes.
    assert!(drain.as_u64().unwrap() >= 60 + 10);
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > drain.as_u64().unwrap() + 30);
}

#[test]
fn images_come_from_the_cache_of_their_registry() {
    let values = format!(
        "{{publicUrl: {HTTPS}, backup: {{enabled: true, bucket: dumps}}, \
         imgproxy: {{image: {{repository: ghcr.io/imgproxy/imgproxy}}}}, \
         imageRegistries: {{docker.io: cache.example.com/docker-hub/, quay.io: cache.example.com/quay}}}}"
    );
    let objects = render(&values);
    let of = |deployment: &str| {
        let pod = &object(&objects, "Deployment", deployment)["spec"]["template"]["spec"];
        pod["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    assert!(of("supabase-auth").starts_with("cache.example.com/docker-hub/supabase/gotrue:v"));
    assert!(of("supabase-imgproxy").starts_with("ghcr.io/imgproxy/imgproxy:v"));
    let backup = object(&objects, "CronJob", "supabase-backup");
    let dump = &backup["spec"]["jobTemplate"]["spec"]["template"]["spec"]["initContainers"][0];
    let image = dump["image"].as_str().unwrap();
    assert!(image.starts_with("cache.example.com/docker-hub/library/postgres:"), "{image}");
}

/// What knows where images come from is one text; charts cannot share a file.
#[test]
fn both_charts_look_for_images_alike() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../helm");
    let body = |chart: &str| {
        let text = std::fs::read_to_string(root.join(chart).join("templates/_images.tpl")).unwrap();
        text.split_once("*/}}").unwrap().1.to_owned()
    };
    assert_eq!(body("supabase"), body("database"));
}
