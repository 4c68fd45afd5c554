//! Where container logs come from.

use std::{future::Future, pin::Pin};

use tokio::sync::mpsc;

/// One `GET pods/NAME/log`.
#[derive(Clone, Debug)]
pub struct LogRequest {
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    /// The container asked for, or the Pod's only one.
    pub container: String,
    /// Only the last lines, if given.
    pub tail_lines: Option<usize>,
    /// Only the last bytes, if given.
    pub limit_bytes: Option<usize>,
    pub follow: bool,
    /// The run before the current one.
    pub previous: bool,
    pub timestamps: bool,
}

/// Chunks of a log; the log ends when the sender is dropped.
pub type LogStream = mpsc::Receiver<Vec<u8>>;

/// Answers `GET pods/NAME/log`; implemented by whoever runs the containers.
pub trait LogProvider: Send + Sync {
    fn log<'a>(
        &'a self,
        request: LogRequest,
    ) -> Pin<Box<dyn Future<Output = LogStream> + Send + 'a>>;
}

/// Every log is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLogs;

impl LogProvider for NoLogs {
    fn log<'a>(
        &'a self,
        _request: LogRequest,
    ) -> Pin<Box<dyn Future<Output = LogStream> + Send + 'a>> {
        Box::pin(async { mpsc::channel(1).1 })
    }
}
