//! Which cluster a tear-down has to empty first, told from Terraform's state and not from the journal,
//! which still names the cluster after a tear-down that broke off.

use xtask_cloud::{Cluster, Leftover};
use xtask_pipeline::StepRun;

use super::Context;
use crate::{
    config::PROJECT,
    exit::Exit,
    terraform::{Infrastructure, holds_type},
    watch::Watch,
};

impl Context {
    /// The cluster, or nothing when there is none (any more): tear-down runs from any state.
    ///
    /// # Errors
    /// When there is one that cannot be reached: going on without it would leave its load balancer
    /// behind, and with it the network.
    pub(crate) fn cluster_if_any(&self, run: &StepRun<'_>) -> anyhow::Result<Option<Cluster>> {
        let found = self.infrastructure_if_any(run)?;
        // Nothing that Pods print is shown, and the key of the stored secrets may be gone already.
        found.map(|infrastructure| self.connect(&infrastructure)).transpose()
    }

    /// What carries the project's and the environment's tags, as AWS lists it: some of it may be
    /// deleted already.
    pub(crate) fn tagged(&self) -> anyhow::Result<Vec<Leftover>> {
        let tagged = self.cloud()?.tagged_resources("Environment", &self.environment.name)?;
        Ok(tagged.into_iter().filter(is_ours).collect())
    }

    pub(super) fn infrastructure_if_any(
        &self,
        run: &StepRun<'_>,
    ) -> anyhow::Result<Option<Infrastructure>> {
        if let Some(found) = self.found.get() {
            return Ok(found.clone());
        }
        let found = match self.ask_terraform(run)? {
            Some(infrastructure) if self.answers(&infrastructure)? => Some(infrastructure),
            _ => None,
        };
        Ok(self.found.get_or_init(|| found).clone())
    }

    /// Asking takes seconds, and every release of a tear-down wants to know.
    fn ask_terraform(&self, run: &StepRun<'_>) -> anyhow::Result<Option<Infrastructure>> {
        let (terraform, watch) = (self.terraform()?, Watch::of(run));
        if !self.cloud()?.bucket_exists(&self.environment.state_bucket())? {
            return Ok(None);
        }
        terraform.init(&watch)?;
        terraform.select_workspace(&watch)?;
        if !holds_type(&terraform.addresses(&watch)?, "aws_eks_cluster") {
            return Ok(None);
        }
        Infrastructure::of_cluster(&terraform.output(&watch)?)
    }

    /// Whether the cluster answers; false when EKS has none of its name.
    fn answers(&self, infrastructure: &Infrastructure) -> anyhow::Result<bool> {
        let Err(unreachable) = self.connect(infrastructure)?.version() else { return Ok(true) };
        let name = &infrastructure.cluster_name;
        let (whose, exists) = match &self.cluster_context {
            // Somebody else's: nobody can be asked but the cluster itself.
            Some(context) => (format!("the cluster of context `{context}`"), Ok(true)),
            None => (format!("cluster `{name}`"), self.cloud()?.cluster_exists(name)),
        };
        let again = self.command_line("destroy");
        silent(exists, &whose, &self.environment.name, &again, &unreachable).map(|()| false)
    }
}

/// A cluster that does not answer is no obstacle only when it does not exist.
fn silent(
    exists: anyhow::Result<bool>,
    whose: &str,
    environment: &str,
    again: &str,
    unreachable: &anyhow::Error,
) -> anyhow::Result<()> {
    let unsure = match exists {
        Ok(false) => return Ok(()),
        Ok(true) => String::new(),
        Err(error) => format!(", and whether it exists is not known ({error:#})"),
    };
    Err(Exit::StageFailed.error(format!(
        "{whose} cannot be reached ({unreachable:#}){unsure}, so its load balancer could not be removed and the \
         network could not be destroyed after it: reach it (your login, the network, `cluster.public_access_cidrs` in \
         terraform/environments/{environment}.tfvars), or delete it by hand with its load balancers and volumes when \
         it is beyond repair, and run `{again}` again"
    )))
}

/// Others in the same account have a `dev`, too.
fn is_ours(resource: &Leftover) -> bool {
    resource.tags.get("Project").is_some_and(|project| project == PROJECT)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use xtask_cloud::Leftover;

    use super::{is_ours, silent};
    use crate::exit::Exit;

    fn told(exists: anyhow::Result<bool>) -> Option<String> {
        let again = "cargo xtask destroy dev";
        let ended = silent(exists, "cluster `supabase-dev`", "dev", again, &anyhow!("timed out"));
        ended.err().map(|error| {
            assert_eq!(Exit::of(&error), Exit::StageFailed);
            error.to_string()
        })
    }

    #[test]
    fn a_cluster_that_eks_does_not_know_is_none() {
        assert_eq!(told(Ok(false)), None);
    }

    #[test]
    fn a_cluster_that_exists_and_is_silent_stops_the_tear_down() {
        let text = told(Ok(true)).unwrap();
        for part in ["timed out", "load balancer", "public_access_cidrs", "destroy dev` again"] {
            assert!(text.contains(part), "`{part}` is not said: {text}");
        }
    }

    #[test]
    fn not_knowing_is_not_a_no() {
        let text = told(Err(anyhow!("not allowed to call eks:DescribeCluster"))).unwrap();
        assert!(text.contains("not allowed to call eks:DescribeCluster"), "{text}");
    }

    #[test]
    fn what_others_have_in_an_environment_of_this_name_is_not_ours() {
        let tagged = |tags: &[(&str, &str)]| Leftover {
            arn: "arn:aws:ec2:eu-west-1:123456789012:volume/vol-1".to_owned(),
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        assert!(is_ours(&tagged(&[("Environment", "dev"), ("Project", "supabase")])));
        assert!(!is_ours(&tagged(&[("Environment", "dev"), ("Project", "shop")])));
        assert!(!is_ours(&tagged(&[("Environment", "dev")])));
    }
}
