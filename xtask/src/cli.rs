//! The whole command line and nothing else: reading this file is knowing the tool.

use std::path::PathBuf;

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue},
};
use xtask_tools::nearest;

/// Run Supabase in your own AWS account: Terraform, Helm and every check around them.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
#[command(after_help = "\
Examples:
  cargo xtask deploy dev --sandbox    everything, on this machine, without a cloud account
  cargo xtask doctor                  what is installed, what is missing, and the remedy
  cargo xtask deploy prod --dry-run   what a deployment would do, as a list of steps
  cargo xtask drift prod              has anybody changed something by hand?

Exit codes: 0 done, 1 failed, 2 drift or changes found, 3 bad input, 4 refused by a guard,
5 tool or credential missing, 6 a row of the yardstick is not met, 10 a stage failed,
11 smoke test failed, 64 usage, 130 interrupted.")]
pub(crate) struct Cli {
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take an environment from nothing, or from whatever it is, to a Supabase that answers.
    Deploy(Deploy),
    /// Run one stage of a deployment, as the workflows do.
    Stage(StageRun),
    /// Show what Terraform would change, as a digest for people.
    Plan(Plan),
    /// Look for changes that nobody made through this repository; exit code 2 when there are any.
    Drift(Drift),
    /// Take an environment down to nothing, in the reverse order of the stages.
    Destroy(Destroy),
    /// Show how the last run of an environment went.
    Status(Status),
    /// Mend Terraform's state: take a dead run's lock away, adopt what AWS has, put a state back.
    State(State),
    /// Store the secrets that only a person can give, rotate generated ones, list all.
    Secrets(Secrets),
    /// Prepare an AWS account once: state bucket, GitHub roles.
    Bootstrap(Bootstrap),
    /// List every tool and credential with its version, a verdict and the remedy.
    Doctor(Doctor),
    /// Start, stop and look at the local stand-ins for AWS and Kubernetes.
    Sandbox(Sandbox),
    /// Run every check of this repository, the fast ones first, up to the end-to-end run.
    Test(Test),
    /// Measure the Terraform code against the table of requirements, row by row.
    Yardstick(Yardstick),
    /// Format the Rust and the Terraform code.
    Fmt,
    /// Measure the figures this project promises and print them as a table.
    Bench(Bench),
    /// Print a login token for an EKS cluster (kubectl and helm call this).
    #[command(hide = true)]
    EksToken(EksToken),
    /// Print the credentials of this run (Terraform calls this).
    #[command(hide = true)]
    AwsCredentials(AwsCredentials),
}

/// Where a command works.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// The environment: a file in terraform/environments.
    pub(crate) environment: String,

    /// Work against local stand-ins for AWS and Kubernetes; they are started when needed.
    #[arg(long)]
    pub(crate) sandbox: bool,

    /// Use this kubeconfig context as the cluster instead of the one that Terraform makes.
    #[arg(long, value_name = "CONTEXT")]
    pub(crate) cluster: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Print the steps and end; nothing is started and no account is needed.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Go on where the last unfinished run of this environment stopped.
    #[arg(long, conflicts_with_all = ["from", "to", "only", "skip"])]
    pub(crate) resume: bool,

    #[command(flatten)]
    pub(crate) guard: Guard,
}

/// Which stages run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Selection {
    /// Start with this stage; earlier ones are taken as done.
    #[arg(long, value_name = "STAGE")]
    pub(crate) from: Option<String>,
    /// End after this stage.
    #[arg(long, value_name = "STAGE")]
    pub(crate) to: Option<String>,
    /// Run only these stages.
    #[arg(long, value_name = "STAGE", value_delimiter = ',', conflicts_with_all = ["from", "to"])]
    pub(crate) only: Vec<String>,
    /// Leave these stages out.
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
}

/// What a person has to name before something that holds data may go.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Guard {
    /// Allow Terraform to delete or replace this protected resource (may be repeated).
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) allow_destroy: Vec<String>,
    /// Apply this plan, as it was reviewed, instead of a new one.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StageRun {
    /// The stage's name; `cargo xtask deploy <env> --dry-run` lists them.
    pub(crate) stage: String,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Print the steps and end.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) guard: Guard,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Keep the plan in this file, for `stage infrastructure --plan`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write or update a comment on this pull request.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) comment: Option<u64>,
    /// End with code 2 when there are changes.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Drift {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Open, update or close the environment's drift issue on GitHub.
    #[arg(long)]
    pub(crate) issue: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Destroy {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The environment's name once more, instead of typing it when asked.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) confirm: Option<String>,
    /// Print the steps and end.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Also append it to the GitHub job summary.
    #[arg(long)]
    pub(crate) summary: bool,
}

#[derive(Debug, Args)]
pub(crate) struct State {
    #[command(subcommand)]
    pub(crate) command: StateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Take away a lock that a dead run left; whoever still works under it loses its work.
    Unlock {
        #[command(flatten)]
        target: Target,
        /// The lock's id, as the message that names the holder has it.
        id: String,
    },
    /// Take something that AWS has already under the address that the code gives it.
    Adopt {
        #[command(flatten)]
        target: Target,
        /// The address: 'aws_ssm_parameter.this["x"]'.
        address: String,
        /// What AWS calls it: a name, an id or an ARN, as the provider's documentation says.
        id: String,
    },
    /// Put back a state that could not be saved when it was made.
    Push {
        #[command(flatten)]
        target: Target,
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Secrets {
    #[command(subcommand)]
    pub(crate) command: SecretsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Store a value, read from standard input so that it never stands in a shell's history.
    Set {
        #[command(flatten)]
        target: Target,
        /// The secret's path, such as `smtp/password`.
        path: String,
    },
    /// Make a generated secret anew; the next deployment brings it to whatever uses it.
    Rotate {
        #[command(flatten)]
        target: Target,
        /// The secret's path, such as `jwt/secret`.
        path: String,
    },
    /// List the secrets of an environment and whether they are stored; never their values.
    List {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Bootstrap {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Print the steps and end.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Check the credentials of this environment's account too.
    pub(crate) environment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// `up`, `down`, `status` or `fault …`, passed on to the sandbox's own binary.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Run only these checks.
    #[arg(long, value_delimiter = ',', value_name = "CHECK")]
    pub(crate) only: Vec<String>,
    /// Leave these checks out.
    #[arg(long, value_delimiter = ',', value_name = "CHECK")]
    pub(crate) skip: Vec<String>,
    /// List the checks and end.
    #[arg(long)]
    pub(crate) list: bool,
    /// Run the slow checks even when a fast one failed.
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Run no two checks side by side.
    #[arg(long)]
    pub(crate) one_at_a_time: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Yardstick {
    /// The environment to measure, or `all`.
    #[arg(default_value = "all")]
    pub(crate) environment: String,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Measure only these figures.
    #[arg(long, value_delimiter = ',', value_name = "FIGURE")]
    pub(crate) only: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EksToken {
    #[arg(long)]
    pub(crate) cluster: String,
    #[arg(long)]
    pub(crate) region: String,
}

#[derive(Debug, Args)]
pub(crate) struct AwsCredentials {
    #[arg(long)]
    pub(crate) region: String,
}

/// A typing error is never answered with a verb that destroys while another one is meant as likely.
pub(crate) fn without_danger(mut error: clap::Error) -> clap::Error {
    let typed = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(typed)) => typed.clone(),
        _ => return error,
    };
    if let Some(ContextValue::Strings(names)) = error.get(ContextKind::SuggestedSubcommand).cloned()
    {
        let destroys = nearest(&typed, &names) == Some("destroy");
        let kept = names.into_iter().filter(|name| (name == "destroy") == destroys).collect();
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(kept));
    }
    error
}

/// Where the repository starts: the folder of the workspace's Cargo.toml.
pub(crate) fn repository() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let built_from = manifest.parent().map(PathBuf::from).unwrap_or_default();
    // A prebuilt binary runs in another checkout than the one it was built in.
    std::env::current_dir()
        .ok()
        .and_then(|here| {
            here.ancestors()
                .find(|folder| folder.join("xtask/ARCHITECTURE.md").is_file())
                .map(PathBuf::from)
        })
        .unwrap_or(built_from)
}
