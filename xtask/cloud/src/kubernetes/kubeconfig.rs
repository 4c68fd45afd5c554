//! The kubeconfig that kubectl, helm and people use.

use std::{collections::BTreeMap, io::Write, path::Path};

use anyhow::{Context, Result};
use serde_json::json;

/// What is written to a kubeconfig.
#[derive(Debug, Clone)]
pub struct KubeconfigEntry {
    /// The name of the cluster, the context and the user.
    pub cluster: String,
    pub region: String,
    pub endpoint: String,
    pub ca_base64: String,
    /// Path of the program that answers `eks-token --cluster .. --region ..`.
    pub program: String,
    /// Environment variables that the program gets besides those of who calls it. They are stored
    /// in the file: no secret belongs in here.
    pub env: BTreeMap<String, String>,
}

/// Writes a kubeconfig with one context; readable by its owner alone, and never half-written.
///
/// # Errors
/// When the file cannot be written.
pub fn write_kubeconfig(path: &Path, entry: &KubeconfigEntry) -> Result<()> {
    let name = &entry.cluster;
    let env: Vec<_> =
        entry.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": name, "cluster": {
            "server": entry.endpoint,
            "certificate-authority-data": entry.ca_base64,
        }}],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "current-context": name,
        "users": [{ "name": name, "user": { "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": entry.program,
            "args": ["eks-token", "--cluster", name, "--region", entry.region],
            "env": env,
            "interactiveMode": "Never",
        }}}],
    });
    let failed = || format!("failed to write the kubeconfig `{}`", path.display());
    let text = serde_norway::to_string(&document).with_context(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(failed)?;
    // A temporary file belongs to its owner alone from its first moment on.
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cluster;

    fn entry() -> KubeconfigEntry {
        KubeconfigEntry {
            cluster: "supabase-dev".into(),
            region: "eu-west-1".into(),
            endpoint: "https://127.0.0.1:6443/clusters/supabase-dev".into(),
            ca_base64: String::new(),
            program: "/opt/x task".into(),
            env: BTreeMap::from([("AWS_REGION".into(), "eu-west-1".into())]),
        }
    }

    #[test]
    fn the_file_is_for_its_owner_and_can_be_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/kubeconfig.yaml");
        write_kubeconfig(&path, &entry()).unwrap();
        write_kubeconfig(&path, &entry()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("command: /opt/x task"), "{text}");
        let read: kube::config::Kubeconfig = serde_norway::from_str(&text).unwrap();
        let exec = read.auth_infos[0].auth_info.as_ref().unwrap().exec.as_ref().unwrap();
        assert_eq!(exec.args.as_ref().unwrap()[2], "supabase-dev");
    }

    #[test]
    fn an_unknown_context_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig.yaml");
        write_kubeconfig(&path, &entry()).unwrap();
        let error = Cluster::from_context(Some(&path), "kind-kind").unwrap_err();
        let text = format!("{error:#}");
        assert!(text.starts_with("failed to use context `kind-kind` of the kubeconfig"), "{text}");
    }
}
