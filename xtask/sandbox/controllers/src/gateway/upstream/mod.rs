//! The stand-ins of Supabase's services: what each answers with the settings of its Pod.
//!
//! Whatever a local program can decide is decided by it: tokens by their signature, rights and rows by
//! PostgreSQL, objects by S3. The rest is small and says that it is simulated.

mod auth;
mod functions;
mod meta;
mod realtime;
mod rest;
mod session;
mod sql;
mod storage;
mod studio;

use super::journey::Call;
use super::reply::Reply;
use crate::kubelet::ContainerRuntime;
use crate::kubelet::images::Component;
use crate::load_balancer::Site;

/// The answer of the service that runs in a container.
pub(super) async fn answer(site: &Site, container: &ContainerRuntime, call: &Call) -> Reply {
    let bin = &site.cluster.config.postgres_bin;
    match container.image.serves {
        Some(Component::Auth) => auth::answer(container, call),
        Some(Component::Rest) => rest::answer(bin, container, call).await,
        Some(Component::Storage) => storage::answer(site, container, call).await,
        Some(Component::Meta) => meta::answer(bin, container, call).await,
        Some(Component::Functions) => functions::answer(container, call),
        Some(Component::Studio) => studio::answer(container, call),
        Some(Component::Imgproxy) if call.request.path == "/health" => {
            Reply::text(200, "imgproxy is running")
        }
        Some(Component::Realtime) => realtime::answer(site, container, call).await,
        _ => not_simulated(call),
    }
}

/// A route that the real program may have and the stand-in has not.
fn not_simulated(call: &Call) -> Reply {
    let message =
        format!("sandbox: {} {} is not simulated", call.request.method, call.request.path);
    Reply::json(501, &serde_json::json!({ "message": message }))
}
