//! The one asynchronous runtime of the program, and the way a wait on it ends.

use std::{
    cell::RefCell,
    future::Future,
    pin::pin,
    sync::{LazyLock, Once},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use tokio::{
    runtime::{Builder, Runtime},
    time::{MissedTickBehavior, interval},
};

use crate::{DeadlineExceeded, Interrupted, Wait};

static RUNTIME: LazyLock<Result<Runtime, String>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("network")
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
});

pub(crate) fn runtime() -> Result<&'static Runtime> {
    RUNTIME.as_ref().map_err(|error| anyhow!("failed to start the network threads: {error}"))
}

/// Runs `future` to its end on the calling thread; several threads may do so at once.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(future)
}

/// As [`block_on`], but not for longer than `time`: for questions that are answered at once or not
/// at all. `whom` is for the error: "the Kubernetes API".
pub(crate) fn ask<T>(
    whom: &str,
    time: Duration,
    question: impl Future<Output = Result<T>>,
) -> Result<T> {
    block_on(async {
        tokio::time::timeout(time, question).await.unwrap_or_else(|_| {
            Err(anyhow!("{whom} did not answer within {} seconds", time.as_secs()))
        })
    })
}

/// Makes ring the process's TLS provider: rustls refuses to choose where a feature of some
/// dependency compiles a second one in.
pub(crate) fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails only where a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// How often the person's wish to stop is looked at.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(100);

/// The longest time without a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What a wait saw last. Tells the person about changes.
pub(crate) struct Seen<'a> {
    text: RefCell<String>,
    progress: &'a dyn Fn(&str),
}

impl Seen<'_> {
    pub(crate) fn note(&self, text: impl Into<String>) {
        let text = text.into();
        if *self.text.borrow() != text {
            (self.progress)(&text);
            *self.text.borrow_mut() = text;
        }
    }

    fn text(&self) -> String {
        self.text.borrow().clone()
    }
}

/// Runs `work` until it ends, the deadline passes or the person asks to stop. `awaited` is for
/// the error: "Ingress `supabase/supabase` to get a host name".
pub(crate) fn wait_for<T>(
    wait: &Wait<'_>,
    awaited: &str,
    work: impl AsyncFnOnce(&Seen<'_>) -> Result<T>,
) -> Result<T> {
    let seen = Seen { text: RefCell::default(), progress: wait.progress };
    runtime()?.block_on(async {
        let mut work = pin!(work(&seen));
        let mut tick = interval(INTERRUPT_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut spoken = (Instant::now(), String::new());
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                _ = tick.tick() => {
                    let text = seen.text();
                    ensure_in_time(wait, Instant::now(), awaited, &text)?;
                    if text != spoken.1 {
                        spoken = (Instant::now(), text);
                    } else if spoken.0.elapsed() >= HEARTBEAT {
                        (wait.progress)(if text.is_empty() { awaited } else { &text });
                        spoken.0 = Instant::now();
                    }
                }
            }
        }
    })
}

/// # Errors
/// [`Interrupted`] or [`DeadlineExceeded`].
pub(crate) fn ensure_in_time(
    wait: &Wait<'_>,
    now: Instant,
    awaited: &str,
    last_seen: &str,
) -> Result<()> {
    if (wait.interrupted)() {
        return Err(Interrupted.into());
    }
    if now >= wait.deadline {
        let (awaited, last_seen) = (awaited.to_owned(), last_seen.to_owned());
        return Err(DeadlineExceeded { awaited, last_seen }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_wait_ends_with_its_work() {
        let value = wait_for(&Wait::at_most(Duration::from_secs(60)), "x", async |_| Ok(7));
        assert_eq!(value.unwrap(), 7);
    }

    #[test]
    fn a_passed_deadline_tells_what_was_seen_last() {
        let wait = Wait::at_most(Duration::ZERO);
        let error = wait_for(&wait, "Job `a/b` to end", async |seen| {
            seen.note("no Pod yet");
            std::future::pending::<Result<()>>().await
        });
        let error = error.unwrap_err();
        assert_eq!(
            error.to_string(),
            "gave up waiting for Job `a/b` to end; last seen: no Pod yet"
        );
        assert!(error.downcast_ref::<DeadlineExceeded>().is_some());
    }

    #[test]
    fn a_question_is_not_asked_forever() {
        let never = std::future::pending::<Result<()>>();
        let error = ask("the Kubernetes API", Duration::ZERO, never).unwrap_err();
        assert_eq!(error.to_string(), "the Kubernetes API did not answer within 0 seconds");
    }

    #[test]
    fn an_interrupt_ends_a_wait() {
        let asked = Cell::new(0);
        let interrupted = || {
            asked.set(asked.get() + 1);
            asked.get() > 2
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let wait = Wait::until(deadline, &interrupted, &|_| {});
        let error = wait_for(&wait, "x", async |_| std::future::pending::<Result<()>>().await);
        assert!(error.unwrap_err().downcast_ref::<Interrupted>().is_some());
    }

    #[test]
    fn only_changes_are_told() {
        let told = RefCell::new(Vec::new());
        let progress = |text: &str| told.borrow_mut().push(text.to_owned());
        let deadline = Instant::now() + Duration::from_secs(60);
        let wait = Wait::until(deadline, &|| false, &progress);
        wait_for(&wait, "x", async |seen| {
            ["a", "a", "b"].into_iter().for_each(|text| seen.note(text));
            Ok(())
        })
        .unwrap();
        assert_eq!(*told.borrow(), ["a", "b"]);
    }
}
