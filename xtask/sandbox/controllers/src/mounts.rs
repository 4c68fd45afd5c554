//! Where the paths of a container lie on this machine.

use std::path::PathBuf;

/// The mount points of one container, longest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mounts(Vec<(String, PathBuf)>);

impl Mounts {
    /// From pairs of a path in the container and the folder or file that stands for it.
    pub(crate) fn new(pairs: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        let mut pairs: Vec<_> = pairs
            .into_iter()
            .map(|(path, local)| (path.trim_end_matches('/').to_owned(), local))
            .filter(|(path, _)| path.len() > 1)
            .collect();
        pairs.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self(pairs)
    }

    /// The local path of a container's path; none if nothing is mounted there.
    pub(crate) fn local(&self, path: &str) -> Option<PathBuf> {
        self.0.iter().find_map(|(mount, local)| {
            let rest = path.strip_prefix(mount.as_str())?;
            match rest.strip_prefix('/') {
                Some("") => Some(local.clone()),
                Some(rest) => Some(local.join(rest)),
                None => rest.is_empty().then(|| local.clone()),
            }
        })
    }

    /// Replaces each mount point in `text` by its local path, wherever it begins a path.
    pub(crate) fn rewrite(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = None;
        while let Some(next) = rest.chars().next() {
            let found = (next == '/' && !before.is_some_and(continues_path))
                .then(|| self.0.iter().find(|(mount, _)| starts_with_path(rest, mount)))
                .flatten();
            match found {
                Some((mount, local)) => {
                    result.push_str(&local.to_string_lossy());
                    rest = &rest[mount.len()..];
                    before = mount.chars().last();
                }
                None => {
                    result.push(next);
                    rest = &rest[next.len_utf8()..];
                    before = Some(next);
                }
            }
        }
        result
    }
}

/// Whether a slash after this character goes on with a path instead of beginning one.
fn continues_path(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '/' | '.' | '-' | '_' | '}' | ')')
}

fn starts_with_path(text: &str, mount: &str) -> bool {
    text.strip_prefix(mount).is_some_and(|rest| {
        !rest
            .chars()
            .next()
            .is_some_and(|next| next.is_alphanumeric() || matches!(next, '.' | '-' | '_'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mounts() -> Mounts {
        Mounts::new([
            ("/etc/bootstrap".to_owned(), PathBuf::from("/sandbox/bootstrap")),
            ("/etc/bootstrap/sql/".to_owned(), PathBuf::from("/sandbox/sql")),
            ("/tmp".to_owned(), PathBuf::from("/sandbox/tmp")),
        ])
    }

    #[test]
    fn mount_points_are_replaced_where_a_path_begins() {
        for (text, expected) in [
            ("sh /etc/bootstrap/run.sh", "sh /sandbox/bootstrap/run.sh"),
            ("--file=/etc/bootstrap/sql/1.sql", "--file=/sandbox/sql/1.sql"),
            ("/tmp", "/sandbox/tmp"),
            ("a:/tmp:/b", "a:/sandbox/tmp:/b"),
            ("http://host/tmp", "http://host/tmp"),
            ("/tmpfile /var/tmp $HOME/tmp", "/tmpfile /var/tmp $HOME/tmp"),
            ("url?sslrootcert=/etc/bootstrap/ca.pem", "url?sslrootcert=/sandbox/bootstrap/ca.pem"),
        ] {
            assert_eq!(mounts().rewrite(text), expected);
        }
    }

    #[test]
    fn local_paths_follow_the_longest_mount() {
        assert_eq!(
            mounts().local("/etc/bootstrap/sql/1.sql"),
            Some(PathBuf::from("/sandbox/sql/1.sql"))
        );
        assert_eq!(mounts().local("/etc/bootstrap"), Some(PathBuf::from("/sandbox/bootstrap")));
        assert_eq!(mounts().local("/etc/bootstrapped"), None);
    }

    proptest! {
        #[test]
        fn any_text_can_be_rewritten(text in ".*") {
            let rewritten = mounts().rewrite(&text);
            if !text.contains('/') {
                prop_assert_eq!(rewritten, text);
            }
        }
    }
}
