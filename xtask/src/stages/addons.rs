//! The third-party controllers that our release depends on, from one pinned table.

use std::time::Duration;

use serde_json::json;
use xtask_pipeline::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Undo};

use crate::{
    addons::{Addon, table},
    config::PROJECT,
    context::Context,
    helm::{self, Install},
    terraform::Infrastructure,
};

/// How long Helm waits for one add-on to work.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// See the module.
pub(super) struct Addons;

impl Stage<Context> for Addons {
    fn name(&self) -> &'static str {
        "addons"
    }

    fn purpose(&self) -> &'static str {
        "the controllers for secrets, load balancers and nodes run in the cluster"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["infrastructure"]
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn undo(&self) -> Undo {
        Undo::TearDown
    }

    fn deadline(&self) -> Duration {
        // The rest is what the other add-ons take.
        helm::time_for(TIMEOUT) + Duration::from_secs(9 * 60)
    }

    fn plan(&self, context: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        let mut steps = vec![Step::new(
            "kubeconfig",
            "write the cluster's kubeconfig",
            Effect::Read,
            Kubeconfig,
        )];
        for addon in table(&context.root)? {
            let title = format!("install {} {}", addon.name, addon.version);
            let id = addon.name.clone();
            steps.push(Step::new(&id, &title, Effect::Write, InstallAddon { addon }));
        }
        Ok(steps)
    }

    fn tear_down(&self, context: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        let uninstall = |addon: Addon| {
            let title = format!("uninstall {}", addon.name);
            let id = addon.name.clone();
            Step::new(&id, &title, Effect::Destructive, UninstallAddon { addon })
        };
        Ok(table(&context.root)?.into_iter().rev().map(uninstall).collect())
    }
}

struct Kubeconfig;

impl Action<Context> for Kubeconfig {
    fn preview(&self) -> Preview {
        Preview::Check("write a kubeconfig whose login is `xtask eks-token`".to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let path = context.write_kubeconfig(&run.output::<Infrastructure>()?)?;
        Ok(Outcome::Unchanged(format!("export KUBECONFIG={}", path.display())))
    }
}

struct InstallAddon {
    addon: Addon,
}

impl Action<Context> for InstallAddon {
    fn preview(&self) -> Preview {
        let Addon { release, chart, version, namespace, repository, .. } = &self.addon;
        Preview::Command(format!(
            "helm upgrade --install {release} {chart} --repo {repository} --version {version} \
             --namespace {namespace} --wait"
        ))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let infrastructure = run.output::<Infrastructure>()?;
        let install = self.install(context, &infrastructure)?;
        Ok(context.helm()?.install(context, run, &infrastructure, &install)?.into())
    }
}

impl InstallAddon {
    fn install(
        &self,
        context: &Context,
        infrastructure: &Infrastructure,
    ) -> anyhow::Result<Install> {
        let addon = &self.addon;
        let mut values = addon.generated(infrastructure)?;
        for (pointer, repository) in
            addon.cached_images(&context.environment.overlay.image_registries())
        {
            set(&mut values, &pointer, repository);
        }
        let generated = context.generated_values(&addon.name, &values)?;
        Ok(Install {
            release: addon.release.clone(),
            namespace: addon.namespace.clone(),
            chart: addon.source(&context.platform),
            values: vec![context.root.join("helm/addons").join(&addon.values_file), generated],
            timeout: TIMEOUT,
            wait: true,
        })
    }
}

/// Sets the value at a JSON pointer; what leads there is made.
fn set(values: &mut serde_json::Value, pointer: &str, text: String) {
    let keys = pointer.split('/').skip(1);
    *keys.fold(values, |place, key| &mut place[key]) = text.into();
}

struct UninstallAddon {
    addon: Addon,
}

impl Action<Context> for UninstallAddon {
    fn preview(&self) -> Preview {
        Preview::Command(format!(
            "helm uninstall {} --namespace {} --wait",
            self.addon.release, self.addon.namespace
        ))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        context.uninstall(run, &self.addon.release, &self.addon.namespace)
    }
}

impl Addon {
    /// What only Terraform knows: the cluster's name, the network, the controller's role.
    fn generated(&self, infrastructure: &Infrastructure) -> anyhow::Result<serde_json::Value> {
        let annotations = |purpose: &str| -> anyhow::Result<serde_json::Value> {
            Ok(json!({"eks.amazonaws.com/role-arn": infrastructure.role(purpose)?}))
        };
        Ok(match self.name.as_str() {
            "aws-load-balancer-controller" => json!({
                "clusterName": infrastructure.cluster_name,
                "region": infrastructure.region,
                "vpcId": infrastructure.vpc_id,
                "serviceAccount": {"annotations": annotations("load_balancer_controller")?},
                "defaultTags": {"Project": PROJECT, "Environment": infrastructure.environment},
            }),
            "cluster-autoscaler" => json!({
                "awsRegion": infrastructure.region,
                "autoDiscovery": {"clusterName": infrastructure.cluster_name},
                "image": {"tag": self.image_tag_for(&infrastructure.cluster_version)?},
                "rbac": {"serviceAccount": {"annotations": annotations("cluster_autoscaler")?}},
            }),
            _ => json!({}),
        })
    }
}
