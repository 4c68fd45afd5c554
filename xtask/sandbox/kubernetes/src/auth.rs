//! Who a request comes from.

use std::{collections::HashMap, fmt, future::Future, pin::Pin};

/// Someone whom an [`Authenticator`] recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

/// Why nobody was recognised; the reason is for the server's own log, not for the client.
#[derive(Clone, Debug)]
pub enum Unrecognised {
    /// The token is not accepted.
    Unauthorized { reason: String },
    /// It could not be looked at; another time it may be.
    Unavailable { reason: String },
}

impl fmt::Display for Unrecognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized { reason } | Self::Unavailable { reason } => f.write_str(reason),
        }
    }
}

/// The answer of an [`Authenticator`], boxed so that the trait stays object-safe.
pub type Authentication<'a> = Pin<Box<dyn Future<Output = Result<User, Unrecognised>> + Send + 'a>>;

/// Decides whether a bearer token may use a cluster.
pub trait Authenticator: Send + Sync {
    fn authenticate<'a>(&'a self, cluster: &'a str, token: &'a str) -> Authentication<'a>;
}

/// Fixed tokens, the same for every cluster: for tests.
#[derive(Clone, Default)]
pub struct StaticTokens {
    users: HashMap<String, User>,
}

impl StaticTokens {
    pub fn new(users: impl IntoIterator<Item = (String, User)>) -> Self {
        Self { users: users.into_iter().collect() }
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTokens").field("users", &self.users.values()).finish()
    }
}

impl Authenticator for StaticTokens {
    fn authenticate<'a>(&'a self, _cluster: &'a str, token: &'a str) -> Authentication<'a> {
        let user = self.users.get(token).cloned();
        Box::pin(async move {
            user.ok_or_else(|| Unrecognised::Unauthorized { reason: "unknown token".into() })
        })
    }
}
