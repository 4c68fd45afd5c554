//! The person's wish to stop, as one flag that everything long-running looks at.
//!
//! The first SIGINT or SIGTERM sets it. Later ones change nothing: a second interrupt makes
//! Terraform give up without saving its state.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use anyhow::Context;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

/// A handle on the flag. Clones are the same flag.
#[derive(Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: usize,
    subscribers: Vec<mpsc::Sender<usize>>,
}

impl Interrupt {
    /// A flag that only [`Interrupt::request`] sets: for tests and for embedding.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that SIGINT and SIGTERM set. From here on neither ends this process by itself.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn on_signals() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let mut signals =
            Signals::new([SIGINT, SIGTERM]).context("failed to install the signal handlers")?;
        let handle = interrupt.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || signals.forever().for_each(|_| handle.request()))
            .context("failed to start the thread that waits for signals")?;
        Ok(interrupt)
    }

    /// Asks everything to stop. Further calls only count.
    pub fn request(&self) {
        let mut state = self.lock();
        state.requests += 1;
        let requests = state.requests;
        state.subscribers.retain(|subscriber| subscriber.send(requests).is_ok());
        self.shared.changed.notify_all();
    }

    #[must_use]
    pub fn is_set(&self) -> bool {
        self.requests() > 0
    }

    /// How often a stop was asked for; only the first one counts as more than impatience.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.lock().requests
    }

    /// Receives the number of each further request (1 is the first), to tell the person that it
    /// was heard.
    #[must_use]
    pub fn subscribe(&self) -> mpsc::Receiver<usize> {
        let (sender, receiver) = mpsc::channel();
        self.lock().subscribers.push(sender);
        receiver
    }

    /// Waits `time`, or less when a stop is asked for. True when it was.
    pub fn wait_timeout(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.lock();
        while state.requests == 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("requests", &self.requests()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_sets_it_and_wakes_those_who_wait() {
        let interrupt = Interrupt::new();
        assert!(!interrupt.is_set());
        assert!(!interrupt.wait_timeout(Duration::ZERO));
        let requests = interrupt.subscribe();
        let waiting = interrupt.clone();
        let waiter = std::thread::spawn(move || waiting.wait_timeout(Duration::from_secs(3600)));
        interrupt.request();
        assert!(waiter.join().unwrap());
        interrupt.request();
        assert_eq!(requests.try_iter().collect::<Vec<_>>(), [1, 2]);
        assert!(interrupt.is_set() && interrupt.wait_timeout(Duration::from_secs(3600)));
    }

    #[test]
    fn a_subscriber_that_left_is_forgotten() {
        let interrupt = Interrupt::new();
        drop(interrupt.subscribe());
        interrupt.request();
        assert!(interrupt.lock().subscribers.is_empty());
    }
}
