//! What somebody probably meant who made a typing error.

/// The known name that a misspelt one is nearest to, if any is near: as many letters may be wrong,
/// missing, extra or swapped as make a third of the word.
pub fn nearest<'a>(
    misspelt: &str,
    known: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>,
) -> Option<&'a str> {
    let wanted = misspelt.to_lowercase();
    known
        .into_iter()
        .map(AsRef::as_ref)
        .filter_map(|name| Some((distance(&wanted, &name.to_lowercase())?, name)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How far two words are apart, or nothing when they are two different words.
fn distance(wanted: &str, name: &str) -> Option<usize> {
    let longer = wanted.chars().count().max(name.chars().count());
    let distance = strsim::damerau_levenshtein(wanted, name);
    // A beginning of three letters or more is an abbreviation: `infra`.
    let begins = wanted.len() >= 3 && name.starts_with(wanted);
    // So are two words that begin alike: `multi_zone` for `multi_az`.
    let alike = wanted.chars().zip(name.chars()).take_while(|(one, other)| one == other).count();
    let begin_alike = alike >= 5 && 2 * alike >= longer;
    let near = distance <= (longer / 3).max(1) && distance < longer;
    (near || begins || begin_alike).then_some(distance)
}

/// ` (did you mean …?)`, or nothing when no name is near.
pub fn did_you_mean<'a>(
    misspelt: &str,
    known: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>,
) -> String {
    nearest(misspelt, known).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, nearest};

    const STAGES: [&str; 5] = ["infrastructure", "addons", "database", "release", "smoke"];

    #[test]
    fn typing_errors_are_seen_through() {
        for (misspelt, meant) in [
            ("relaese", Some("release")),
            ("smok", Some("smoke")),
            ("infra", Some("infrastructure")),
            ("DATABASE", Some("database")),
            ("adons", Some("addons")),
            ("x", None),
            ("", None),
            ("kubernetes", None),
            ("relea_set", Some("release")),
        ] {
            assert_eq!(nearest(misspelt, STAGES.iter().copied()), meant, "{misspelt}");
        }
        assert_eq!(nearest("dve", ["dev", "prod"].iter().copied()), Some("dev"));
    }

    #[test]
    fn the_hint_is_empty_without_a_near_name() {
        assert_eq!(did_you_mean("smok", STAGES.iter().copied()), " (did you mean `smoke`?)");
        assert_eq!(did_you_mean("kubernetes", STAGES.iter().copied()), "");
    }
}
