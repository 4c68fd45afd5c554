//! Puts the volumes of a Pod into folders.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, KeyToPath, Pod, ProjectedVolumeSource, SecretVolumeSource,
    Volume,
};
use kube::ResourceExt;

use super::environment::pod_field;
use crate::cluster::Cluster;
use crate::mounts::Mounts;
use crate::objects::claim_folder;

/// Why a volume cannot be mounted yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The kubelet's message of a `FailedMount` event; the Pod waits.
    FailedMount(String),
    /// This machine's fault, e.g. a full disk.
    Failed(String),
}

/// The file in a container's folder that takes its termination message.
pub(crate) const TERMINATION_LOG: &str = "termination-log";

type Files = BTreeMap<String, Vec<u8>>;

/// Writes the volumes of `pod` below `folder`; the answer maps each volume's name to its folder.
pub(crate) fn materialise(
    cluster: &Cluster,
    pod: &Pod,
    folder: &Path,
) -> Result<BTreeMap<String, PathBuf>, Problem> {
    let mut places = BTreeMap::new();
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    for volume in volumes {
        let place = match &volume.persistent_volume_claim {
            Some(source) => {
                let namespace = pod.namespace().unwrap_or_default();
                let claim =
                    cluster.claims.get(&namespace, &source.claim_name).ok_or_else(|| {
                        Problem::FailedMount(format!(
                            "persistentvolumeclaim \"{}\" not found",
                            source.claim_name
                        ))
                    })?;
                claim_folder(cluster, &claim)
            }
            None => folder.join("volumes").join(&volume.name),
        };
        make_folder(&place)?;
        if let Some(files) = files(cluster, pod, volume)? {
            for (path, content) in files {
                write(&place, &path, &content)?;
            }
        }
        places.insert(volume.name.clone(), place);
    }
    Ok(places)
}

/// Where the paths of `container` lie, given the places of the Pod's volumes and the container's own
/// folder, which takes its termination message.
pub(crate) fn mounts(
    container: &Container,
    places: &BTreeMap<String, PathBuf>,
    folder: &Path,
) -> Mounts {
    let message = container.termination_message_path.as_deref().unwrap_or("/dev/termination-log");
    let pairs = container.volume_mounts.iter().flatten().filter_map(|mount| {
        let place = places.get(&mount.name)?;
        let local = match mount.sub_path.as_deref() {
            Some(path) if !path.is_empty() => place.join(path),
            _ => place.clone(),
        };
        Some((mount.mount_path.clone(), local))
    });
    let message = (message.to_owned(), folder.join(TERMINATION_LOG));
    Mounts::new(pairs.chain([message]))
}

/// The files of a volume that has some from the start; none for an empty one.
fn files(cluster: &Cluster, pod: &Pod, volume: &Volume) -> Result<Option<Files>, Problem> {
    let namespace = pod.namespace().unwrap_or_default();
    let found = if let Some(source) = &volume.config_map {
        config_map(cluster, &namespace, source)
    } else if let Some(source) = &volume.secret {
        secret(cluster, &namespace, source)
    } else if let Some(source) = &volume.projected {
        projected(cluster, pod, &namespace, source)
    } else {
        return Ok(None);
    };
    found.map(Some).map_err(|message| {
        let message =
            format!("MountVolume.SetUp failed for volume \"{}\" : {message}", volume.name);
        Problem::FailedMount(message)
    })
}

fn config_map(
    cluster: &Cluster,
    namespace: &str,
    source: &ConfigMapVolumeSource,
) -> Result<Files, String> {
    let optional = source.optional == Some(true);
    let Some(map) = cluster.config_maps.get(namespace, &source.name) else {
        return absent(optional, format!("configmap \"{}\" not found", source.name));
    };
    let texts =
        map.data.iter().flatten().map(|(key, text)| (key.clone(), text.clone().into_bytes()));
    let binary = map
        .binary_data
        .iter()
        .flatten()
        .map(|(key, ByteString(bytes))| (key.clone(), bytes.clone()));
    project(texts.chain(binary).collect(), source.items.as_deref(), optional)
}

fn secret(
    cluster: &Cluster,
    namespace: &str,
    source: &SecretVolumeSource,
) -> Result<Files, String> {
    let optional = source.optional == Some(true);
    let name = source.secret_name.as_deref().unwrap_or_default();
    let Some(secret) = cluster.secrets.get(namespace, name) else {
        return absent(optional, format!("secret \"{name}\" not found"));
    };
    let all =
        secret.data.iter().flatten().map(|(key, ByteString(bytes))| (key.clone(), bytes.clone()));
    project(all.collect(), source.items.as_deref(), optional)
}

fn projected(
    cluster: &Cluster,
    pod: &Pod,
    namespace: &str,
    source: &ProjectedVolumeSource,
) -> Result<Files, String> {
    let mut files = Files::new();
    for part in source.sources.iter().flatten() {
        if let Some(part) = &part.config_map {
            let source = ConfigMapVolumeSource {
                name: part.name.clone(),
                items: part.items.clone(),
                optional: part.optional,
                default_mode: None,
            };
            files.extend(config_map(cluster, namespace, &source)?);
        }
        if let Some(part) = &part.secret {
            let source = SecretVolumeSource {
                secret_name: Some(part.name.clone()),
                items: part.items.clone(),
                optional: part.optional,
                default_mode: None,
            };
            files.extend(secret(cluster, namespace, &source)?);
        }
        for item in part.downward_api.iter().flat_map(|part| part.items.iter().flatten()) {
            let field = item.field_ref.as_ref().and_then(|field| pod_field(pod, &field.field_path));
            files.insert(item.path.clone(), field.unwrap_or_default().into_bytes());
        }
        if let Some(token) = &part.service_account_token {
            // Nothing here asks for a token; a file that says so beats one that looks like a token.
            files.insert(token.path.clone(), b"sandbox: simulated token".to_vec());
        }
    }
    Ok(files)
}

fn absent(optional: bool, message: String) -> Result<Files, String> {
    if optional { Ok(Files::new()) } else { Err(message) }
}

/// Selects and renames keys.
fn project(all: Files, items: Option<&[KeyToPath]>, optional: bool) -> Result<Files, String> {
    let Some(items) = items.filter(|items| !items.is_empty()) else { return Ok(all) };
    let mut files = Files::new();
    for item in items {
        match all.get(&item.key) {
            Some(content) => {
                files.insert(item.path.clone(), content.clone());
            }
            None if optional => {}
            None => return Err(format!("references non-existent config key: {}", item.key)),
        }
    }
    Ok(files)
}

fn make_folder(path: &Path) -> Result<(), Problem> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Problem::Failed(format!("failed to create `{}`: {error}", path.display())))
}

fn write(folder: &Path, path: &str, content: &[u8]) -> Result<(), Problem> {
    let relative = Path::new(path);
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(Problem::FailedMount(format!("invalid path `{path}` in a volume")));
    }
    let path = folder.join(relative);
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    let written = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(content));
    written
        .map_err(|error| Problem::Failed(format!("failed to write `{}`: {error}", path.display())))
}
