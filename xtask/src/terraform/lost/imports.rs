//! A plan that takes things over: import blocks have to stand in the module, and their addresses can
//! be no variables, so that a copy of the module carries them.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde_json::json;

use super::Adoption;
use crate::terraform::Terraform;

/// Beside the module's own files; a plan holds its whole configuration, so that nothing reads the copy
/// once the plan is made.
const BLOCKS: &str = "interrupted.tf.json";

/// What no plan of an environment reads.
const LEFT_OUT: [&str; 4] = [".terraform", "bootstrap", "environments", "tests"];

impl Terraform {
    /// The same, with plans that take these over.
    pub(in crate::terraform) fn importing(&self, adoptions: &[Adoption]) -> anyhow::Result<Self> {
        if adoptions.is_empty() {
            return Ok(self.clone());
        }
        let folder = self.work.join("adopting");
        // Its name is the module's: errors then name files as they do elsewhere.
        let module = folder.join("terraform");
        let cannot = || format!("failed to copy `{}` for the imports", self.module.display());
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(cannot)?;
        }
        copy(&self.module, &module).with_context(cannot)?;
        fs::write(module.join(BLOCKS), blocks(adoptions)).with_context(cannot)?;
        Ok(Self { module, ..self.clone() })
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        let text = name.to_string_lossy();
        if path.is_dir() {
            if !LEFT_OUT.contains(&&*text) {
                copy(&path, &to.join(&name))?;
            }
        // A state that could not be saved may lie there.
        } else if !text.contains(".tfstate") {
            fs::copy(&path, to.join(&name))?;
        }
    }
    Ok(())
}

/// Strings of an id are templates; none of its characters may mean anything.
fn blocks(adoptions: &[Adoption]) -> String {
    let literal = |id: &str| id.replace("${", "$${").replace("%{", "%%{");
    let blocks: Vec<_> =
        adoptions.iter().map(|one| json!({ "to": one.address, "id": literal(&one.id) })).collect();
    json!({ "import": blocks }).to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::Adoption, blocks, copy};

    #[test]
    fn the_copy_holds_the_code_and_no_state() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        for place in ["modules/x", "environments", ".terraform"] {
            fs::create_dir_all(from.join(place)).unwrap();
            fs::write(from.join(place).join("f.tf"), "").unwrap();
        }
        fs::write(from.join(".terraform.lock.hcl"), "").unwrap();
        fs::write(from.join("errored.tfstate"), "canary").unwrap();
        copy(&from, &to).unwrap();
        assert!(to.join("modules/x/f.tf").is_file() && to.join(".terraform.lock.hcl").is_file());
        for left_out in ["environments", ".terraform", "errored.tfstate"] {
            assert!(!to.join(left_out).exists(), "{left_out}");
        }
    }

    #[test]
    fn an_id_is_taken_as_it_stands() {
        let one = |address: &str, id: &str| Adoption {
            address: address.to_owned(),
            kind: "aws_subnet",
            id: id.to_owned(),
        };
        assert_eq!(
            blocks(&[one("module.n.aws_subnet.node[\"a\"]", "subnet-1"), one("x.y", "${a}%{b}\"")]),
            r#"{"import":[{"to":"module.n.aws_subnet.node[\"a\"]","id":"subnet-1"},{"to":"x.y","id":"$${a}%%{b}\""}]}"#
        );
    }
}
