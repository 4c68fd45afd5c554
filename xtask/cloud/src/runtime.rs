//! The one asynchronous runtime of the program.

use std::{future::Future, sync::LazyLock};

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Result<Runtime, String>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("network")
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
});

pub(crate) fn runtime() -> Result<&'static Runtime> {
    RUNTIME
        .as_ref()
        .map_err(|error| anyhow::anyhow!("failed to start the network threads: {error}"))
}

/// Runs `future` to its end on the calling thread; several threads may do so at once.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(future)
}
