//! Parameters that get rid of their old versions: SSM deletes those only with the parameter.

use std::time::Duration;

use anyhow::{Result, ensure};
use xtask_tools::Secret;

use super::{Cloud, Written};
use crate::Wait;

/// A parameter that is deleted with all its versions and created again.
#[derive(Debug)]
pub struct Recreation {
    pub name: String,
    /// The parameter that holds the value while none of that name does: the way back after a crash.
    pub copy: String,
    pub value: Secret,
}

impl Cloud {
    /// Leaves each parameter with one version, under the key `key_id`. `rest`: how long the name of
    /// a deleted parameter is left alone.
    ///
    /// # Errors
    /// When SSM refuses or is not reached, the wait ends, or somebody else wrote one meanwhile; the
    /// copies are kept then.
    pub fn recreate_parameters(
        &self,
        all: &[Recreation],
        key_id: &str,
        rest: Duration,
        wait: &Wait<'_>,
    ) -> Result<()> {
        for one in all {
            self.overwrite_parameter(&one.copy, &one.value, Some(key_id))?;
        }
        self.delete_parameters(&all.iter().map(|one| one.name.clone()).collect::<Vec<_>>())?;
        wait.pause(rest, "SSM to give the names of deleted parameters back")?;
        for one in all {
            let written = self.put_parameter_if_absent(&one.name, &one.value, Some(key_id))?;
            ensure!(
                written != Written::Kept,
                "{} was written by somebody else meanwhile; its value before is in {}",
                one.name,
                one.copy
            );
        }
        self.delete_parameters(&all.iter().map(|one| one.copy.clone()).collect::<Vec<_>>())
    }
}
