//! The logs of containers: written by the kubelet, read by whoever answers `kubectl logs`.
//!
//! One file for each run of a container, in the format of a node: `TIME STREAM F TEXT`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

/// What a reader wants of a container's log.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// The Pod's namespace.
    pub namespace: String,
    /// The Pod's name.
    pub pod: String,
    /// The container; empty for the Pod's only one.
    pub container: String,
    /// The run before the current one.
    pub previous: bool,
    /// Go on until the container ends.
    pub follow: bool,
    /// Begin each line with its time.
    pub timestamps: bool,
    /// Only the last lines.
    pub tail_lines: Option<usize>,
    /// Only the first bytes of what is left.
    pub limit_bytes: Option<usize>,
}

/// All container logs of a cluster; clones share them.
#[derive(Clone)]
pub struct PodLogs {
    folder: Arc<PathBuf>,
    runs: Arc<Mutex<BTreeMap<Key, Run>>>,
    /// Counts the changes, for those who follow.
    changes: Arc<watch::Sender<u64>>,
}

/// Namespace, Pod, container.
type Key = (String, String, String);

#[derive(Debug, Clone, Default)]
struct Run {
    files: Vec<PathBuf>,
    open: bool,
}

impl fmt::Debug for PodLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PodLogs").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl PodLogs {
    /// Logs that are kept below `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder: Arc::new(folder),
            runs: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// The log in chunks; it ends when the channel does. A container without a log has an empty one.
    #[must_use]
    pub fn stream(&self, query: LogQuery) -> mpsc::Receiver<Vec<u8>> {
        let (sender, receiver) = mpsc::channel(16);
        let logs = self.clone();
        tokio::spawn(async move { logs.send(query, sender).await });
        receiver
    }

    async fn send(&self, query: LogQuery, sender: mpsc::Sender<Vec<u8>>) {
        let mut changes = self.changes.subscribe();
        let mut sent = 0;
        let mut first = true;
        let mut budget = query.limit_bytes.unwrap_or(usize::MAX);
        loop {
            changes.mark_unchanged();
            let (text, open) = self.read(&query);
            let lines: Vec<&str> = text.lines().collect();
            let skip = match query.tail_lines {
                Some(tail) if first => lines.len().saturating_sub(tail),
                _ => sent,
            };
            sent = lines.len();
            first = false;
            for line in lines.into_iter().skip(skip) {
                let mut bytes = shown(line, query.timestamps).into_bytes();
                bytes.truncate(budget);
                budget -= bytes.len();
                if bytes.is_empty() || sender.send(bytes).await.is_err() {
                    return;
                }
            }
            if !query.follow || !open {
                return;
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
        }
    }

    fn read(&self, query: &LogQuery) -> (String, bool) {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_pod = runs.iter().filter(|((namespace, pod, container), _)| {
            *namespace == query.namespace
                && *pod == query.pod
                && (query.container.is_empty() || *container == query.container)
        });
        let Some((_, run)) = of_pod.next() else { return (String::new(), false) };
        let back = if query.previous { 2 } else { 1 };
        let file = run.files.len().checked_sub(back).and_then(|index| run.files.get(index));
        let open = run.open && !query.previous;
        let text = file.and_then(|file| fs::read(file).ok()).unwrap_or_default();
        (String::from_utf8_lossy(&text).into_owned(), open)
    }

    /// Begins the log of a new run.
    pub(crate) fn begin(
        &self,
        namespace: &str,
        pod: (&str, &str),
        container: &str,
    ) -> std::io::Result<LogWriter> {
        let (name, uid) = pod;
        let key = (namespace.to_owned(), name.to_owned(), container.to_owned());
        let folder = self.folder.join(namespace).join(format!("{name}_{uid}")).join(container);
        fs::create_dir_all(&folder)?;
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let run = runs.entry(key.clone()).or_default();
        // The name of a StatefulSet's Pod comes back with another uid.
        run.files.retain(|file| file.starts_with(&folder));
        let path = folder.join(format!("{}.log", run.files.len()));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        run.files.push(path);
        run.open = true;
        Ok(LogWriter { logs: self.clone(), key, file: Arc::new(Mutex::new(file)) })
    }

    /// Forgets a Pod that is gone; its files stay for whoever looks for them on disk.
    pub(crate) fn forget(&self, namespace: &str, pod: &str) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|(of, name, _), _| of != namespace || name != pod);
        drop(runs);
        self.changes.send_modify(|count| *count += 1);
    }
}

/// A line as the reader wants it.
fn shown(line: &str, timestamps: bool) -> String {
    let mut parts = line.splitn(4, ' ');
    let (time, _, _, text) = (parts.next(), parts.next(), parts.next(), parts.next());
    let text = text.unwrap_or_default();
    if timestamps { format!("{} {text}\n", time.unwrap_or_default()) } else { format!("{text}\n") }
}

/// Appends to the log of one run; the log is complete once the last clone is dropped.
#[derive(Clone)]
pub(crate) struct LogWriter {
    logs: PodLogs,
    key: Key,
    file: Arc<Mutex<File>>,
}

impl LogWriter {
    /// Appends one line that the program wrote to `stream`.
    pub(crate) fn line(&self, stream: &str, text: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not stop its container.
        let _ = writeln!(file, "{} {stream} F {text}", jiff::Timestamp::now());
        drop(file);
        self.logs.changes.send_modify(|count| *count += 1);
    }

    /// The last lines, for a termination message.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let query = LogQuery {
            namespace: self.key.0.clone(),
            pod: self.key.1.clone(),
            container: self.key.2.clone(),
            ..LogQuery::default()
        };
        let (text, _) = self.logs.read(&query);
        let all: Vec<&str> = text.lines().collect();
        all.iter().skip(all.len().saturating_sub(lines)).map(|line| shown(line, false)).collect()
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        if Arc::strong_count(&self.file) == 1 {
            let mut runs = self.logs.runs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(run) = runs.get_mut(&self.key) {
                run.open = false;
            }
            drop(runs);
            self.logs.changes.send_modify(|count| *count += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(logs: &PodLogs, query: LogQuery) -> String {
        let mut stream = logs.stream(query);
        let mut text = String::new();
        while let Some(chunk) = stream.recv().await {
            text.push_str(&String::from_utf8(chunk).unwrap());
        }
        text
    }

    fn query() -> LogQuery {
        LogQuery { namespace: "ns".into(), pod: "p".into(), ..LogQuery::default() }
    }

    #[tokio::test]
    async fn the_current_and_the_previous_run_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let logs = PodLogs::new(folder.path().to_owned());
        let first = logs.begin("ns", ("p", "uid"), "c").unwrap();
        first.line("stdout", "one");
        first.line("stderr", "two words");
        drop(first);
        let second = logs.begin("ns", ("p", "uid"), "c").unwrap();
        second.line("stdout", "three");
        assert_eq!(second.tail(5), "three\n");
        assert_eq!(read(&logs, query()).await, "three\n");
        assert_eq!(read(&logs, LogQuery { previous: true, ..query() }).await, "one\ntwo words\n");
        let tail =
            LogQuery { previous: true, tail_lines: Some(1), limit_bytes: Some(3), ..query() };
        assert_eq!(read(&logs, tail).await, "two");
        assert_eq!(read(&logs, LogQuery { pod: "other".into(), ..query() }).await, "");
    }

    #[tokio::test]
    async fn who_follows_sees_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let logs = PodLogs::new(folder.path().to_owned());
        let writer = logs.begin("ns", ("p", "uid"), "c").unwrap();
        writer.line("stdout", "one");
        let mut stream = logs.stream(LogQuery { follow: true, ..query() });
        assert_eq!(stream.recv().await.unwrap(), b"one\n");
        writer.line("stdout", "two");
        assert_eq!(stream.recv().await.unwrap(), b"two\n");
        drop(writer);
        assert_eq!(stream.recv().await, None);
    }
}
