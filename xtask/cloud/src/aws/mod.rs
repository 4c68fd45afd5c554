//! AWS: who we are, parameters, the state bucket, what is left, the login to a cluster.

mod bucket;
mod cloud;
mod databases;
mod departing;
mod eks;
mod eks_token;
mod error;
mod identity;
mod keys;
mod parameters;
mod s3;
mod signed;
mod tagging;

pub use bucket::{BucketReport, Encryption};
pub use cloud::{Cloud, CloudConfig};
pub use eks_token::ExecCredential;
pub use error::NoCredentials;
pub use identity::Identity;
pub use keys::Key;
pub use parameters::{Parameter, ParameterDescription, Written};
pub use tagging::Leftover;
