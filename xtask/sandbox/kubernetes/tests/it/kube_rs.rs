//! kube-rs: typed clients, watchers in every mode, apply.

use futures::{StreamExt, TryStreamExt, pin_mut};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, reflector, watcher},
};
use serde_json::{Value, json};

use crate::harness::{CLUSTER, Sandbox};

fn map(name: &str, value: &str) -> ConfigMap {
    let map: Value =
        json!({"metadata": {"name": name, "labels": {"test": "yes"}}, "data": {"k": value}});
    serde_json::from_value(map).unwrap()
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

#[test]
fn objects_are_created_listed_changed_and_deleted() {
    let sandbox = Sandbox::start();
    let maps = maps(&sandbox.client());
    sandbox.runtime.block_on(async {
        for name in ["a", "b", "c"] {
            maps.create(&PostParams::default(), &map(name, "1")).await.unwrap();
        }
        let page = maps.list(&ListParams::default().labels("test=yes").limit(2)).await.unwrap();
        assert_eq!(page.items.len(), 2);
        assert!(page.metadata.continue_.is_some());

        let mut stale = maps.get("a").await.unwrap();
        let patch = json!({"data": {"k": "2"}});
        maps.patch("a", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        stale.data = map("a", "3").data;
        let error = maps.replace("a", &PostParams::default(), &stale).await.unwrap_err();
        assert!(matches!(error, kube::Error::Api(status) if status.is_conflict()));

        maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels("test=yes"))
            .await
            .unwrap();
        assert_eq!(maps.get_opt("a").await.unwrap(), None);
    });
}

#[test]
fn an_apply_is_owned_and_forced() {
    let sandbox = Sandbox::start();
    let maps = maps(&sandbox.client());
    sandbox.runtime.block_on(async {
        let config = |value: &str| {
            let mut map = serde_json::to_value(map("a", value)).unwrap();
            map["apiVersion"] = json!("v1");
            map["kind"] = json!("ConfigMap");
            Patch::Apply(map)
        };
        maps.patch("a", &PatchParams::apply("one"), &config("1")).await.unwrap();
        let error = maps.patch("a", &PatchParams::apply("two"), &config("2")).await.unwrap_err();
        let kube::Error::Api(status) = error else { panic!("{error}") };
        assert_eq!((status.code, &*status.reason), (409, "Conflict"));
        maps.patch("a", &PatchParams::apply("two").force(), &config("2")).await.unwrap();
    });
}

/// Follows ConfigMaps through dropped watches: nothing is missed and nothing comes twice.
fn watch_through_drops(config: watcher::Config) {
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    sandbox.runtime.block_on(async {
        let maps = maps(&client);
        let events =
            watcher(maps.clone(), config.labels("test=yes")).default_backoff().applied_objects();
        pin_mut!(events);
        for number in 0..5 {
            let name = format!("m{number}");
            maps.create(&PostParams::default(), &map(&name, "1")).await.unwrap();
            let seen = events.try_next().await.unwrap().unwrap();
            assert_eq!(seen.name_any(), name);
            sandbox.server.drop_watches(CLUSTER);
        }
    });
}

#[test]
fn a_listing_watcher_resumes_where_it_was() {
    watch_through_drops(watcher::Config::default());
}

#[test]
fn a_streaming_watcher_resumes_where_it_was() {
    watch_through_drops(watcher::Config::default().streaming_lists());
}

#[test]
fn a_store_follows_its_cluster() {
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    sandbox.runtime.block_on(async {
        let (reader, writer) = reflector::store();
        let events = watcher(Api::<Namespace>::all(client), watcher::Config::default());
        let follow = reflector(writer, events.default_backoff()).for_each(|_| async {});
        // Polled here and not spawned: a task that outlived the client would never yield again,
        // and the runtime's end would wait for it.
        tokio::select! {
            () = follow => panic!("the watch ended"),
            ready = reader.wait_until_ready() => ready.unwrap(),
        }
        let names: Vec<String> = reader.state().iter().map(|one| one.name_any()).collect();
        assert!(names.contains(&"kube-system".to_owned()), "{names:?}");
    });
}

#[test]
fn a_metadata_watcher_sees_metadata_only() {
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    sandbox.runtime.block_on(async {
        maps(&client).create(&PostParams::default(), &map("a", "1")).await.unwrap();
        let metadata: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(client, "default");
        let config = watcher::Config::default().labels("test=yes");
        let events = watcher(metadata, config).applied_objects();
        pin_mut!(events);
        assert_eq!(events.try_next().await.unwrap().unwrap().name_any(), "a");
    });
}

#[test]
fn a_pod_without_an_account_is_refused() {
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    sandbox.runtime.block_on(async {
        let pods: Api<Pod> = Api::namespaced(client, "default");
        let pod = json!({"metadata": {"name": "p"},
            "spec": {"serviceAccountName": "none", "containers": [{"name": "a", "image": "b"}]}});
        let error = pods
            .create(&PostParams::default(), &serde_json::from_value(pod).unwrap())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("serviceaccount \"none\" not found"), "{error}");
    });
}
