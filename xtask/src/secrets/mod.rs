//! The secrets of an environment: one table says which exist, how they are made and where they go.
//!
//! Architecture invariant: a secret's value only ever travels memory → Parameter Store, or memory →
//! an ephemeral Terraform variable. It is never an argument, never in a file, never in the journal.

mod custody;
mod extra;
mod generate;
mod jwt;
mod versions;

pub(crate) use custody::{Deed, deed, waiting_path};
pub(crate) use extra::{ExtraSecret, as_values, extra_secrets, readers};
pub(crate) use generate::{Alphabet, random_text};
pub(crate) use jwt::{ApiRole, api_key, verify};
pub(crate) use versions::{passwords_version, versions};

use crate::config::Environment;

/// How the value of a secret comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Random characters, so many of them.
    Random(usize, Alphabet),
    /// A fixed first value that a person may change.
    Fixed(&'static str),
    /// A JWT for this role, signed with the secret at `jwt/secret`.
    ApiKey(ApiRole),
    /// A person stores it with `cargo xtask secrets set`; needed only where mail goes through SMTP, or an
    /// overlay declares it.
    Person,
}

/// One secret: its path below `/<env>/supabase/` and the Kubernetes Secret that it ends up in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretSpec<'a> {
    pub(crate) path: &'a str,
    pub(crate) kubernetes_secret: &'a str,
    pub(crate) key: &'a str,
    pub(crate) source: Source,
}

/// The password of the RDS master user; made before Terraform runs, because Terraform sets it.
pub(crate) const MASTER_PASSWORD: &str = "database/master-password";
/// The key that signs every API key and every user session.
pub(crate) const JWT_SECRET: &str = "jwt/secret";
pub(crate) const ANON_KEY: &str = "jwt/anon-key";
pub(crate) const SERVICE_ROLE_KEY: &str = "jwt/service-role-key";
pub(crate) const DASHBOARD_USERNAME: &str = "dashboard/username";
pub(crate) const DASHBOARD_PASSWORD: &str = "dashboard/password";

/// User and password of the mail server.
const SMTP: &str = "supabase-smtp";

/// 40 letters and digits carry 238 bits, need no escaping in a URL and no quoting in SQL; RDS
/// refuses `/`, `@`, `"` and spaces.
const PASSWORD: Source = Source::Random(40, Alphabet::Alphanumeric);

/// Every secret, in the order in which they are made: the JWT secret stands before the keys that it
/// signs.
pub(crate) static CATALOGUE: [SecretSpec<'static>; 19] = [
    spec(MASTER_PASSWORD, "supabase-database-master", "password", PASSWORD),
    spec(
        "database/authenticator-password",
        "supabase-database-authenticator",
        "password",
        PASSWORD,
    ),
    spec("database/auth-admin-password", "supabase-database-auth-admin", "password", PASSWORD),
    spec(
        "database/storage-admin-password",
        "supabase-database-storage-admin",
        "password",
        PASSWORD,
    ),
    spec("database/admin-password", "supabase-database-admin", "password", PASSWORD),
    spec("database/backup-password", "supabase-database-backup", "password", PASSWORD),
    spec(JWT_SECRET, "supabase-jwt", "secret", Source::Random(64, Alphabet::Alphanumeric)),
    spec(ANON_KEY, "supabase-jwt", "anon-key", Source::ApiKey(ApiRole::Anon)),
    spec(
        SERVICE_ROLE_KEY,
        "supabase-jwt",
        "service-role-key",
        Source::ApiKey(ApiRole::ServiceRole),
    ),
    spec(DASHBOARD_USERNAME, "supabase-dashboard", "username", Source::Fixed("supabase")),
    spec(DASHBOARD_PASSWORD, "supabase-dashboard", "password", PASSWORD),
    spec(
        "realtime/secret-key-base",
        "supabase-realtime",
        "secret-key-base",
        Source::Random(64, Alphabet::Alphanumeric),
    ),
    spec(
        "realtime/database-encryption-key",
        "supabase-realtime",
        "database-encryption-key",
        Source::Random(16, Alphabet::Alphanumeric),
    ),
    spec("realtime/metrics-secret", "supabase-realtime", "metrics-secret", PASSWORD),
    spec("meta/crypto-key", "supabase-meta", "crypto-key", PASSWORD),
    spec(
        "storage/s3-access-key-id",
        "supabase-storage",
        "s3-access-key-id",
        Source::Random(20, Alphabet::Alphanumeric),
    ),
    spec("storage/s3-secret-access-key", "supabase-storage", "s3-secret-access-key", PASSWORD),
    spec("smtp/username", SMTP, "username", Source::Person),
    spec("smtp/password", SMTP, "password", Source::Person),
];

const fn spec(
    path: &'static str,
    kubernetes_secret: &'static str,
    key: &'static str,
    source: Source,
) -> SecretSpec<'static> {
    SecretSpec { path, kubernetes_secret, key, source }
}

impl SecretSpec<'_> {
    /// A name that a person logs in with is no secret, and hiding it would hide innocent text.
    pub(crate) const fn is_hidden(&self) -> bool {
        !matches!(self.source, Source::Fixed(_))
    }
}

/// Every secret that an environment may have: the catalogue's, then those that it declares itself.
pub(crate) fn known(environment: &Environment) -> impl Iterator<Item = SecretSpec<'_>> {
    let declared = environment.extra_secrets.iter().map(|extra| SecretSpec {
        path: &extra.path,
        kubernetes_secret: &extra.kubernetes_secret,
        key: &extra.key,
        source: Source::Person,
    });
    CATALOGUE.iter().copied().chain(declared)
}

/// The secrets that an environment needs: those of the mail server only where mail goes through SMTP.
pub(crate) fn needed(environment: &Environment) -> impl Iterator<Item = SecretSpec<'_>> {
    let smtp = environment.overlay.smtp_enabled();
    known(environment).filter(move |spec| smtp || spec.kubernetes_secret != SMTP)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CATALOGUE, JWT_SECRET, Source};

    #[test]
    fn no_path_and_no_target_is_given_twice() {
        let paths: BTreeSet<_> = CATALOGUE.iter().map(|spec| spec.path).collect();
        let targets: BTreeSet<_> =
            CATALOGUE.iter().map(|spec| (spec.kubernetes_secret, spec.key)).collect();
        assert_eq!((paths.len(), targets.len()), (CATALOGUE.len(), CATALOGUE.len()));
    }

    #[test]
    fn the_jwt_secret_is_made_before_the_keys_it_signs() {
        let secret = CATALOGUE.iter().position(|spec| spec.path == JWT_SECRET).unwrap();
        let first_key =
            CATALOGUE.iter().position(|spec| matches!(spec.source, Source::ApiKey(_))).unwrap();
        assert!(secret < first_key);
    }
}
