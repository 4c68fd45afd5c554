//! Names, identities and times that the server gives out.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Letters and digits of generated names: no vowels, so that no words appear.
const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// What is left of a `generateName` where the generated name would be too long.
const LONGEST_BASE: usize = 58;

/// Random bytes; the operating system has them always, and where it has not, the clock must do.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        let mut seed = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default();
        for byte in &mut bytes {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = seed.to_be_bytes()[0];
        }
    }
    bytes
}

/// A random UUID, version 4.
pub(crate) fn uid() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// A name from a `generateName`.
pub(crate) fn generated_name(base: &str) -> String {
    let suffix: [u8; 5] = random();
    let letters =
        suffix.iter().map(|byte| char::from(NAME_LETTERS[usize::from(*byte) % NAME_LETTERS.len()]));
    base.chars().take(LONGEST_BASE).chain(letters).collect()
}

/// A token that nobody can guess.
pub(crate) fn secret_token() -> String {
    hex(&random::<32>())
}

/// Bytes for a signing key.
pub(crate) fn secret_key() -> [u8; 32] {
    random()
}

/// A short digest that tells texts apart; not a cryptographic one.
pub(crate) fn digest(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016X}", hasher.finish())
}

/// The time as Kubernetes writes it, in whole seconds.
pub(crate) fn now() -> String {
    later(0)
}

/// A time some seconds from now.
pub(crate) fn later(seconds: i64) -> String {
    let now = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second(now.saturating_add(seconds)).unwrap_or_default().to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_have_the_form_of_a_uuid() {
        let uid = uid();
        let lengths: Vec<usize> = uid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(uid.as_bytes()[14], b'4');
    }

    #[test]
    fn generated_names_never_pass_63_characters() {
        assert_eq!(generated_name(&"x".repeat(100)).len(), 63);
        assert!(generated_name("web-").starts_with("web-"));
    }
}
