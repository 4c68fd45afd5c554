//! What becomes of a child's output: lines to the caller, the log file and the end of an error.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use anyhow::Context;

use super::Command;
use crate::Redactor;

/// How many lines an error keeps: several of Terraform's errors have a dozen lines each.
const TAIL: usize = 300;

/// One line that a child printed, redacted, without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub stream: Stream,
    pub text: &'a str,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Output,
    Error,
}

/// Takes all that one child prints.
pub(super) struct Sink<'a> {
    redactor: Redactor,
    on_line: &'a mut dyn FnMut(Line<'_>),
    log: Option<File>,
    tail: VecDeque<String>,
    captured: Option<Vec<u8>>,
}

impl<'a> Sink<'a> {
    /// Every line of both streams goes to `on_line` and the log.
    pub(super) fn lines(
        command: &Command,
        on_line: &'a mut dyn FnMut(Line<'_>),
    ) -> anyhow::Result<Self> {
        let log = command.log.as_deref().map(open_log).transpose()?;
        let redactor = command.processes.redactor().clone();
        Ok(Self { redactor, on_line, log, tail: VecDeque::new(), captured: None })
    }

    /// Standard output is kept as it is, and neither logged nor shown.
    pub(super) fn captured(
        command: &Command,
        on_line: &'a mut dyn FnMut(Line<'_>),
    ) -> anyhow::Result<Self> {
        Ok(Self { captured: Some(Vec::new()), ..Self::lines(command, on_line)? })
    }

    pub(super) fn into_captured(self) -> Vec<u8> {
        self.captured.unwrap_or_default()
    }

    /// The last lines, oldest first.
    pub(super) fn take_tail(&mut self) -> Vec<String> {
        self.tail.drain(..).collect()
    }

    /// A line of our own in the log.
    pub(super) fn remark(&mut self, text: &str) -> anyhow::Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        writeln!(log, "{}", self.redactor.redact(text)).context("failed to write a log file")
    }

    fn take_line(&mut self, stream: Stream, bytes: &[u8]) -> anyhow::Result<()> {
        let raw = String::from_utf8_lossy(bytes);
        let text = self.redactor.redact(raw.trim_end_matches(['\r', '\n']));
        if let Some(log) = &mut self.log {
            writeln!(log, "{text}").context("failed to write a log file")?;
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(text.clone().into_owned());
        (self.on_line)(Line { stream, text: &text });
        Ok(())
    }
}

/// The file that a child prints to, and how far it was read.
pub(super) struct Tail {
    stream: Stream,
    file: File,
    offset: u64,
    unfinished: Vec<u8>,
}

impl Tail {
    /// A file without a name: it vanishes with the last process that has it open.
    pub(super) fn new(stream: Stream) -> io::Result<Self> {
        Ok(Self { stream, file: tempfile::tempfile()?, offset: 0, unfinished: Vec::new() })
    }

    /// The child's end. It shares the write position, which reading at an offset leaves alone.
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Gives what came since the last call to `sink`; the unfinished last line only at the `end`.
    pub(super) fn read(&mut self, sink: &mut Sink<'_>, end: bool) -> anyhow::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = self.file.read_at(&mut buffer, self.offset);
            let count = count.context("failed to read the output of a command")?;
            if count == 0 {
                break;
            }
            self.offset += count as u64;
            let new = &buffer[..count];
            match &mut sink.captured {
                Some(captured) if self.stream == Stream::Output => captured.extend_from_slice(new),
                _ => self.take(new, sink)?,
            }
        }
        if end && !self.unfinished.is_empty() {
            sink.take_line(self.stream, &std::mem::take(&mut self.unfinished))?;
        }
        Ok(())
    }

    fn take(&mut self, new: &[u8], sink: &mut Sink<'_>) -> anyhow::Result<()> {
        for piece in new.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                sink.take_line(self.stream, &self.unfinished)?;
                self.unfinished.clear();
            }
        }
        Ok(())
    }
}

/// Opens `path` for appending, for nobody but its owner, with the folders on the way to it.
pub(super) fn open_log(path: &Path) -> anyhow::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("failed to open the log `{}`", path.display()))
}
