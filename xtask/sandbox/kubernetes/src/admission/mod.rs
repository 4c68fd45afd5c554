//! What a real server does to an object between decoding and storing it: defaults, what it fills in
//! or keeps from the old object, and validation.

mod cluster_ip;
mod custom;
mod defaults;
mod names;
mod pod;
mod prepare;
mod storage;
mod validate;
mod workloads;

pub(crate) use custom::accept as accept_definition;
pub(crate) use defaults::apply as apply_defaults;
pub(crate) use names::check_metadata;
pub(crate) use prepare::{
    DEFINITION_CLEANUP, empty_object, is_held, prepare_create, prepare_update,
};
pub(crate) use storage::CLAIM_PROTECTION;
pub(crate) use validate::{validate_create, validate_update};
