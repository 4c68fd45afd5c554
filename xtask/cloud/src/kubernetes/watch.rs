//! The engine of all waits: a few lists, kept up to date by watches, and a question about them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use backon::ExponentialBuilder;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use kube::{
    Api,
    api::{DynamicObject, PartialObjectMeta},
    runtime::{WatchStreamExt, watcher},
};
use tokio::time::{MissedTickBehavior, interval};

use super::{Cluster, Kind, Target, error, fields::name};
use crate::runtime::Seen;

/// What of the cluster is watched.
pub(super) struct Source {
    /// For errors: "Deployments of `supabase`".
    what: String,
    subject: Subject,
    config: watcher::Config,
}

enum Subject {
    Whole(Api<DynamicObject>),
    /// The objects' content stays with the server.
    Metadata(Api<PartialObjectMeta<DynamicObject>>),
}

/// The objects of one source by name.
pub(super) type Objects = BTreeMap<String, DynamicObject>;

/// The answer to the question of a wait.
pub(super) enum Verdict<T> {
    Done(T),
    /// What is waited for, in a few words.
    Waiting(String),
}

/// How often the question is asked though nothing changed: some answers depend on how long
/// something has been so.
const TICK: Duration = Duration::from_secs(1);

/// How long one watch runs before the next resumes from where it was: a connection that died
/// without a word is noticed after this time.
const WATCH_SECONDS: u32 = 60;

/// How long the server may refuse the login before it counts: rights spread slowly.
const REFUSED_AT_MOST: Duration = Duration::from_secs(30);

impl Cluster {
    pub(super) fn source(&self, kind: &Kind, namespace: Option<&str>, labels: &str) -> Source {
        let what = match namespace {
            Some(namespace) => format!("{} of namespace `{namespace}`", kind.plural),
            None => kind.plural.to_owned(),
        };
        let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
        if !labels.is_empty() {
            config = config.labels(labels);
        }
        Source { what, subject: Subject::Whole(self.api(kind, namespace)), config }
    }

    /// The same without the objects' content: for Secrets, which are nobody's business here.
    pub(super) fn metadata_source(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> Source {
        let subject = Subject::Metadata(self.api_for(kind, namespace));
        Source { subject, ..self.source(kind, namespace, labels) }
    }

    pub(super) fn source_of(&self, target: &Target) -> Source {
        let config = watcher::Config::default()
            .timeout(WATCH_SECONDS)
            .fields(&format!("metadata.name={}", target.name));
        Source {
            what: target.to_string(),
            subject: Subject::Whole(self.api(&target.kind, target.namespace.as_deref())),
            config,
        }
    }
}

/// Follows the sources until `question` is answered. It is asked once all lists are complete,
/// after every change, and every second.
pub(super) async fn until<T>(
    seen: &Seen<'_>,
    sources: Vec<Source>,
    mut question: impl AsyncFnMut(&[Objects]) -> Result<Verdict<T>>,
) -> Result<T> {
    let names: Vec<String> = sources.iter().map(|source| source.what.clone()).collect();
    let mut lists: Vec<List> = sources.iter().map(|_| List::default()).collect();
    let mut changes = stream::select_all(sources.into_iter().enumerate().map(follow));
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut refused_since: Option<Instant> = None;
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some((index, Ok(event))) => {
                    refused_since = None;
                    if let Some(list) = lists.get_mut(index) {
                        list.take(event);
                    }
                }
                Some((index, Err(failure))) => {
                    let what = names.get(index).map_or("", String::as_str);
                    let (failure, refused) = error::explain_watch(what, failure);
                    let since = refused_since.get_or_insert_with(Instant::now);
                    if refused && since.elapsed() >= REFUSED_AT_MOST {
                        return Err(failure);
                    }
                    if !refused {
                        refused_since = None;
                    }
                    seen.note(format!("{failure:#}"));
                    continue;
                }
                None => bail!("the watch of {} ended", names.join(", ")),
            },
            _ = tick.tick() => {}
        }
        if !lists.iter().all(|list| list.complete) {
            continue;
        }
        let objects: Vec<Objects> =
            lists.iter_mut().map(|list| std::mem::take(&mut list.objects)).collect();
        let verdict = question(&objects).await;
        for (list, objects) in lists.iter_mut().zip(objects) {
            list.objects = objects;
        }
        match verdict? {
            Verdict::Done(value) => return Ok(value),
            Verdict::Waiting(what) => seen.note(what),
        }
    }
}

type Change = (usize, watcher::Result<watcher::Event<DynamicObject>>);

fn follow((index, source): (usize, Source)) -> BoxStream<'static, Change> {
    // The client's own backoff goes up to half a minute; a person waits here.
    let patience = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(3))
        .with_jitter()
        .without_max_times();
    let patience = watcher::ExponentialBackoff::from(patience);
    match source.subject {
        Subject::Whole(api) => {
            watcher(api, source.config).backoff(patience).map(move |event| (index, event)).boxed()
        }
        Subject::Metadata(api) => watcher(api, source.config)
            .map_ok(without_content)
            .backoff(patience)
            .map(move |event| (index, event))
            .boxed(),
    }
}

fn without_content(
    event: watcher::Event<PartialObjectMeta<DynamicObject>>,
) -> watcher::Event<DynamicObject> {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    let object = |partial: PartialObjectMeta<DynamicObject>| DynamicObject {
        types: None,
        metadata: partial.metadata,
        data: serde_json::Value::Null,
    };
    match event {
        Init => Init,
        InitDone => InitDone,
        InitApply(partial) => InitApply(object(partial)),
        Apply(partial) => Apply(object(partial)),
        Delete(partial) => Delete(object(partial)),
    }
}

/// The objects of a source, and those of a list that is still being read.
#[derive(Default)]
struct List {
    complete: bool,
    objects: Objects,
    next: Objects,
}

impl List {
    fn take(&mut self, event: watcher::Event<DynamicObject>) {
        match event {
            watcher::Event::Init => self.next = Objects::new(),
            watcher::Event::InitApply(object) => {
                self.next.insert(name(&object).to_owned(), object);
            }
            watcher::Event::InitDone => {
                self.objects = std::mem::take(&mut self.next);
                self.complete = true;
            }
            watcher::Event::Apply(object) => {
                self.objects.insert(name(&object).to_owned(), object);
            }
            watcher::Event::Delete(object) => {
                self.objects.remove(name(&object));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::api::ApiResource;

    use super::*;

    fn object(name: &str) -> DynamicObject {
        DynamicObject::new(name, &ApiResource::erase::<k8s_openapi::api::core::v1::Secret>(&()))
    }

    #[test]
    fn a_list_is_replaced_only_when_its_successor_is_complete() {
        use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
        let mut list = List::default();
        for event in [Init, InitApply(object("a")), InitApply(object("b")), InitDone] {
            assert!(!list.complete);
            list.take(event);
        }
        list.take(Apply(object("c")));
        list.take(Delete(object("a")));
        let names = |list: &List| list.objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&list), ["b", "c"]);
        // A watch that broke starts over: until the new list is complete the old one stands.
        list.take(Init);
        list.take(InitApply(object("d")));
        assert_eq!(names(&list), ["b", "c"]);
        list.take(InitDone);
        assert_eq!(names(&list), ["d"]);
    }
}
