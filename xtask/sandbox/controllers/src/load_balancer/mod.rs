//! Application load balancers: what the AWS Load Balancer Controller makes of Ingresses.

mod annotations;
mod attachments;
mod controller;
mod elbv2;
mod registry;

pub(crate) use annotations::{Protocol, Settings};
pub(crate) use controller::start;
pub use registry::LoadBalancers;
pub(crate) use registry::{LoadBalancer, Site};
