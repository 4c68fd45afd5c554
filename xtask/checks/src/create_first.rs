//! What Terraform would replace by making the new one first, and may not.
//!
//! `create_before_destroy` is handed on to all that a resource depends on, through modules and their
//! outputs. A name or an address range that can be there only once then never comes to its second
//! life: the new one conflicts with the old one, on every run.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;

use crate::{CheckContext, CheckOutcome, process::ask};

/// Types of which two can be there at the same time: their names are made up by AWS or by Terraform
/// (`name_prefix`), or they have none.
const MAY_BE_TWICE: [&str; 5] = [
    "aws_acm_certificate",
    "aws_db_parameter_group",
    "aws_security_group",
    "aws_vpc",
    "terraform_data",
];

pub(crate) fn check(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let copy = context.scratch.join("terraform-graph");
    let mut asked = BTreeSet::new();
    for path in context
        .files("terraform", |path| ![".tfvars", ".md"].iter().any(|end| path.ends_with(end)))?
    {
        let text = std::fs::read_to_string(context.root.join(&path))
            .with_context(|| format!("failed to read `{path}`"))?;
        if path.ends_with(".tf") {
            asked.extend(create_first(&text).with_context(|| format!("failed to read `{path}`"))?);
        }
        write(&copy.join(&path), &text)?;
    }
    anyhow::ensure!(
        !asked.is_empty(),
        "no resource in `terraform` asks to be replaced create-first"
    );
    // A graph needs a backend that answers; the code's own is in AWS.
    write(&copy.join("terraform/backend_override.tf"), "terraform {\n  backend \"local\" {}\n}\n")?;
    let command = |words: &[&str]| -> anyhow::Result<_> {
        let command =
            context.terraform()?.arg(format!("-chdir={}", copy.join("terraform").display()));
        Ok(command.env("TF_DATA_DIR", copy.join("data")).args(words))
    };
    let answer = ask(&command(&["init", "-input=false", "-lockfile=readonly", "-no-color"])?)?;
    if !answer.succeeded() {
        return Ok(CheckOutcome::Failed(answer.all));
    }
    let answer = ask(&command(&["graph"])?)?;
    if !answer.succeeded() {
        return Ok(CheckOutcome::Failed(answer.all));
    }
    let (reached, findings) = conflicts(&answer.stdout, &asked);
    anyhow::ensure!(reached > 0, "the graph of `terraform` holds none of {asked:?}");
    Ok(CheckOutcome::of_findings(&findings, format!("{reached} resources are made first")))
}

fn write(path: &std::path::Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("failed to write `{}`", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    std::fs::write(path, text).with_context(cannot)
}

/// The resources of a file that ask for it, as `type.name`.
fn create_first(text: &str) -> anyhow::Result<Vec<String>> {
    let body = hcl::parse(text)?;
    let asks = |block: &&hcl::Block| {
        block.body.blocks().filter(|inner| inner.identifier() == "lifecycle").any(|lifecycle| {
            lifecycle.body.attributes().any(|attribute| {
                attribute.key() == "create_before_destroy"
                    && *attribute.expr() == hcl::Expression::Bool(true)
            })
        })
    };
    let resources = body.blocks().filter(|block| block.identifier() == "resource").filter(asks);
    Ok(resources
        .map(|block| {
            block.labels().iter().map(hcl::BlockLabel::as_str).collect::<Vec<_>>().join(".")
        })
        .collect())
}

/// How many resources are made first in the end, and those among them that cannot be there twice.
fn conflicts(graph: &str, asked: &BTreeSet<String>) -> (usize, Vec<String>) {
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut todo = Vec::new();
    for line in graph.lines() {
        let mut quoted = line.split('"').skip(1).step_by(2);
        let Some(node) = quoted.next() else { continue };
        if line.contains("->") {
            needs.entry(node).or_default().extend(quoted.next());
        } else if asked.contains(&short(node)) {
            todo.push((node, node));
        }
    }
    let mut reached: BTreeMap<&str, &str> = BTreeMap::new();
    while let Some((node, origin)) = todo.pop() {
        if !is_data(node) && reached.insert(node, origin).is_none() {
            todo.extend(needs.get(node).into_iter().flatten().map(|need| (*need, origin)));
        }
    }
    let may_not = |node: &str| {
        let kind = short(node);
        !MAY_BE_TWICE.iter().any(|kind_of| kind.split('.').next() == Some(*kind_of))
    };
    let told = reached.iter().filter(|(node, _)| may_not(node)).map(|(node, origin)| {
        format!(
            "{node} can be there only once, and would be replaced create-first because of {origin}"
        )
    });
    (reached.len(), told.collect())
}

/// `type.name` without the modules around it.
fn short(node: &str) -> String {
    let parts: Vec<&str> = node.split('.').collect();
    parts[parts.len().saturating_sub(2)..].join(".")
}

fn is_data(node: &str) -> bool {
    node.starts_with("data.") || node.contains(".data.")
}

#[cfg(test)]
mod tests {
    use super::{conflicts, create_first};

    const GRAPH: &str = r#"digraph G {
  "module.a.aws_launch_template.node" [label="aws_launch_template.node"];
  "module.a.aws_subnet.node" [label="aws_subnet.node"];
  "module.a.data.aws_x.y" [label="data.aws_x.y"];
  "module.a.aws_launch_template.node" -> "module.a.aws_security_group.this";
  "module.a.aws_security_group.this" -> "module.a.aws_subnet.node";
  "module.a.aws_security_group.this" -> "module.a.data.aws_x.y";
}"#;

    #[test]
    fn what_inherits_it_is_found_with_its_origin() {
        let asked = create_first(
            "resource \"aws_launch_template\" \"node\" {\n  lifecycle {\n    create_before_destroy = true\n  }\n}\n\
             resource \"aws_subnet\" \"other\" {\n  lifecycle {\n    create_before_destroy = false\n  }\n}\n",
        )
        .unwrap();
        assert_eq!(asked, ["aws_launch_template.node"]);
        let (reached, told) = conflicts(GRAPH, &asked.into_iter().collect());
        assert_eq!(reached, 3);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].starts_with("module.a.aws_subnet.node can be there only once"), "{told:?}");
        assert!(told[1].ends_with("because of module.a.aws_launch_template.node"), "{told:?}");
    }

    #[test]
    fn without_a_request_nothing_is_made_first() {
        assert_eq!(conflicts(GRAPH, &["aws_subnet.other".to_owned()].into()), (0, Vec::new()));
    }
}
