//! Takes registered secrets out of any text, in the forms in which programs tend to print them.
//!
//! Architecture invariant: everything that leaves the process (terminal, log, journal, comment,
//! error) passes a [`Redactor`] that knows every secret of the run. Secrets are registered before
//! the first use, by whoever makes or reads them.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    io::{self, Write},
    sync::{Arc, PoisonError, RwLock},
};

use aho_corasick::AhoCorasick;
use anyhow::Context;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use crate::{Secret, secret::REDACTED};

/// Texts shorter than this (in bytes) cannot be hidden: they are in every second word.
pub const SHORTEST_SECRET: usize = 4;

/// A part of an encoded secret that is shorter than this says nothing and hits innocent text.
const SHORTEST_ENCODED: usize = 8;

/// The shared list of secrets. Clones see what any of them registers.
#[derive(Clone, Default)]
pub struct Redactor {
    state: Arc<RwLock<State>>,
}

#[derive(Default)]
struct State {
    forms: BTreeSet<String>,
    longest: usize,
    matcher: Option<AhoCorasick>,
}

impl Redactor {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hides `secret` from now on: as it is, and URL-encoded, escaped for JSON, and in Base64 at
    /// each of the three alignments. Every line of a text with several lines is hidden by itself.
    ///
    /// # Errors
    /// When the secret is shorter than [`SHORTEST_SECRET`] bytes (an empty one is fine: there is
    /// nothing to hide).
    pub fn register(&self, secret: &Secret) -> anyhow::Result<()> {
        let text = secret.expose();
        anyhow::ensure!(
            text.is_empty() || text.len() >= SHORTEST_SECRET,
            "a secret of {} characters is too short to be hidden: use at least {SHORTEST_SECRET}",
            text.chars().count()
        );
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let before = state.forms.len();
        state.forms.extend(forms(text));
        if state.forms.len() == before {
            return Ok(());
        }
        state.longest = state.forms.iter().map(String::len).max().unwrap_or_default();
        let matcher = AhoCorasick::new(&state.forms).context("failed to build the redactor")?;
        state.matcher = Some(matcher);
        Ok(())
    }

    /// `text` with [`REDACTED`] in the place of each secret. Secrets that overlap go as one.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let Some(matcher) = &state.matcher else { return Cow::Borrowed(text) };
        let hidden = spans(matcher, text.as_bytes());
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len());
        let mut end = 0;
        for (from, to) in hidden {
            // Forms are whole UTF-8 texts, so a match begins and ends between characters.
            shown.push_str(text.get(end..from).unwrap_or_default());
            shown.push_str(REDACTED);
            end = to;
        }
        shown.push_str(text.get(end..).unwrap_or_default());
        Cow::Owned(shown)
    }

    /// Whether a secret stands in `text`, in any of its forms.
    #[must_use]
    pub fn reveals(&self, text: &str) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.matcher.as_ref().is_some_and(|matcher| matcher.is_match(text))
    }

    /// A writer that passes on everything without the secrets, whatever the size of the pieces.
    /// It holds back an unfinished line, at most as long as the longest secret, until the line
    /// ends or the writer is dropped or finished. Only this holding back gives the guarantee, so
    /// `flush` does not end it.
    pub fn writer<W: Write>(&self, inner: W) -> RedactingWriter<W> {
        RedactingWriter { redactor: self.clone(), inner, pending: Vec::new() }
    }

    fn longest(&self) -> usize {
        self.state.read().unwrap_or_else(PoisonError::into_inner).longest
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// See [`Redactor::writer`].
pub struct RedactingWriter<W: Write> {
    redactor: Redactor,
    inner: W,
    pending: Vec<u8>,
}

impl<W: Write> RedactingWriter<W> {
    /// Writes what was held back.
    ///
    /// # Errors
    /// When the inner writer fails.
    pub fn finish(&mut self) -> io::Result<()> {
        self.pass_on(self.pending.len())?;
        self.inner.flush()
    }

    /// Writes the first `count` held-back bytes; the caller makes sure that no secret may begin
    /// in there and end behind.
    fn pass_on(&mut self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let rest = self.pending.split_off(count);
        let ready = std::mem::replace(&mut self.pending, rest);
        self.inner.write_all(self.redactor.redact(&String::from_utf8_lossy(&ready)).as_bytes())
    }

    /// How many held-back bytes can go without cutting a secret in two.
    fn safe_to_pass_on(&self) -> usize {
        let state = self.redactor.state.read().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = state.longest.checked_sub(1) else { return self.pending.len() };
        let mut cut = self.pending.len().saturating_sub(kept);
        while cut > 0 && cut < self.pending.len() && is_inside_character(self.pending[cut]) {
            cut -= 1;
        }
        let Some(matcher) = &state.matcher else { return cut };
        spans(matcher, &self.pending)
            .into_iter()
            .find(|&(from, to)| from < cut && cut < to)
            .map_or(cut, |(from, _)| from)
    }
}

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        let lines = self.pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.pass_on(lines)?;
        // A program that never ends its line must not fill the memory.
        if self.pending.len() > 64 * 1024 + self.redactor.longest() {
            let count = self.safe_to_pass_on();
            self.pass_on(count)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for RedactingWriter<W> {
    fn drop(&mut self) {
        // Nobody is left to tell; `finish` is for those who want to know.
        let _ = self.finish();
    }
}

impl<W: Write> fmt::Debug for RedactingWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactingWriter").finish_non_exhaustive()
    }
}

/// Whether `byte` continues a UTF-8 character that began before it.
fn is_inside_character(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// Where secrets are, in order, with overlapping and touching ones joined.
fn spans(matcher: &AhoCorasick, text: &[u8]) -> Vec<(usize, usize)> {
    let mut found: Vec<_> =
        matcher.find_overlapping_iter(text).map(|hit| (hit.start(), hit.end())).collect();
    found.sort_unstable();
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for (from, to) in found {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// All the texts by which `secret` could be read.
fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    let lines = secret.lines().map(str::trim_end).filter(|line| line.len() >= SHORTEST_ENCODED);
    for text in std::iter::once(secret).chain(lines).filter(|text| !text.is_empty()) {
        forms.insert(text.to_owned());
        forms.extend([percent_encoded(text, false), percent_encoded(text, true)]);
        if let Ok(quoted) = serde_json::to_string(text) {
            let escaped = &quoted[1..quoted.len() - 1];
            forms.insert(escaped.to_owned());
            // Go's encoder, so Terraform, Helm and kubectl, escapes these three on top.
            let escape = |text: String, character: char, code: &str| text.replace(character, code);
            let go = escape(escaped.to_owned(), '<', "\\u003c");
            let go = escape(go, '>', "\\u003e");
            forms.insert(escape(go, '&', "\\u0026"));
        }
        forms.extend(base64_alignments(text));
    }
    forms
}

/// The characters that every Base64 text with `secret` inside has in common, for each of the
/// three positions at which the secret can begin.
fn base64_alignments(secret: &str) -> impl Iterator<Item = String> {
    let encode = |before: usize| {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret.as_bytes());
        // A character stands for 6 bits: leave out those that hold a bit of a neighbour.
        let from = (before * 8).div_ceil(6);
        let to = bytes.len() * 8 / 6;
        [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
            .map(|text| text.get(from..to).unwrap_or_default().to_owned())
    };
    (0..3)
        .flat_map(encode)
        .filter(|text| text.len() >= SHORTEST_ENCODED)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Everything but unreserved characters as `%XX`; a blank may also be written as `+` (forms).
fn percent_encoded(text: &str, form: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            b' ' if form => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn knowing(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::new();
        for secret in secrets {
            redactor.register(&Secret::new(*secret)).unwrap();
        }
        redactor
    }

    #[test]
    fn clones_share_what_is_registered_later() {
        let first = Redactor::new();
        let second = first.clone();
        assert_eq!(second.redact("the canary sings"), "the canary sings");
        first.register(&Secret::new("canary")).unwrap();
        assert_eq!(second.redact("the canary sings"), "the <secret> sings");
        assert!(second.reveals("canary") && !second.reveals("sparrow"));
    }

    #[test]
    fn overlapping_secrets_leave_no_rest() {
        assert_eq!(knowing(&["abcdef", "defghi"]).redact("-abcdefghi-"), "-<secret>-");
    }

    #[test]
    fn a_secret_too_short_is_refused_without_being_shown() {
        let error = Redactor::new().register(&Secret::new("xy")).unwrap_err().to_string();
        assert_eq!(error, "a secret of 2 characters is too short to be hidden: use at least 4");
        Redactor::new().register(&Secret::new("")).unwrap();
    }

    #[test]
    fn each_line_of_a_key_is_hidden() {
        let redactor = knowing(&["-----BEGIN KEY-----\nMIIEvQIBADANBg\r\n-----END KEY-----\n"]);
        assert_eq!(redactor.redact("read MIIEvQIBADANBg twice"), "read <secret> twice");
    }

    #[test]
    fn the_writer_passes_complete_lines_at_once_and_the_rest_at_the_end() {
        let redactor = knowing(&["canary"]);
        let mut writer = redactor.writer(Vec::new());
        write!(writer, "one can").unwrap();
        write!(writer, "ary\ntwo ca").unwrap();
        assert_eq!(String::from_utf8_lossy(&writer.inner), "one <secret>\n");
        write!(writer, "nary").unwrap();
        writer.finish().unwrap();
        assert_eq!(String::from_utf8_lossy(&writer.inner), "one <secret>\ntwo <secret>");
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let redactor = knowing(&["canary"]);
        let mut writer = redactor.writer(Vec::new());
        let text = "ü canary ".repeat(40_000);
        for piece in text.as_bytes().chunks(1021) {
            writer.write_all(piece).unwrap();
            assert!(writer.pending.len() < 70_000);
        }
        writer.finish().unwrap();
        let shown = String::from_utf8(writer.inner.clone()).unwrap();
        assert_eq!(shown, "ü <secret> ".repeat(40_000));
    }

    fn secret() -> impl Strategy<Value = String> {
        // At least eight bytes, with what encodings change; no line end, which has its own test.
        r#"[a-zA-Z0-9+/=&<>"'\\ äß€-]{12,40}"#
    }

    /// `text` as other programs print it; written without the code under test.
    fn everywhere(text: &str) -> Vec<String> {
        let base64 = |before: &str| STANDARD_NO_PAD.encode(format!("{before}{text}and more"));
        vec![
            text.to_owned(),
            serde_json::to_string(&[text]).unwrap(),
            base64(""),
            base64("a"),
            base64("ab"),
            URL_SAFE_NO_PAD.encode(format!("x{text}")),
            text.bytes().map(url_encoded).collect(),
        ]
    }

    fn url_encoded(byte: u8) -> String {
        let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_unreserved { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    }

    proptest! {
        #[test]
        fn no_form_of_a_secret_survives(secret in secret(), before in ".{0,20}", after in ".{0,20}") {
            let redactor = knowing(&[&secret]);
            for form in everywhere(&secret) {
                let shown = redactor.redact(&format!("{before}{form}{after}")).into_owned();
                prop_assert!(!shown.contains(&secret));
                prop_assert!(!redactor.reveals(&shown));
                prop_assert!(shown.contains(REDACTED));
            }
        }

        #[test]
        fn text_without_a_secret_is_not_touched(text in "[a-z \n]{0,200}") {
            let redactor = knowing(&["CANARY-0123456789"]);
            prop_assert_eq!(redactor.redact(&text), text.as_str());
        }

        #[test]
        fn the_size_of_the_pieces_does_not_matter(
            secret in secret(), words in prop::collection::vec("[a-z\n]{0,9}", 0..20), size in 1_usize..50,
        ) {
            let redactor = knowing(&[&secret]);
            let text = words.join(&secret);
            let mut written = Vec::new();
            let mut writer = redactor.writer(&mut written);
            for piece in text.as_bytes().chunks(size) {
                writer.write_all(piece).unwrap();
            }
            drop(writer);
            prop_assert_eq!(String::from_utf8(written).unwrap(), redactor.redact(&text));
        }
    }
}
