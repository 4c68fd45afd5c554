//! Which check starts next: one of each lane at a time, the fast ones before the slow ones, and
//! none beside another one that uses the same thing.

use crate::{Check, Kind};

/// The checks that have not started yet, and those that run.
#[derive(Debug)]
pub(crate) struct Queue<'a> {
    /// In the order in which they start when nothing keeps them.
    pending: Vec<&'a Check>,
    running: Vec<&'a Check>,
    one_at_a_time: bool,
}

impl<'a> Queue<'a> {
    pub(crate) fn new(mut checks: Vec<&'a Check>, one_at_a_time: bool) -> Self {
        checks.sort_by_key(|check| check.kind);
        Self { pending: checks, running: Vec::new(), one_at_a_time }
    }

    /// A check that can start now; it counts as running until [`Queue::ended`]. A slow one comes only
    /// once every fast one has ended, and when `slow_too` says so at that time.
    pub(crate) fn next(&mut self, slow_too: bool) -> Option<&'a Check> {
        let fast_left =
            self.pending.iter().chain(&self.running).any(|check| check.kind == Kind::Fast);
        let may = |check: &&'a Check| match check.kind {
            Kind::Fast => true,
            Kind::Slow => slow_too && !fast_left,
        };
        let index =
            self.pending.iter().position(|check| may(check) && !self.is_in_the_way(check))?;
        let check = self.pending.remove(index);
        self.running.push(check);
        Some(check)
    }

    pub(crate) fn ended(&mut self, name: &str) {
        self.running.retain(|check| check.name != name);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Those that never started.
    pub(crate) fn left(self) -> Vec<&'a Check> {
        self.pending
    }

    fn is_in_the_way(&self, check: &Check) -> bool {
        let shares = |running: &&Check| {
            self.one_at_a_time
                || running.lane == check.lane
                || running.alone.iter().any(|thing| check.alone.contains(thing))
        };
        self.running.iter().any(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CheckOutcome, Lane, Thing};

    const fn row(name: &'static str, kind: Kind, lane: Lane) -> Check {
        let run = |_: &_| Ok(CheckOutcome::Passed(String::new()));
        Check { name, kind, lane, alone: &[], claim: "", remedy: "", run }
    }

    const COMPILE: Check = row("compile", Kind::Slow, Lane::Computes);
    const LINT: Check = row("lint", Kind::Fast, Lane::Computes);
    const FETCH: Check = row("fetch", Kind::Fast, Lane::Waits);
    const DEPLOY: Check = row("deploy", Kind::Slow, Lane::Waits);

    /// The names of all that can start.
    fn start(queue: &mut Queue<'_>, slow_too: bool) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.next(slow_too)).map(|check| check.name).collect()
    }

    #[test]
    fn one_of_each_lane_runs_and_slow_ones_wait_for_the_last_fast_one() {
        let mut queue = Queue::new(vec![&COMPILE, &LINT, &DEPLOY, &FETCH], false);
        assert_eq!(start(&mut queue, true), ["lint", "fetch"]);
        queue.ended("fetch");
        assert!(start(&mut queue, true).is_empty(), "a fast one still runs");
        queue.ended("lint");
        assert_eq!(start(&mut queue, true), ["compile", "deploy"]);
        queue.ended("deploy");
        assert!(!queue.is_idle());
        queue.ended("compile");
        assert!(queue.is_idle());
    }

    #[test]
    fn slow_ones_are_left_when_they_may_not_start() {
        let mut queue = Queue::new(vec![&LINT, &COMPILE, &DEPLOY], false);
        assert_eq!(start(&mut queue, false), ["lint"]);
        queue.ended("lint");
        assert!(start(&mut queue, false).is_empty());
        let left: Vec<_> = queue.left().iter().map(|check| check.name).collect();
        assert_eq!(left, ["compile", "deploy"]);
    }

    #[test]
    fn one_lane_is_taken_in_order() {
        let second = Check { name: "second", ..COMPILE };
        let mut queue = Queue::new(vec![&COMPILE, &second], false);
        assert_eq!(start(&mut queue, true), ["compile"]);
        queue.ended("compile");
        assert_eq!(start(&mut queue, true), ["second"]);
    }

    #[test]
    fn who_shares_a_thing_waits_and_lets_another_pass() {
        let validate = Check { alone: &[Thing::TerraformData], ..DEPLOY };
        let test = Check { name: "test", alone: &[Thing::TerraformData], ..COMPILE };
        let mut queue = Queue::new(vec![&validate, &test, &COMPILE], false);
        assert_eq!(start(&mut queue, true), ["deploy", "compile"]);
        queue.ended("compile");
        assert!(start(&mut queue, true).is_empty(), "its thing is still in use");
        queue.ended("deploy");
        assert_eq!(start(&mut queue, true), ["test"]);
    }

    #[test]
    fn one_at_a_time_means_one_of_all() {
        let mut queue = Queue::new(vec![&COMPILE, &DEPLOY], true);
        assert_eq!(start(&mut queue, true), ["compile"]);
        queue.ended("compile");
        assert_eq!(start(&mut queue, true), ["deploy"]);
    }
}
