//! Every event as one JSON object a line, for machines.

use xtask_pipeline::{Event, Reporter};

use super::Console;

/// See the module.
pub(super) struct JsonLines {
    console: Console,
}

impl JsonLines {
    pub(super) fn new(console: Console) -> Self {
        Self { console }
    }
}

impl Reporter for JsonLines {
    fn report(&self, event: &Event<'_>) {
        match serde_json::to_string(event) {
            Ok(line) => self.console.line(&line),
            Err(error) => self.console.remark(&format!("failed to write an event: {error}")),
        }
    }
}
