//! The one thing that this package needs from a network, handed in by whoever has one.

use std::{fmt, io::Write};

/// Fetches files by URL.
pub trait Download: fmt::Debug + Send + Sync {
    /// Writes the file at `url` (https) to `file`, following redirects; `progress` gets the bytes
    /// so far and, if known, of all.
    ///
    /// # Errors
    /// When it cannot be fetched completely: one sentence that names the host.
    fn fetch(
        &self,
        url: &str,
        file: &mut dyn Write,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> anyhow::Result<()>;
}

/// For runs without a network: every download fails and says so.
#[derive(Debug, Clone, Copy)]
pub struct NoDownload;

impl Download for NoDownload {
    fn fetch(
        &self,
        url: &str,
        _: &mut dyn Write,
        _: &dyn Fn(u64, Option<u64>),
    ) -> anyhow::Result<()> {
        anyhow::bail!("`{url}` was not fetched: downloads are switched off")
    }
}
