//! Which resource a request is about.

use crate::{
    User,
    api::{Call, Query},
    cluster::Cluster,
    ids,
    status::{Answer, Failure},
};

/// Reads which resource a path is about.
pub(crate) fn call(
    cluster: &Cluster,
    path: &str,
    query: &str,
    agent: &str,
    user: User,
) -> Answer<Call> {
    let mut segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let (group, version) = match *segments.as_slice() {
        ["api", version, ..] => {
            segments.drain(..2);
            ("", version)
        }
        ["apis", group, version, ..] => {
            segments.drain(..3);
            (group, version)
        }
        _ => return Err(Failure::no_such_path()),
    };
    let (namespace, segments) = match *segments.as_slice() {
        // `namespaces/NAME` and its subresources are about the namespace itself.
        ["namespaces", namespace, plural, ..]
            if !(segments.len() == 3 && matches!(plural, "status" | "finalize")) =>
        {
            (namespace, &segments[2..])
        }
        _ => ("", &segments[..]),
    };
    let (plural, name, subresource) = match *segments {
        [plural] => (plural, "", ""),
        [plural, name] => (plural, name, ""),
        [plural, name, subresource] => (plural, name, subresource),
        _ => return Err(Failure::no_such_path()),
    };
    let resource = cluster.store().registry.find(group, version, plural).cloned();
    let resource = resource.ok_or_else(Failure::no_such_path)?;
    if resource.namespaced && namespace.is_empty() && !name.is_empty()
        || !resource.namespaced && !namespace.is_empty()
    {
        return Err(Failure::no_such_path());
    }
    let known = match subresource {
        "" => true,
        "status" => resource.status,
        "scale" => resource.scale.is_some(),
        other => resource.subresources.contains(&other),
    };
    if !known {
        return Err(Failure::no_such_path());
    }
    Ok(Call {
        query: Query::parse(query, agent)?,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
        resource,
        user,
        issuer: cluster.issuer.clone(),
        now: ids::now(),
    })
}
