//! Signs of life: what a step did last, when it has been silent for a while. Whether the step itself
//! has anything to say does not matter: a wait for a lock is silent for minutes.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The longest silence.
const SILENCE: Duration = Duration::from_secs(20);

/// The steps that run, by stage and step.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    running: BTreeMap<(String, String), Step>,
}

#[derive(Debug)]
struct Step {
    begun: Instant,
    spoke: Instant,
    doing: String,
}

impl Pulse {
    /// `title`: what the step does, until it says something more exact.
    pub(super) fn begin(&mut self, stage: &str, step: &str, title: &str, now: Instant) {
        let running = Step { begun: now, spoke: now, doing: title.trim().to_owned() };
        self.running.insert((stage.to_owned(), step.to_owned()), running);
    }

    pub(super) fn hear(&mut self, stage: &str, step: &str, message: &str) {
        let key = (stage.to_owned(), step.to_owned());
        if let Some(running) = self.running.get_mut(&key)
            && !message.trim().is_empty()
        {
            message.trim().clone_into(&mut running.doing);
        }
    }

    pub(super) fn end(&mut self, stage: &str, step: &str) {
        self.running.remove(&(stage.to_owned(), step.to_owned()));
    }

    /// The stages whose steps have been silent for too long, each with its line.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(String, String)> {
        let mut due = Vec::new();
        for ((stage, step), running) in &mut self.running {
            if now.duration_since(running.spoke) < SILENCE {
                continue;
            }
            running.spoke = now;
            let since = super::lines::seconds(now.duration_since(running.begun));
            due.push((stage.clone(), format!("  … {step}: {}, for {since}", running.doing)));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_step_is_heard_of_every_twenty_seconds_until_it_ends() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let line = |text: &str| vec![("infrastructure".to_owned(), text.to_owned())];
        let mut pulse = Pulse::default();
        pulse.begin("infrastructure", "plan", "compare the code with AWS", at(0));
        assert_eq!(pulse.due(at(19)), []);
        assert_eq!(pulse.due(at(20)), line("  … plan: compare the code with AWS, for 20.0 s"));
        assert_eq!(pulse.due(at(39)), []);
        pulse.hear("infrastructure", "plan", " reading aws_vpc.this\n");
        pulse.hear("infrastructure", "plan", " ");
        assert_eq!(pulse.due(at(150)), line("  … plan: reading aws_vpc.this, for 2 min 30 s"));
        pulse.end("infrastructure", "plan");
        assert_eq!(pulse.due(at(900)), []);
    }
}
