//! Where Terraform gets its providers from. One provider is hundreds of megabytes, so a mirror that
//! is already on the machine is used without asking.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::Serialize;

use super::{Toolbox, install::create_folder};

/// What Terraform is told about providers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderInstallation {
    /// To be set for every Terraform command.
    pub environment: BTreeMap<String, String>,
    /// For people: "from the mirror `...`".
    pub source: String,
}

/// Where things are on this machine; tests have their own.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `/`, before all fixed folders.
    pub root: PathBuf,
    pub home: Option<PathBuf>,
    /// `TF_CLI_CONFIG_FILE`.
    pub config_file: Option<PathBuf>,
    /// `TF_PLUGIN_CACHE_DIR`.
    pub plugin_cache: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
}

impl Surroundings {
    #[must_use]
    pub fn of_this_process() -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            root: "/".into(),
            home: path("HOME"),
            config_file: path("TF_CLI_CONFIG_FILE"),
            plugin_cache: path("TF_PLUGIN_CACHE_DIR"),
            data_home: path("XDG_DATA_HOME"),
        }
    }

    /// The CLI configuration that Terraform reads, if there is one.
    fn configuration(&self) -> Option<PathBuf> {
        // A file named by the variable that does not exist counts as none: Terraform only warns.
        let named = self.config_file.clone();
        let usual = || Some(self.home.as_ref()?.join(".terraformrc"));
        named.or_else(usual).filter(|path| path.is_file())
    }

    /// The folders in which mirrors usually are: first those where Terraform looks by itself.
    fn mirror_folders(&self) -> Vec<PathBuf> {
        let under = |path: &str| self.root.join(path);
        let mut folders = Vec::new();
        folders.extend(self.home.as_ref().map(|home| home.join(".terraform.d/plugins")));
        let data_home = self.data_home.clone();
        let data_home = data_home.or_else(|| Some(self.home.as_ref()?.join(".local/share")));
        folders.extend(data_home.map(|data| data.join("terraform/plugins")));
        folders.extend(
            ["usr/local/share/terraform/plugins", "usr/share/terraform/plugins"].map(under),
        );
        folders.extend(self.plugin_cache.clone());
        folders.extend(
            ["usr/local/share/terraform/providers", "usr/share/terraform/providers"].map(under),
        );
        let entries = fs::read_dir(under("opt")).into_iter().flatten().flatten();
        let mut others: Vec<_> =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        others.sort();
        folders.extend(others);
        folders
    }
}

impl Toolbox {
    /// Finds out where Terraform gets `provider` (`hashicorp/aws`) in `version` from: from where
    /// its own configuration says; else from a mirror in a usual folder, which is named in a
    /// configuration written for it; else from the registry, with a cache below the tools' folder.
    ///
    /// # Errors
    /// When the configuration cannot be read or written.
    pub fn terraform_providers(
        &self,
        provider: &str,
        version: &str,
        surroundings: &Surroundings,
    ) -> anyhow::Result<ProviderInstallation> {
        let configuration = surroundings.configuration();
        let settings = match &configuration {
            Some(path) => fs::read_to_string(path)
                .with_context(|| format!("failed to read `{}`", path.display()))?,
            None => String::new(),
        };
        if let Some(path) =
            configuration.filter(|_| has_setting(&settings, "provider_installation"))
        {
            let source = format!("as `{}` says", path.display());
            return Ok(ProviderInstallation { environment: BTreeMap::new(), source });
        }
        let folders = surroundings.mirror_folders();
        let mirror = folders.iter().find(|folder| self.is_mirror(folder, provider, version));
        if let Some(mirror) = mirror {
            let file = self.write_configuration(mirror, provider)?;
            let environment = BTreeMap::from([("TF_CLI_CONFIG_FILE".to_owned(), file)]);
            let source = format!("from the mirror `{}`", mirror.display());
            return Ok(ProviderInstallation { environment, source });
        }
        if surroundings.plugin_cache.is_some() || has_setting(&settings, "plugin_cache_dir") {
            let source = "from the registry, with the cache of the person".to_owned();
            return Ok(ProviderInstallation { environment: BTreeMap::new(), source });
        }
        let cache = self.folder.join("terraform-providers");
        create_folder(&cache)?;
        let value = cache.display().to_string();
        let environment = BTreeMap::from([("TF_PLUGIN_CACHE_DIR".to_owned(), value.clone())]);
        Ok(ProviderInstallation {
            environment,
            source: format!("from the registry, cached in `{value}`"),
        })
    }

    /// Whether `folder` holds this very provider for this platform, unpacked or packed.
    fn is_mirror(&self, folder: &Path, provider: &str, version: &str) -> bool {
        let Some(platform) = self.platform else { return false };
        let provider_folder = folder.join("registry.terraform.io").join(provider);
        let name = provider.rsplit('/').next().unwrap_or(provider);
        let unpacked = provider_folder.join(version).join(platform.to_string());
        let packed = format!("terraform-provider-{name}_{version}_{platform}.zip");
        unpacked.is_dir() || provider_folder.join(packed).is_file()
    }

    /// The configuration is complete in itself: a person's file of credentials and the like is of
    /// no use to a root module with an S3 backend and public providers.
    fn write_configuration(&self, mirror: &Path, provider: &str) -> anyhow::Result<String> {
        create_folder(&self.folder)?;
        let file = self.folder.join("terraform.tfrc");
        let path = serde_json::to_string(&mirror.display().to_string())?;
        let name = serde_json::to_string(&format!("registry.terraform.io/{provider}"))?;
        let content = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path    = {path}\n    include = [{name}]\n  }}\n  \
             direct {{\n    exclude = [{name}]\n  }}\n}}\n"
        );
        if fs::read_to_string(&file).is_ok_and(|old| old == content) {
            return Ok(file.display().to_string());
        }
        let cannot = || format!("failed to write `{}`", file.display());
        let new = tempfile::NamedTempFile::new_in(&self.folder).with_context(cannot)?;
        fs::write(new.path(), content).with_context(cannot)?;
        new.persist(&file).with_context(cannot)?;
        Ok(file.display().to_string())
    }
}

/// Whether a Terraform CLI configuration, in either of its notations, sets `name`.
fn has_setting(configuration: &str, name: &str) -> bool {
    let lines = configuration.lines().map(str::trim_start);
    let is_set = |line: &str| {
        let rest = line.strip_prefix(name).or_else(|| line.strip_prefix(&format!("\"{name}\"")));
        rest.is_some_and(|rest| rest.trim_start().starts_with(['{', '=', ':']))
    };
    lines.into_iter().any(|line| is_set(line.trim_start_matches('{').trim_start()))
}
