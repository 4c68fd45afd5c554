//! Names that controllers make: the alphabet and the hashes are those of Kubernetes.

use sha2::{Digest, Sha256};

/// Without vowels and look-alikes, so that no generated name is a word.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// `length` random characters.
pub(crate) fn random_suffix(length: usize) -> String {
    let mut bytes = vec![0; length];
    // A name must only differ from its neighbours: without a random source the time does.
    if getrandom::fill(&mut bytes).is_err() {
        let now = jiff::Timestamp::now().as_nanosecond().to_le_bytes();
        bytes.iter_mut().zip(now.iter().cycle()).for_each(|(byte, time)| *byte = *time);
    }
    encode(&bytes)
}

/// `length` characters (at most 32) that depend on `text` alone.
pub(crate) fn hash_suffix(text: &str, length: usize) -> String {
    encode(&Sha256::digest(text.as_bytes())[..length.min(32)])
}

/// `length` hexadecimal digits (at most 64) that depend on `bytes` alone.
pub(crate) fn hex_digest(bytes: impl AsRef<[u8]>, length: usize) -> String {
    let mut text: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(length);
    text
}

fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

/// `text` cut to `length` bytes; names of objects are ASCII.
pub(crate) fn cut(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_stable_and_tell_texts_apart() {
        assert_eq!(hash_suffix("a", 10), hash_suffix("a", 10));
        assert_ne!(hash_suffix("a", 10), hash_suffix("b", 10));
        assert_eq!(hash_suffix("a", 10).len(), 10);
    }

    #[test]
    fn random_names_differ() {
        assert_ne!(random_suffix(16), random_suffix(16));
    }
}
