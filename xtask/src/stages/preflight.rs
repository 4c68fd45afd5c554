//! Everything that can be known to be wrong before anything is written, all at once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Zoned;
use xtask_pipeline::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Undo};

use crate::{
    account, addons,
    config::{self, Environment, Support},
    context::Context,
    exit::Exit,
    stages::readiness,
};

/// See the module.
pub(super) struct Preflight;

impl Stage<Context> for Preflight {
    fn name(&self) -> &'static str {
        "preflight"
    }

    fn purpose(&self) -> &'static str {
        "the account, the region, the tools and the files are the ones that are meant"
    }

    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn undo(&self) -> Undo {
        Undo::Nothing
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(5 * 60)
    }

    fn plan(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        let problems = Problems::default();
        let mut steps: Vec<Step<Context>> = CHECKS
            .iter()
            .map(|check| {
                Step::new(
                    check.id,
                    check.title,
                    Effect::Read,
                    Checking { check, problems: problems.clone() },
                )
            })
            .collect();
        steps.push(Step::new(
            "verdict",
            "stop here if anything is wrong",
            Effect::Read,
            Verdict { problems },
        ));
        Ok(steps)
    }

    fn tear_down(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(Vec::new())
    }
}

struct Check {
    id: &'static str,
    title: &'static str,
    /// The exit code that its problems end the run with, unless an error has one of its own.
    exit: Exit,
    /// Returns problems, each one sentence with its remedy, and warnings by the run's notes.
    find: fn(&Context, &StepRun<'_>) -> anyhow::Result<Vec<String>>,
}

/// What needs neither tools nor credentials comes first.
static CHECKS: [Check; 10] = [
    Check {
        id: "placeholders",
        title: "look for values that were never filled in",
        exit: Exit::BadInput,
        find: |context, run| Ok(unless_shipped(context, run, readiness::placeholders)),
    },
    Check {
        id: "cluster",
        title: "make sure that somebody reaches the Kubernetes API",
        exit: Exit::BadInput,
        find: cluster,
    },
    Check {
        id: "mail",
        title: "make sure that users can confirm their address",
        exit: Exit::BadInput,
        find: |context, run| Ok(unless_shipped(context, run, readiness::mail)),
    },
    Check {
        id: "sign-up",
        title: "make sure that it is decided who may make an account",
        exit: Exit::BadInput,
        find: |context, run| Ok(unless_shipped(context, run, readiness::sign_up)),
    },
    Check {
        id: "address",
        title: "make sure that production has a name and TLS",
        exit: Exit::BadInput,
        find: address,
    },
    Check {
        id: "versions",
        title: "look up until when AWS supports the versions",
        exit: Exit::BadInput,
        find: versions,
    },
    Check {
        id: "tools",
        title: "find or install terraform and helm",
        exit: Exit::Missing,
        find: tools,
    },
    Check {
        id: "variables",
        title: "ask Terraform whether it takes the variables' values",
        exit: Exit::BadInput,
        find: variables,
    },
    Check {
        id: "charts",
        title: "render the charts with this environment's overlay",
        exit: Exit::BadInput,
        find: charts,
    },
    Check {
        id: "identity",
        title: "compare the AWS identity with the environment's account",
        exit: Exit::Refused,
        find: identity,
    },
];

/// Found by the checks, told by the verdict, so that a person sees all of them at once.
#[derive(Clone, Default)]
struct Problems(Arc<Mutex<Vec<(Exit, String)>>>);

impl Problems {
    /// Several checks may meet the same one, such as credentials that do not work: it is told once.
    fn add(&self, exit: Exit, problems: Vec<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for problem in problems {
            if known.iter().all(|(_, text)| *text != problem) {
                known.push((exit, problem));
            }
        }
    }

    fn take(&self) -> Vec<(Exit, String)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Checking {
    check: &'static Check,
    problems: Problems,
}

impl Action<Context> for Checking {
    fn preview(&self) -> Preview {
        Preview::Check(self.check.title.to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let (exit, problems) = match (self.check.find)(context, run) {
            Ok(problems) => (self.check.exit, problems),
            Err(error) => {
                let own = Exit::of(&error);
                let exit = if own == Exit::Failed { self.check.exit } else { own };
                (exit, vec![format!("{error:#}")])
            }
        };
        let count = problems.len();
        self.problems.add(exit, problems);
        Ok(match count {
            0 => Outcome::Unchanged("fine".to_owned()),
            1 => Outcome::Problem("1 problem".to_owned()),
            _ => Outcome::Problem(format!("{count} problems")),
        })
    }
}

struct Verdict {
    problems: Problems,
}

impl Action<Context> for Verdict {
    fn preview(&self) -> Preview {
        Preview::Check("fail once, with every problem and its remedy".to_owned())
    }

    fn run(&self, _: &Context, _: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let problems = self.problems.take();
        if problems.is_empty() {
            return Ok(Outcome::Unchanged("nothing is in the way".to_owned()));
        }
        let list: Vec<String> = problems.iter().map(|(_, text)| format!("  - {text}")).collect();
        let exit = Exit::worst(problems.iter().map(|(exit, _)| *exit));
        Err(exit.error(format!("nothing was started, because of:\n{}", list.join("\n"))))
    }
}

fn tools(context: &Context, run: &StepRun<'_>) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for (name, found) in
        [("terraform", context.terraform().err()), ("helm", context.helm_binary().err())]
    {
        if let Some(error) = found {
            problems.push(format!("{name}: {error:#}"));
        }
        run.progress(name);
    }
    Ok(problems)
}

fn identity(context: &Context, run: &StepRun<'_>) -> anyhow::Result<Vec<String>> {
    let identity = context.identity()?;
    run.note(&format!("{} in {}", identity.arn, context.environment.region));
    Ok(account::mismatch(&context.environment, identity).into_iter().collect())
}

/// What is wrong with an environment, where the values that this repository ships would not do.
fn unless_shipped(
    context: &Context,
    run: &StepRun<'_>,
    find: fn(&Environment) -> Vec<String>,
) -> Vec<String> {
    let found = find(&context.environment);
    if found.is_empty() || !context.platform.takes_shipped_values() {
        return found;
    }
    let count = found.len();
    let values = if count == 1 { "1 value is" } else { &format!("{count} values are") };
    run.note(&format!(
        "{values} fine here and refused on AWS; `cargo xtask stage preflight {}` says which",
        context.environment.name
    ));
    Vec::new()
}

fn cluster(context: &Context, run: &StepRun<'_>) -> anyhow::Result<Vec<String>> {
    // Whoever names a cluster reaches it.
    Ok(if context.cluster_context.is_some() {
        Vec::new()
    } else {
        unless_shipped(context, run, readiness::cluster)
    })
}

fn address(context: &Context, _: &StepRun<'_>) -> anyhow::Result<Vec<String>> {
    let environment = &context.environment;
    if environment.is_production() && environment.domain.is_none() {
        return Ok(vec![format!(
            "{}: `domain` is not set; production needs a hosted zone for its certificate",
            environment.vars.place_of(&["domain"])
        )]);
    }
    Ok(Vec::new())
}

fn versions(context: &Context, run: &StepRun<'_>) -> anyhow::Result<Vec<String>> {
    let today = Zoned::now().date();
    let environment = &context.environment;
    let rows = [
        (
            "kubernetes_version",
            &environment.kubernetes_version,
            config::kubernetes_support(&environment.kubernetes_version, today),
        ),
        (
            "postgres_version",
            &environment.postgres_version,
            config::postgres_support(&environment.postgres_version, today),
        ),
    ];
    let mut problems = Vec::new();
    for (key, version, support) in rows {
        let place = environment.vars.place_of(&[key]);
        match support {
            Support::Supported { .. } => {}
            Support::EndsSoon { until, days } => {
                run.note(&format!("warning: AWS ends standard support of {key} {version} in {days} days, on {until}"));
            }
            Support::Ended { since } => problems.push(format!(
                "{place}: `{key}` {version}: AWS ended standard support on {since}; choose a newer version"
            )),
            Support::Unknown => problems.push(format!(
                "{place}: `{key}` {version} is not in the support table; choose a listed version"
            )),
        }
    }
    Ok(problems)
}

fn variables(context: &Context, _: &StepRun<'_>) -> anyhow::Result<Vec<String>> {
    context.values_refused_by(&crate::terraform::module(&context.root), &context.environment.vars)
}

fn charts(context: &Context, run: &StepRun<'_>) -> anyhow::Result<Vec<String>> {
    let unpinned: Vec<_> = addons::table(&context.root)?
        .into_iter()
        .filter(|addon| addon.digest.is_none())
        .map(|addon| addon.name)
        .collect();
    if !unpinned.is_empty() {
        run.note(&format!(
            "warning: helm/addons/addons.yaml pins the version but not the archive of {}; stage addons tells the \
             digests that it finds",
            unpinned.join(", ")
        ));
    }
    run.progress("helm template");
    let values = super::release::sample_values(context);
    if let Err(error) = context.environment.overlay.refuse_overwritten(&values) {
        return Ok(vec![format!("{error:#}")]);
    }
    match context.helm()?.render(&super::release::chart(context, &values)?) {
        Ok(_) => Ok(Vec::new()),
        Err(error) => Ok(vec![context.locate_in_overlay(&error)]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, Problems};

    #[test]
    fn what_several_checks_meet_is_told_once() {
        let problems = Problems::default();
        let found = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        problems.add(Exit::Missing, found(&["no credentials"]));
        problems.add(Exit::Refused, found(&["no credentials", "wrong account"]));
        let told: Vec<_> = problems.take().into_iter().map(|(_, text)| text).collect();
        assert_eq!(told, ["no credentials", "wrong account"]);
    }
}
