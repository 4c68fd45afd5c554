//! Others' things in our network that would keep it from being deleted: what GuardDuty's runtime
//! monitoring puts there by itself.

use xtask_cloud::Guests;
use xtask_pipeline::{Action, Outcome, Preview, StepRun};

use crate::{
    config::PROJECT,
    context::{Context, waiting},
    exit::Exit,
};

pub(super) struct Remove;

impl Action<Context> for Remove {
    fn preview(&self) -> Preview {
        Preview::Request(
            "ec2:DeleteVpcEndpoints, ec2:DeleteSecurityGroup for what is tagged GuardDutyManaged"
                .to_owned(),
        )
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let removed = remove(context, run)?;
        Ok(if removed.is_empty() {
            Outcome::Unchanged("there is nothing of it".to_owned())
        } else {
            Outcome::Changed(format!("removed {}", removed.join(", ")))
        })
    }
}

/// # Errors
/// Names what is there and the commands that delete it, where this identity may not.
pub(super) fn remove(context: &Context, run: &StepRun<'_>) -> anyhow::Result<Vec<String>> {
    let cloud = context.cloud()?;
    let environment = &context.environment;
    let guests = cloud.guests(&[("Project", PROJECT), ("Environment", &environment.name)])?;
    if guests.is_empty() {
        return Ok(Vec::new());
    }
    waiting(run, |wait| cloud.remove_guests(&guests, wait)).map_err(|error| {
        Exit::StageFailed.error(format!(
            "what GuardDuty put into the network keeps it from being deleted, and could not be removed ({error:#}): run {}, \
             then `{}` again",
            commands(&guests, &environment.region),
            context.command_line("destroy")
        ))
    })?;
    Ok([guests.endpoints, guests.security_groups].concat())
}

fn commands(guests: &Guests, region: &str) -> String {
    let endpoints = (!guests.endpoints.is_empty()).then(|| {
        let ids = guests.endpoints.join(" ");
        format!("`aws ec2 delete-vpc-endpoints --region {region} --vpc-endpoint-ids {ids}`")
    });
    let groups = guests.security_groups.iter().map(|group| {
        format!("`aws ec2 delete-security-group --region {region} --group-id {group}`")
    });
    endpoints.into_iter().chain(groups).collect::<Vec<_>>().join(" and, once it is gone, ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_name_everything_in_order() {
        let guests = Guests {
            endpoints: vec!["vpce-1".to_owned()],
            security_groups: vec!["sg-1".to_owned()],
        };
        let text = commands(&guests, "eu-west-1");
        let endpoint =
            text.find("delete-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids vpce-1");
        let group = text.find("delete-security-group --region eu-west-1 --group-id sg-1");
        assert!(endpoint.is_some() && endpoint < group, "{text}");
    }
}
