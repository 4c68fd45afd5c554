//! The forms in which a client asks for objects.

use hyper::header;
use serde_json::{Value, json};

use super::{Head, table};
use crate::{resources::Resource, value::at};

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Whole,
    /// `PartialObjectMetadata`: nothing but metadata.
    Metadata,
    /// `Table`: what a person sees.
    Table,
}

impl Shape {
    pub(super) fn asked(head: &Head) -> Self {
        let accept = head.header(header::ACCEPT);
        let first = accept.split(',').next().unwrap_or_default();
        if first.contains("as=PartialObjectMetadata") {
            Self::Metadata
        } else if first.contains("as=Table") {
            Self::Table
        } else {
            Self::Whole
        }
    }

    /// An answer in this form; what is no object of the resource stays as it is.
    pub(super) fn of(self, resource: &Resource, body: Value) -> Value {
        let about_resource = body["kind"] == resource.list_kind || body["kind"] == resource.kind;
        match self {
            Self::Table if about_resource => table::of(resource, &body),
            Self::Metadata if about_resource => Self::metadata(resource, &body),
            _ => body,
        }
    }

    fn metadata(resource: &Resource, body: &Value) -> Value {
        let partial = |object: &Value| json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": at(object, "metadata")});
        if body["kind"] == resource.list_kind {
            let items: Vec<Value> = crate::value::list(body, "items").iter().map(partial).collect();
            return json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": body["metadata"], "items": items});
        }
        partial(body)
    }
}
