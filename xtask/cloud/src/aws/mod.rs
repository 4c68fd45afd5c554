//! AWS: who we are, parameters, the state bucket, what is left, the login to a cluster.

mod bucket;
mod cloud;
mod databases;
mod departing;
mod eks;
mod eks_token;
mod error;
mod guests;
mod identity;
mod keys;
mod log_groups;
mod network;
mod parameters;
mod possessions;
mod recreation;
mod s3;
mod signed;
mod tagging;
mod usage;

pub use bucket::{BucketReport, Encryption};
pub use cloud::{Cloud, CloudConfig};
pub use eks_token::ExecCredential;
pub use error::NoCredentials;
pub use guests::Guests;
pub use identity::Identity;
pub use keys::Key;
pub use network::RouteTable;
pub use parameters::{Parameter, ParameterDescription, ParameterVersion, Written};
pub use possessions::{Possession, Thing};
pub use recreation::Recreation;
pub use tagging::Leftover;
