//! What a stage is made from, as one short text: `--resume` does a stage again whose text has changed.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::{
    context::Context,
    helm::digest::{feed, files, read, shown},
};

/// Stages that are made from the Terraform code and its values alone.
const OF_TERRAFORM: [&str; 2] = ["infrastructure", "baseline"];

/// Nothing when a file cannot be read: the stage itself will say so.
pub(crate) fn of(context: &Context, stage: &str) -> Option<String> {
    let with_charts = !OF_TERRAFORM.contains(&stage);
    let own = [&context.environment.var_file, &context.environment.overlay_file];
    // What was done in a sandbox that is gone has to be done again.
    let place = [
        context.platform.instance.as_str(),
        context.cluster_context.as_deref().unwrap_or_default(),
    ];
    digest(&context.root, place, &sources(&context.root, with_charts, &own)?)
}

/// Of the files, by their names below `root`, and of where the stage is done.
fn digest(root: &Path, place: [&str; 2], files: &[PathBuf]) -> Option<String> {
    let mut hash = Sha256::new();
    for part in place {
        feed(&mut hash, part.as_bytes());
    }
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(file);
        feed(&mut hash, name.to_string_lossy().as_bytes());
        feed(&mut hash, &read(file).ok()?);
    }
    Some(shown(hash))
}

/// The code, and of the environments' own files only those of `own`.
fn sources(root: &Path, with_charts: bool, own: &[&PathBuf]) -> Option<Vec<PathBuf>> {
    let code = |file: &PathBuf| {
        let is = |end: &str| file.extension().is_some_and(|extension| extension == end);
        is("tf") || is("json") || is("hcl") || (is("tfvars") && own.contains(&file))
    };
    let mut found: Vec<_> = files(&root.join("terraform")).ok()?.into_iter().filter(code).collect();
    if with_charts {
        let overlays = root.join("helm/overlays");
        let is_ours = |file: &PathBuf| {
            !file.starts_with(&overlays) || own.contains(&file) || file.ends_with("base.yaml")
        };
        found.extend(files(&root.join("helm")).ok()?.into_iter().filter(is_ours));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{digest, sources};

    #[test]
    fn other_content_another_name_and_another_place_are_something_else() {
        let root = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            fs::write(root.path().join(name), text).unwrap();
            root.path().join(name)
        };
        let of = |place, file| digest(root.path(), place, &[file]).unwrap();
        let before = of(["", ""], file("dev.tfvars", "monthly_usd = 560"));
        assert_eq!(before, of(["", ""], file("dev.tfvars", "monthly_usd = 560")));
        assert_ne!(before, of(["", ""], file("dev.tfvars", "monthly_usd = 561")));
        assert_ne!(before, of(["", ""], file("two.tfvars", "monthly_usd = 560")));
        for place in [["a sandbox", ""], ["", "a cluster"]] {
            assert_ne!(before, of(place, file("dev.tfvars", "monthly_usd = 560")), "{place:?}");
        }
    }

    #[test]
    fn other_environments_and_what_tools_leave_do_not_count() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for path in [
            "terraform/main.tf",
            "terraform/environments/dev.tfvars",
            "terraform/environments/prod.tfvars",
            "terraform/errored.tfstate",
            "helm/overlays/base.yaml",
            "helm/overlays/dev.yaml",
            "helm/overlays/prod.yaml",
            "helm/supabase/templates/a.yaml",
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "").unwrap();
        }
        let own =
            [root.join("terraform/environments/dev.tfvars"), root.join("helm/overlays/dev.yaml")];
        let shown = |with_charts| -> Vec<String> {
            let found = sources(root, with_charts, &[&own[0], &own[1]]).unwrap();
            let short =
                |path: &std::path::PathBuf| path.strip_prefix(root).unwrap().display().to_string();
            found.iter().map(short).collect()
        };
        let terraform = ["terraform/environments/dev.tfvars", "terraform/main.tf"];
        assert_eq!(shown(false), terraform);
        let charts =
            ["helm/overlays/base.yaml", "helm/overlays/dev.yaml", "helm/supabase/templates/a.yaml"];
        assert_eq!(shown(true), [&terraform[..], &charts[..]].concat());
    }
}
