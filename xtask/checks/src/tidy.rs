//! Rules about the text of this repository that no linter knows.

use std::{fs, path::Path};

use pulldown_cmark::{Event, Parser, Tag};

use crate::{CheckContext, CheckOutcome, Finding};

/// Longer files hide their subject.
const LONGEST_FILE: usize = 600;

/// Kinds of files that people write by hand and read from top to bottom.
const HAND_WRITTEN: [&str; 14] = [
    "rs", "tf", "tfvars", "hcl", "yaml", "yml", "tpl", "toml", "sh", "py", "sql", "md", "lua", "ts",
];

/// Folders of somebody's own machine. (In two pieces each, or this file would break its own rule.)
const MACHINE_FOLDERS: [&str; 6] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("/ho", "me/"),
    concat!("/opt/tf", "-plugins"),
    concat!("C:\\Us", "ers\\"),
];

/// Folders below those that container images have.
const IMAGE_FOLDERS: [&str; 2] = [concat!("/ho", "me/deno"), concat!("/ho", "me/kong")];

/// Hosts of package registries: packages are named, their client knows where they are.
const REGISTRY_HOSTS: [&str; 7] = [
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("registry.yarnpkg", ".com"),
    concat!("static.crates", ".io"),
    concat!("index.crates", ".io"),
    concat!("https://crates", ".io"),
];

/// What must not know that there is a sandbox: it would prove something else than what is deployed.
const UNAWARE: [&str; 3] = ["terraform/", "helm/", "xtask/src/stages/"];

const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

pub(crate) fn tidy(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let files = context.files("", |_| true)?;
    let mut findings = Vec::new();
    let mut read = 0;
    for path in &files {
        // What is not text has no lines to look at.
        let Ok(text) = fs::read_to_string(context.root.join(path)) else { continue };
        read += 1;
        findings.extend(inspect(path, &text));
        if path.ends_with(".md") {
            findings.extend(broken_links(&context.root, path, &text));
        }
    }
    anyhow::ensure!(read > 0, "git lists no text file here");
    Ok(CheckOutcome::of_findings(&findings, format!("{read} files")))
}

/// Every broken rule in one file.
fn inspect(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let count = text.lines().count();
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    if HAND_WRITTEN.contains(&extension) && count > LONGEST_FILE {
        let message = format!("{count} lines, more than {LONGEST_FILE}: split it by subject");
        findings.push(Finding::new(path, 0, message));
    }
    for (index, line) in text.lines().enumerate() {
        let mut add = |message: String| findings.push(Finding::new(path, index + 1, message));
        if let Some(folder) = machine_folder(line) {
            add(format!("`{folder}` is a folder of one machine: use a path of the repository"));
        }
        if let Some(host) = REGISTRY_HOSTS.iter().find(|host| line.contains(**host)) {
            add(format!("`{host}` is the host of a package registry: name the package instead"));
        }
        if let Some(mark) = UNFINISHED.iter().find(|mark| contains_word(line, mark)) {
            add(format!("`{mark}`: finish it or open an issue"));
        }
        if UNAWARE.iter().any(|folder| path.starts_with(folder))
            && line.to_ascii_lowercase().contains("sandbox")
        {
            add("nothing in here may know the sandbox: `xtask/src/platform.rs` is the seam"
                .to_owned());
        }
        if extension == "rs" && line.trim_start().starts_with(concat!("#[al", "low(")) {
            add("use #[expect(.., reason = \"..\")], which ends when its cause does".to_owned());
        }
        if extension == "rs" && line.trim_start().starts_with(concat!("#![al", "low(")) {
            add("use #![expect(.., reason = \"..\")], which ends when its cause does".to_owned());
        }
    }
    findings
}

/// The first folder of [`MACHINE_FOLDERS`] that begins a path in `line`.
fn machine_folder(line: &str) -> Option<&'static str> {
    MACHINE_FOLDERS.into_iter().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            // The path of a URL may hold it, too, but does not begin with it.
            let before = line[..at].chars().next_back();
            let begins = before.is_none_or(|c| !c.is_alphanumeric() && !"/._-}*~".contains(c));
            let in_image = IMAGE_FOLDERS.iter().any(|image| line[at..].starts_with(image));
            begins && !in_image
        })
    })
}

fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let before = line[..at].chars().next_back().is_some_and(is_part);
        let after = line[at + word.len()..].chars().next().is_some_and(is_part);
        !before && (!after || word.ends_with('('))
    })
}

/// Links of a Markdown file to files of the repository that are not there.
fn broken_links(root: &Path, path: &str, text: &str) -> Vec<Finding> {
    let folder = root.join(path).parent().map(Path::to_owned).unwrap_or_default();
    let mut findings = Vec::new();
    for (event, range) in Parser::new(text).into_offset_iter() {
        let (Event::Start(Tag::Link { dest_url, .. }) | Event::Start(Tag::Image { dest_url, .. })) =
            event
        else {
            continue;
        };
        let target = dest_url.split('#').next().unwrap_or_default();
        if target.is_empty() || target.contains(':') {
            continue;
        }
        let file = match target.strip_prefix('/') {
            Some(absolute) => root.join(absolute),
            None => folder.join(target),
        };
        if !file.exists() {
            let line = text[..range.start].matches('\n').count() + 1;
            findings.push(Finding::new(
                path,
                line,
                format!("links to `{target}`, which is not there"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        inspect(path, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_paths_of_one_machine_but_not_the_same_words_elsewhere() {
        let bad = format!("a\npath = \"{}x\"\n", MACHINE_FOLDERS[1]);
        assert_eq!(messages("a.toml", &bad).len(), 1);
        assert!(messages("a.toml", &bad)[0].starts_with("a.toml:2: "));
        for folder in MACHINE_FOLDERS {
            assert_eq!(messages("a.toml", &format!("{folder}x")).len(), 1, "{folder}");
            for before in ["https://example.com", "${ROOT}", "a"] {
                let fine = format!("{before}{folder}x");
                assert_eq!(messages("a.toml", &fine), [""; 0], "{fine}");
            }
        }
        for fine in IMAGE_FOLDERS {
            assert_eq!(messages("a.toml", fine), [""; 0], "{fine}");
        }
    }

    #[test]
    fn finds_what_knows_the_sandbox_and_must_not() {
        for path in ["terraform/main.tf", "helm/supabase/values.yaml", "xtask/src/stages/smoke.rs"]
        {
            assert_eq!(messages(path, "if Sandbox {").len(), 1, "{path}");
        }
        assert_eq!(messages("xtask/src/platform.rs", "if sandbox {"), [""; 0]);
    }

    #[test]
    fn finds_registry_hosts_and_unfinished_work() {
        assert_eq!(messages("a.md", &format!("see https://{}/x", REGISTRY_HOSTS[0])).len(), 1);
        assert_eq!(messages("a.rs", &format!("// {}: later", UNFINISHED[0])).len(), 1);
        assert_eq!(messages("a.rs", &format!("    {})", UNFINISHED[3])).len(), 1);
        assert_eq!(messages("a.rs", &format!("let {}_LIST = 1;", UNFINISHED[0])), [""; 0]);
    }

    #[test]
    fn finds_allow_attributes_and_long_files() {
        let allow = MACHINE_FOLDERS.map(|_| concat!("    #[al", "low(dead_code)]"))[0];
        assert_eq!(messages("a.rs", allow).len(), 1);
        assert_eq!(messages("a.md", allow), [""; 0]);
        assert_eq!(messages("a.rs", &"x\n".repeat(601)).len(), 1);
        assert_eq!(messages("a.rs", &"x\n".repeat(600)), [""; 0]);
        assert_eq!(messages("a.json", &"x\n".repeat(601)), [""; 0]);
    }

    #[test]
    fn finds_links_to_missing_files() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("docs")).unwrap();
        fs::write(root.path().join("docs/there.md"), "").unwrap();
        let text =
            "[a](there.md#x) [b](/docs/there.md) [c](https://x.y) [d](#here)\n\n[e](gone.md)";
        let findings = broken_links(root.path(), "docs/index.md", text);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 3);
    }
}
