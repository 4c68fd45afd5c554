//! The world that stages act in: one environment on one platform, its tools and its clients.

mod stored_secrets;
mod tear_down;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::{Value, json};
use xtask_cloud::{
    Authorities, Cloud, CloudConfig, Cluster, Http, HttpConfig, Identity, KubeconfigEntry, Wait,
    write_kubeconfig,
};
use xtask_pipeline::{Outcome, StepRun};
use xtask_tools::{CommandFailure, Processes, Secret};

use crate::{
    account,
    config::{Environment, PROJECT, Vars},
    credentials,
    exit::Exit,
    helm::Helm,
    platform::Platform,
    terraform::{Backend, Infrastructure, Ownership, Terraform, refused_values},
    toolbox::Toolbox,
};

/// The namespace of everything that is ours.
pub(crate) const NAMESPACE: &str = "supabase";

/// The namespace as whoever makes it has to label it: a Pod counts as ready once the load balancer
/// sends it requests, so that a rollout does not end the last old Pod before.
pub(crate) fn namespace() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": {"elbv2.k8s.aws/pod-readiness-gate-inject": "enabled"},
        },
    })
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Context {
    /// The repository.
    pub(crate) root: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) platform: Platform,
    pub(crate) processes: Processes,
    pub(crate) toolbox: Toolbox,
    /// A kubeconfig context that takes the place of the cluster Terraform makes.
    pub(crate) cluster_context: Option<String>,
    /// Protected addresses that may be destroyed in this run.
    pub(crate) allow_destroy: Vec<String>,
    /// The plan that was reviewed and is to be applied as it is.
    pub(crate) reviewed_plan: Option<PathBuf>,
    /// What the database's certificate is verified with; see `authorities`.
    pub(crate) authorities: OnceLock<Authorities>,
    cloud: OnceLock<Cloud>,
    identity: OnceLock<Identity>,
    /// Set once the stored secrets are known to the redactor.
    hidden: OnceLock<()>,
    secrets: OnceLock<BTreeMap<String, Secret>>,
    /// What a tear-down found; Terraform's own part of it comes last, so it holds until then.
    found: OnceLock<Option<Infrastructure>>,
}

impl Context {
    pub(crate) fn new(
        root: PathBuf,
        environment: Environment,
        platform: Platform,
        processes: Processes,
        toolbox: Toolbox,
        cluster_context: Option<String>,
    ) -> Self {
        Self {
            root,
            environment,
            platform,
            processes,
            toolbox,
            cluster_context,
            allow_destroy: Vec::new(),
            reviewed_plan: None,
            authorities: OnceLock::new(),
            cloud: OnceLock::new(),
            identity: OnceLock::new(),
            hidden: OnceLock::new(),
            secrets: OnceLock::new(),
            found: OnceLock::new(),
        }
    }

    /// What a person types to run `verb` on this environment and this platform.
    pub(crate) fn command_line(&self, verb: &str) -> String {
        let (command, target) = self.command_around(verb);
        format!("{command} {target}")
    }

    /// The same in two parts: before and from the name of the environment.
    fn command_around(&self, verb: &str) -> (String, String) {
        let cluster = self.cluster_context.as_ref().map(|name| format!(" --cluster {name}"));
        let target = format!(
            "{}{}{}",
            self.environment.name,
            self.platform.flags(),
            cluster.unwrap_or_default()
        );
        (format!("cargo xtask {verb}"), target)
    }

    /// What was allowed and reviewed in this run, as the flags that say so again.
    pub(crate) fn guard_flags(&self) -> String {
        let mut flags: String = self
            .allow_destroy
            .iter()
            .map(|address| format!(" --allow-destroy '{address}'"))
            .collect();
        if let Some(plan) = &self.reviewed_plan {
            let _ = write!(flags, " --plan '{}'", plan.display());
        }
        flags
    }

    /// Stops a command that needs Terraform's state where there cannot be any yet.
    pub(crate) fn needs_state(&self) -> anyhow::Result<()> {
        let bucket = self.environment.state_bucket();
        if self.cloud()?.bucket_exists(&bucket)? {
            return Ok(());
        }
        Err(Exit::Missing.error(format!(
            "there is no state yet: bucket {bucket} does not exist; run `{}` or `{}` first",
            self.command_line("bootstrap"),
            self.command_line("deploy")
        )))
    }

    /// Journals, logs, generated values and the kubeconfig of this environment on this platform.
    pub(crate) fn folder(&self) -> PathBuf {
        self.platform.files.join(&self.environment.name)
    }

    /// Journals of all runs of this platform.
    pub(crate) fn runs(&self) -> PathBuf {
        self.folder().join("runs")
    }

    /// AWS, once it is certain that the credentials are for this environment's account: a stage, too,
    /// that runs by itself and without preflight.
    pub(crate) fn cloud(&self) -> anyhow::Result<&Cloud> {
        match account::mismatch(&self.environment, self.identity()?) {
            Some(mismatch) => Err(Exit::Refused.error(mismatch)),
            None => self.any_cloud(),
        }
    }

    /// Whose credentials these are; asked once a run.
    pub(crate) fn identity(&self) -> anyhow::Result<&Identity> {
        if let Some(identity) = self.identity.get() {
            return Ok(identity);
        }
        let identity = self.any_cloud()?.identity()?;
        Ok(self.identity.get_or_init(|| identity))
    }

    fn any_cloud(&self) -> anyhow::Result<&Cloud> {
        if let Some(cloud) = self.cloud.get() {
            return Ok(cloud);
        }
        let config =
            CloudConfig { region: self.environment.region.clone(), env: self.platform.env.clone() };
        let cloud = Cloud::new(config)?;
        Ok(self.cloud.get_or_init(|| cloud))
    }

    pub(crate) fn terraform(&self) -> anyhow::Result<Terraform> {
        let mut environment = self.children()?;
        environment.extend(self.toolbox.terraform_environment()?);
        Ok(Terraform {
            processes: self.processes.clone(),
            program: self.toolbox.find("terraform")?,
            module: crate::terraform::module(&self.root),
            var_file: self.environment.var_file.clone(),
            workspace: self.environment.name.clone(),
            backend: Backend {
                bucket: self.environment.state_bucket(),
                key: "supabase.tfstate".to_owned(),
                region: self.environment.region.clone(),
            },
            folder: self.folder(),
            work: self.folder(),
            environment,
            kept_keys: None,
            existing_log_groups: Vec::new(),
            mend: Some(self.command_around("state")),
        })
    }

    /// The same, for a plan of the whole environment: what outlived an earlier one is taken over.
    pub(crate) fn planning_terraform(&self) -> anyhow::Result<Terraform> {
        self.terraform()?.keeping_key(self.cloud()?, &self.environment.database_key_alias())
    }

    /// What tells this environment's resources from all others.
    pub(crate) fn ownership(&self) -> Ownership {
        Ownership { project: PROJECT.to_owned(), environment: self.environment.name.clone() }
    }

    pub(crate) fn helm_binary(&self) -> anyhow::Result<PathBuf> {
        self.toolbox.find("helm")
    }

    pub(crate) fn helm(&self) -> anyhow::Result<Helm> {
        let mut environment = self.children()?;
        // Helm's own folders stay in here: what a person has configured must not change a release.
        for (name, folder) in [
            ("HELM_CACHE_HOME", "cache"),
            ("HELM_CONFIG_HOME", "config"),
            ("HELM_DATA_HOME", "data"),
        ] {
            let path = self.folder().join("helm").join(folder);
            environment.insert(name.to_owned(), path.display().to_string());
        }
        match &self.cluster_context {
            Some(context) => environment.insert("HELM_KUBECONTEXT".to_owned(), context.clone()),
            None => {
                environment.insert("KUBECONFIG".to_owned(), self.kubeconfig().display().to_string())
            }
        };
        Ok(Helm {
            processes: self.processes.clone(),
            program: self.helm_binary()?,
            environment,
            logs: self.folder().join("logs"),
        })
    }

    /// What every child process is given on top of our own environment.
    ///
    /// # Errors
    /// When what AWS is reached with cannot be read or written.
    pub(crate) fn children(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut environment = self.platform.env.clone();
        environment.extend(credentials::for_children(self.any_cloud()?, &self.folder())?);
        environment.insert("AWS_REGION".to_owned(), self.environment.region.clone());
        environment.insert("AWS_DEFAULT_REGION".to_owned(), self.environment.region.clone());
        Ok(environment)
    }

    /// The cluster. What its Pods print goes to people and into logs, so that the stored secrets are
    /// hidden first: the stage that made them may have been another process.
    pub(crate) fn cluster(&self, infrastructure: &Infrastructure) -> anyhow::Result<Cluster> {
        self.hide_stored_secrets()?;
        self.connect(infrastructure)
    }

    fn connect(&self, infrastructure: &Infrastructure) -> anyhow::Result<Cluster> {
        match &self.cluster_context {
            Some(context) => Cluster::from_context(None, context),
            None => Cluster::connect(
                &infrastructure.cluster_endpoint,
                &infrastructure.cluster_certificate_authority,
                self.cloud()?,
                &infrastructure.cluster_name,
            ),
        }
    }

    pub(crate) fn uninstall(
        &self,
        run: &StepRun<'_>,
        release: &str,
        namespace: &str,
    ) -> anyhow::Result<Outcome> {
        let Some(cluster) = self.cluster_if_any(run)? else {
            return Ok(Outcome::Unchanged("there is no cluster".to_owned()));
        };
        if let Some(infrastructure) = self.infrastructure_if_any(run)? {
            self.write_kubeconfig(&infrastructure)?;
        }
        Ok(if self.helm()?.uninstall(run, &cluster, release, namespace)? {
            Outcome::Changed("uninstalled".to_owned())
        } else {
            Outcome::Unchanged("was not installed".to_owned())
        })
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder().join("kubeconfig")
    }

    pub(crate) fn write_kubeconfig(
        &self,
        infrastructure: &Infrastructure,
    ) -> anyhow::Result<PathBuf> {
        let path = self.kubeconfig();
        let program = std::env::current_exe().context("failed to find the runner's own binary")?;
        let entry = KubeconfigEntry {
            cluster: infrastructure.cluster_name.clone(),
            region: infrastructure.region.clone(),
            endpoint: infrastructure.cluster_endpoint.clone(),
            ca_base64: infrastructure.cluster_certificate_authority.clone(),
            program: program.display().to_string(),
            env: self.platform.env.clone(),
        };
        write_kubeconfig(&path, &entry)?;
        Ok(path)
    }

    pub(crate) fn http(&self) -> anyhow::Result<Http> {
        let read = |path: &PathBuf| {
            fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))
        };
        Http::new(HttpConfig {
            proxies: self.platform.proxies()?,
            extra_ca_pem: self.platform.extra_ca.as_ref().map(read).transpose()?,
            timeout: Duration::from_secs(30),
        })
    }

    /// Writes values for a chart; none of them is a secret.
    pub(crate) fn generated_values(&self, name: &str, values: &Value) -> anyhow::Result<PathBuf> {
        let folder = self.folder().join("values");
        fs::create_dir_all(&folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        let path = folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(values)?;
        fs::write(&path, text).with_context(|| format!("failed to write `{}`", path.display()))?;
        Ok(path)
    }

    /// What the validations of a module refuse, with file and line.
    pub(crate) fn values_refused_by(
        &self,
        module: &Path,
        vars: &Vars,
    ) -> anyhow::Result<Vec<String>> {
        // Of its own: a bootstrap may look at its module while a deployment looks at the root.
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        let work = self.folder().join("validations").join(format!("{name}-{}", std::process::id()));
        let refused = refused_values(
            &self.processes,
            &self.toolbox.find("terraform")?,
            module,
            &self.root.join(vars.shown()),
            &work,
        );
        // What is left of it hinders nobody.
        let _ = fs::remove_dir_all(&work);
        Ok(refused?
            .into_iter()
            .map(|refused| {
                let place = vars.place_in(&refused.why);
                let place = place.unwrap_or_else(|| format!("{}:{}", vars.shown(), refused.line));
                format!("{place}: {}", refused.why)
            })
            .collect())
    }

    /// What Helm says about a value of base or overlay, with the file and the line in front.
    pub(crate) fn locate_in_overlay(&self, error: &anyhow::Error) -> String {
        let overlay = &self.environment.overlay;
        let failure = error.downcast_ref::<CommandFailure>();
        let lines = failure.map(|failure| failure.tail.clone()).unwrap_or_default();
        let complaint = lines.iter().find_map(|line| complaint_of_chart(line));
        match complaint.and_then(|text| Some((overlay.place_in(text)?, text))) {
            Some((place, text)) => {
                format!("{place}: {text}; helm/supabase/values.yaml describes every value")
            }
            None => format!("the chart does not render with {}: {error:#}", overlay.shown()),
        }
    }
}

/// What a template says that refuses its values:
/// `execution error at (supabase/templates/x.yaml:1:2): kong.autoscaling: …`.
fn complaint_of_chart(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("execution error at (")?;
    rest.split_once("): ").map(|(_, complaint)| complaint.trim())
}

/// Waits on the terms of a step: its deadline, the person's interrupt, its progress line.
pub(crate) fn waiting<T>(
    run: &StepRun<'_>,
    action: impl FnOnce(&Wait<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    waiting_until(run, run.deadline, action)
}

/// The same with a deadline that may come sooner.
pub(crate) fn waiting_until<T>(
    run: &StepRun<'_>,
    deadline: Instant,
    action: impl FnOnce(&Wait<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = deadline.min(run.deadline);
    let interrupted = || run.interrupted();
    let progress = |message: &str| run.progress(message);
    action(&Wait::until(deadline, &interrupted, &progress))
}

#[cfg(test)]
mod tests {
    use super::{complaint_of_chart, namespace};

    /// The load balancer controller looks at the namespace when a Pod begins, and at nothing of ours.
    #[test]
    fn a_pod_is_ready_once_the_load_balancer_sends_to_it() {
        let labels = &namespace()["metadata"]["labels"];
        assert_eq!(labels["elbv2.k8s.aws/pod-readiness-gate-inject"], "enabled");
    }

    #[test]
    fn a_complaint_of_the_chart_is_found_in_what_helm_says() {
        assert_eq!(
            complaint_of_chart(
                "Error: execution error at (supabase/templates/kong/x.yaml:1:4): kong.autoscaling: minReplicas 5 is \
                 above maxReplicas 4"
            ),
            Some("kong.autoscaling: minReplicas 5 is above maxReplicas 4")
        );
        assert_eq!(complaint_of_chart("Error: values don't meet"), None);
    }
}
