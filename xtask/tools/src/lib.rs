//! Other programs: the process wrapper, the redactor, and the pinned tools with their installer.
//!
//! Architecture invariant: this package opens no socket. Who wants a tool downloaded hands in a
//! [`Download`].

mod cargo;
mod download;
mod interrupt;
mod nearest;
mod process;
mod redact;
mod secret;
mod toolbox;

pub use download::{Download, NoDownload};
pub use interrupt::Interrupt;
pub use nearest::{did_you_mean, nearest};
pub use process::{
    Cause, Command, CommandFailure, Daemon, Finished, Line, ProcessIdentity, Processes, Stream,
    place_for_output,
};
pub use redact::{RedactingWriter, Redactor, SHORTEST_SECRET};
pub use secret::{REDACTED, Secret};
pub use toolbox::{
    Archive, Finding, FindingVerdict, Found, Origin, Platform, ProviderInstallation, Shape, Source,
    Surroundings, TOOLS, Tool, Toolbox, Wheel, tool,
};
