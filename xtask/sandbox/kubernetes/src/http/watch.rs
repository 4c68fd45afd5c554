//! Watches: what there is, what happens, and now and then a bookmark.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt, StreamBody};
use hyper::{
    Response,
    body::{Bytes, Frame},
    header::{self, HeaderValue},
};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{Reply, media::Shape};
use crate::{
    api::{Call, Selection, served},
    cluster::{Cluster, Pulse},
    status::{Answer, Failure},
    store::{Change, Event},
};

/// How long a watch lasts whose client does not say.
const LONGEST: Duration = Duration::from_secs(45 * 60);

/// How often a quiet watch says how far it is.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// Events that wait for a slow client before the watch waits too.
const BUFFERED: usize = 256;

/// Starts a watch.
pub(super) fn watch(cluster: Arc<Cluster>, call: Call, shape: Shape) -> Answer<Reply> {
    let selection = Selection::of(&call)?;
    let pulse = cluster.pulse();
    let start = Start::of(&cluster, &call, &selection)?;
    let (sender, receiver) = mpsc::channel::<Bytes>(BUFFERED);
    let watch = Watch { cluster, selection, shape, sender, seen: start.revision, call };
    tokio::spawn(async move {
        // The client hung up: nobody is left to tell.
        let _ = watch.run(start.objects, pulse).await;
    });
    let events = futures::stream::unfold(receiver, |mut receiver| async move {
        let event = receiver.recv().await?;
        Some((Ok(Frame::data(event)), receiver))
    });
    let mut reply = Response::new(StreamBody::new(events).boxed());
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(reply)
}

/// Where a watch begins: the objects that it tells of first, and the version after which it tells
/// of changes.
struct Start {
    objects: Vec<Arc<Value>>,
    revision: u64,
}

impl Start {
    fn of(cluster: &Cluster, call: &Call, selection: &Selection) -> Answer<Self> {
        let query = &call.query;
        if query.send_initial_events && query.resource_version_match != "NotOlderThan" {
            return Err(Failure::unprocessable(
                "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        let store = cluster.store();
        let asked: u64 = match query.resource_version.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| {
                Failure::bad_request(format!(
                    "Invalid value: {text:?}: resourceVersion is not a number"
                ))
            })?,
        };
        let of = call.resource.group_resource();
        if query.send_initial_events || asked == 0 {
            let objects = store
                .list(&of, &call.namespace)
                .filter(|object| selection.matches(object))
                .cloned();
            return Ok(Self { objects: objects.collect(), revision: store.revision() });
        }
        // A version that this cluster never gave out is one of a cluster before it.
        match store.events_after(asked, &of).filter(|_| asked <= store.revision()) {
            Some(_) => Ok(Self { objects: Vec::new(), revision: asked }),
            None => Err(Failure::expired(format!(
                "too old resource version: {asked} ({})",
                store.revision()
            ))),
        }
    }
}

/// A client hung up.
struct Gone;

struct Watch {
    cluster: Arc<Cluster>,
    call: Call,
    selection: Selection,
    shape: Shape,
    sender: mpsc::Sender<Bytes>,
    /// Everything up to this version has been told.
    seen: u64,
}

impl Watch {
    async fn run(
        mut self,
        objects: Vec<Arc<Value>>,
        mut pulse: watch::Receiver<Pulse>,
    ) -> Result<(), Gone> {
        let epoch = pulse.borrow_and_update().epoch;
        for object in objects {
            self.send("ADDED", &object).await?;
        }
        if self.call.query.send_initial_events && self.call.query.bookmarks {
            self.bookmark(true).await?;
        }
        let lasts = self.call.query.timeout_seconds.map_or(LONGEST, Duration::from_secs);
        let end = Instant::now() + lasts;
        loop {
            self.tell_news().await?;
            let quiet = Instant::now() + BOOKMARK_EVERY;
            tokio::select! {
                changed = pulse.changed() => {
                    // A cluster that is gone ends its watches, and so does a new epoch.
                    if changed.is_err() || pulse.borrow_and_update().epoch != epoch {
                        return Ok(());
                    }
                }
                () = self.sender.closed() => return Err(Gone),
                () = sleep_until(end) => return Ok(()),
                () = sleep_until(quiet), if self.call.query.bookmarks => self.bookmark(false).await?,
            }
        }
    }

    async fn tell_news(&mut self) -> Result<(), Gone> {
        let (events, revision) = {
            let store = self.cluster.store();
            (store.events_after(self.seen, &self.call.resource.group_resource()), store.revision())
        };
        let Some(events) = events else {
            let failure =
                Failure::expired(format!("too old resource version: {} ({revision})", self.seen));
            self.write("ERROR", &failure.to_value()).await?;
            return Err(Gone);
        };
        for event in events {
            if let Some(kind) = self.kind(&event) {
                self.send(kind, &event.object).await?;
            }
        }
        self.seen = revision;
        Ok(())
    }

    /// What an event is to this watch: an object may come into its selection or leave it by a
    /// change.
    fn kind(&self, event: &Event) -> Option<&'static str> {
        let now = self.selection.matches(&event.object);
        let before =
            event.previous.as_ref().is_some_and(|previous| self.selection.matches(previous));
        match (event.change, before, now) {
            (Change::Deleted, false, false) | (_, false, false) => None,
            (Change::Deleted, ..) | (_, true, false) => Some("DELETED"),
            (_, true, true) => Some("MODIFIED"),
            (_, false, true) => Some("ADDED"),
        }
    }

    async fn send(&self, kind: &str, object: &Value) -> Result<(), Gone> {
        let object = self.shape.of(&self.call.resource, served(&self.call.resource, object));
        self.write(kind, &object).await
    }

    async fn bookmark(&self, initial: bool) -> Result<(), Gone> {
        let resource = &self.call.resource;
        let mut metadata = json!({"resourceVersion": self.seen.to_string()});
        if initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({"kind": resource.kind, "apiVersion": resource.api_version(), "metadata": metadata});
        self.write("BOOKMARK", &self.shape.of(resource, object)).await
    }

    async fn write(&self, kind: &str, object: &Value) -> Result<(), Gone> {
        let mut line = json!({"type": kind, "object": object}).to_string();
        line.push('\n');
        self.sender.send(Bytes::from(line)).await.map_err(|_| Gone)
    }
}
