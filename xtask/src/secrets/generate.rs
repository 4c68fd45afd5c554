//! Random text from the operating system's generator.

use anyhow::Context as _;
use xtask_tools::Secret;

/// The characters a secret may consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// `0-9A-Za-z`: safe in a URL, in SQL quotes, in YAML and in a shell.
    Alphanumeric,
}

impl Alphabet {
    const fn characters(self) -> &'static [u8] {
        match self {
            Self::Alphanumeric => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        }
    }
}

/// So many characters, each equally likely.
///
/// # Errors
/// When the operating system has no random numbers to give.
pub(crate) fn random_text(length: usize, alphabet: Alphabet) -> anyhow::Result<Secret> {
    let characters = alphabet.characters();
    // Bytes past the last whole multiple would make the first characters likelier.
    let limit = 256 - 256 % characters.len();
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes)
            .context("failed to read random numbers from the operating system")?;
        let usable = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < limit);
        text.extend(
            usable
                .take(length - text.len())
                .map(|byte| char::from(characters[byte % characters.len()])),
        );
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Alphabet, random_text};

    proptest::proptest! {
        #[test]
        fn has_the_length_and_the_alphabet(length in 1_usize..300) {
            let secret = random_text(length, Alphabet::Alphanumeric).unwrap();
            proptest::prop_assert_eq!(secret.expose().len(), length);
            proptest::prop_assert!(secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn two_are_different_and_every_character_occurs() {
        let long = random_text(10_000, Alphabet::Alphanumeric).unwrap();
        assert_ne!(long.expose(), random_text(10_000, Alphabet::Alphanumeric).unwrap().expose());
        assert_eq!(long.expose().bytes().collect::<BTreeSet<_>>().len(), 62);
    }
}
