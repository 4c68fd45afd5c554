//! What each verb does to a cluster's store.
//!
//! Invariant: a request is answered while the store is locked and without waiting, so that it
//! either happened or did not.

mod create;
mod decode;
mod delete;
mod patch;
mod pods;
mod query;
mod read;
mod replace;
mod review;
mod scale;
#[cfg(test)]
mod tests;
mod versions;

use std::sync::Arc;

use serde_json::{Value, json};

pub(crate) use decode::Body;
pub(crate) use query::{Query, Validation};
pub(crate) use read::Selection;
pub(crate) use review::Issuer;
pub(crate) use versions::served;

use crate::{
    User,
    fields::Ownership,
    lifecycle,
    resources::Resource,
    status::{Answer, Failure, FieldFault},
    store::Store,
};

/// One request for a resource.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) resource: Arc<Resource>,
    /// Empty for all namespaces and for resources outside of namespaces.
    pub(crate) namespace: String,
    /// Empty for the collection.
    pub(crate) name: String,
    /// Empty for the object itself.
    pub(crate) subresource: String,
    pub(crate) query: Query,
    pub(crate) user: User,
    pub(crate) issuer: Issuer,
    /// RFC 3339.
    pub(crate) now: String,
}

impl Call {
    /// As whom the request owns fields.
    fn ownership<'a>(&'a self, api_version: &'a str) -> Ownership<'a> {
        Ownership {
            schema: &self.resource.schema,
            manager: &self.query.manager,
            api_version,
            subresource: &self.subresource,
            now: &self.now,
            has_status: self.resource.status,
        }
    }

    fn invalid(&self, name: &str, faults: &[FieldFault]) -> Answer<()> {
        if faults.is_empty() { Ok(()) } else { Err(Failure::invalid(&self.resource, name, faults)) }
    }

    /// The object that the request names, as stored.
    fn find(&self, store: &Store) -> Answer<Arc<Value>> {
        let found = store.get(&self.resource.group_resource(), &self.namespace, &self.name);
        found.ok_or_else(|| Failure::not_found(&self.resource, &self.name))
    }
}

/// A request that succeeded.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) code: u16,
    pub(crate) body: Value,
    /// Sentences for `Warning` headers.
    pub(crate) warnings: Vec<String>,
}

impl Done {
    fn ok(body: Value) -> Self {
        Self { code: 200, body, warnings: Vec::new() }
    }

    fn created(body: Value) -> Self {
        Self { code: 201, ..Self::ok(body) }
    }
}

/// Answers a request, and lets everything follow that a cluster does on its own account.
pub(crate) fn respond(store: &mut Store, call: &Call, method: &str, body: &Body) -> Answer<Done> {
    if call.query.dry_run && method != "GET" {
        return dispatch(&mut store.rehearsal(), call, method, body);
    }
    let done = dispatch(store, call, method, body)?;
    lifecycle::settle(store);
    Ok(done)
}

fn dispatch(store: &mut Store, call: &Call, method: &str, body: &Body) -> Answer<Done> {
    if call.resource.virtual_only {
        return if method == "POST" {
            review::answer(call, body)
        } else {
            Err(Failure::method_not_allowed())
        };
    }
    match (method, call.name.is_empty(), call.subresource.as_str()) {
        ("GET", true, "") => read::list(store, call),
        ("POST", true, "") => create::create(store, call, body),
        ("DELETE", true, "") => delete::delete_collection(store, call, body),
        ("GET", false, "" | "status") => read::get(store, call),
        ("PUT", false, "" | "status") => replace::replace(store, call, body),
        ("PATCH", false, "" | "status") => patch::patch(store, call, body),
        ("DELETE", false, "") => delete::delete(store, call, body),
        (_, false, "scale") => scale::answer(store, call, method, body),
        ("PUT", false, "finalize") => replace::finalize(store, call, body),
        ("POST", false, "token") => review::token(store, call, body),
        ("POST", false, "binding") => pods::bind(store, call, body),
        ("POST", false, "eviction") => pods::evict(store, call, body),
        _ => Err(Failure::method_not_allowed()),
    }
}

/// The `Status` that says that something was done.
fn success(details: Value) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
