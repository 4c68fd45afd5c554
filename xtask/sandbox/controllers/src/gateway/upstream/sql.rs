//! Text that is safe inside SQL.

/// A string literal.
pub(super) fn literal(text: &str) -> String {
    // A NUL cannot be in any text of PostgreSQL; psql would stop reading at it.
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

/// A quoted identifier.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_cannot_end_what_they_are_in() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    }
}
