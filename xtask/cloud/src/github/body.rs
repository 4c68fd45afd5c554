//! Fits a text into what GitHub takes, by whole blocks: half a table or an open fence would break
//! all that follows.

/// GitHub takes 65,536 characters; the rest is room for the marker and for counting differently.
pub(super) const LIMIT: usize = 60_000;

/// The hidden line by which a comment or issue is found again.
pub(super) fn marker_line(marker: &str) -> String {
    // Two hyphens would end the comment.
    format!("<!-- xtask: {} -->", marker.replace("--", "-"))
}

/// `text` below its marker, with as many of its blocks, in their order, as fit.
pub(super) fn marked(marker: &str, text: &str) -> String {
    format!("{}\n{}", marker_line(marker), capped(text, LIMIT))
}

fn capped(text: &str, limit: usize) -> String {
    if length(text) <= limit {
        return text.to_owned();
    }
    let all = blocks(text);
    let note = |left: usize| {
        format!(
            "_{left} of {} sections left out: the text is longer than a comment may be. All of it is in the log of the run that wrote this._",
            all.len()
        )
    };
    let room = limit.saturating_sub(length(&note(all.len())));
    let (mut kept, mut used) = (Vec::new(), 0);
    for block in &all {
        // With the empty line between blocks.
        let size = length(block) + 2;
        if used + size <= room {
            used += size;
            kept.push(block.as_str());
        }
    }
    let note = note(all.len() - kept.len());
    kept.push(&note);
    kept.join("\n\n")
}

/// GitHub counts as JavaScript does.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The parts between empty lines. A fenced block and a `<details>` element are never divided.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    let mut fence: Option<String> = None;
    let mut details = 0_usize;
    for line in text.lines() {
        let bare = line.trim_start();
        match &fence {
            Some(open) => {
                if bare.starts_with(open.as_str())
                    && bare.trim_end().chars().all(|c| open.contains(c))
                {
                    fence = None;
                }
            }
            None => {
                fence = opening_fence(bare);
                if fence.is_none() {
                    details = (details + line.matches("<details").count())
                        .saturating_sub(line.matches("</details>").count());
                }
            }
        }
        if line.trim().is_empty() && fence.is_none() && details == 0 {
            if !block.is_empty() {
                blocks.push(block.join("\n"));
                block.clear();
            }
        } else {
            block.push(line);
        }
    }
    if !block.is_empty() {
        blocks.push(block.join("\n"));
    }
    blocks
}

/// The backticks or tildes, three at least, that a line begins with.
fn opening_fence(line: &str) -> Option<String> {
    let first = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let fence: String = line.chars().take_while(|c| *c == first).collect();
    (fence.len() >= 3).then_some(fence)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_stays_as_it_is() {
        assert_eq!(capped("a\n\n\nb\n", 100), "a\n\n\nb\n");
    }

    #[test]
    fn fences_and_details_are_whole() {
        let text = "one\n\n```diff\n+ a\n\n- b\n```\n\n<details>\n\n| a |\n\n</details>\n\ntwo";
        let parts = blocks(text);
        assert_eq!(
            parts,
            ["one", "```diff\n+ a\n\n- b\n```", "<details>\n\n| a |\n\n</details>", "two"]
        );
    }

    #[test]
    fn a_block_that_does_not_fit_makes_room_for_those_behind() {
        let text = format!("head\n\n```\n{}\n```\n\ntotals", "x".repeat(500));
        let fitted = capped(&text, 200);
        assert!(fitted.starts_with("head\n\ntotals\n\n_1 of 3 sections left out"), "{fitted}");
    }

    #[test]
    fn a_marker_cannot_end_its_comment() {
        assert_eq!(marker_line("drift--> dev"), "<!-- xtask: drift-> dev -->");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn never_too_long_and_no_fence_left_open(parts in prop::collection::vec(
            prop_oneof!["[a-z🦀 ]{0,400}", "[a-z\n]{0,300}".prop_map(|code| format!("```\n{code}\n```"))], 0..40)) {
            let text = parts.join("\n\n");
            let fitted = capped(&text, 2_000);
            prop_assert!(length(&fitted) <= 2_000);
            prop_assert_eq!(fitted.matches("```").count() % 2, 0);
        }
    }
}
