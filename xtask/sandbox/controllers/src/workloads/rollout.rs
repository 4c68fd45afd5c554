//! The arithmetic of a rolling update: how many Pods of which ReplicaSet come next.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// How far a rolling update may go beyond and below the wanted number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The wanted number of Pods.
    pub(crate) replicas: i32,
    /// Pods that may exist beyond it.
    pub(crate) max_surge: i32,
    /// Pods that may be missing from it.
    pub(crate) max_unavailable: i32,
}

impl Bounds {
    /// The bounds of a Deployment; `Recreate` has neither.
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let spec = deployment.spec.clone().unwrap_or_default();
        let replicas = spec.replicas.unwrap_or(1);
        if is_recreate(deployment) {
            return Self { replicas, max_surge: 0, max_unavailable: 0 };
        }
        let rolling =
            spec.strategy.and_then(|strategy| strategy.rolling_update).unwrap_or_default();
        let max_surge = resolve(rolling.max_surge.as_ref(), replicas, true);
        let mut max_unavailable = resolve(rolling.max_unavailable.as_ref(), replicas, false);
        if max_surge == 0 && max_unavailable == 0 {
            max_unavailable = 1;
        }
        Self { replicas, max_surge, max_unavailable: max_unavailable.min(replicas) }
    }

    /// The Pods that must be available for the Deployment to be.
    pub(crate) fn min_available(self) -> i32 {
        self.replicas - self.max_unavailable
    }

    /// How many Pods the new ReplicaSet shall have, given what exists.
    pub(crate) fn grow(self, new: i32, all: i32) -> i32 {
        let room = (self.replicas + self.max_surge - all).max(0);
        if new >= self.replicas { self.replicas } else { new + room.min(self.replicas - new) }
    }

    /// How many Pods the old ReplicaSets shall lose in total. `new` is the new ReplicaSet's wanted
    /// and available number, `old` those of each old one, in the order of their age.
    pub(crate) fn shrink(self, new: (i32, i32), old: &[(i32, i32)]) -> Vec<i32> {
        let total: i32 = new.0 + old.iter().map(|(wanted, _)| wanted).sum::<i32>();
        let new_unavailable = new.0 - new.1;
        let mut removable = total - self.min_available() - new_unavailable;
        let mut wanted: Vec<i32> = old.iter().map(|(wanted, _)| *wanted).collect();
        // First those that serve nobody, so that a broken revision never holds the next one up.
        for (wanted, (_, available)) in wanted.iter_mut().zip(old) {
            let step = (*wanted - available).clamp(0, removable.max(0));
            *wanted -= step;
            removable -= step;
        }
        let available: i32 = new.1 + old.iter().map(|(_, available)| available).sum::<i32>();
        let mut spare = (available - self.min_available()).max(0);
        for wanted in &mut wanted {
            let step = (*wanted).min(spare);
            *wanted -= step;
            spare -= step;
        }
        wanted
    }
}

pub(crate) fn is_recreate(deployment: &Deployment) -> bool {
    deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.strategy.as_ref()?.type_.as_deref())
        .is_some_and(|strategy| strategy == "Recreate")
}

/// A number or a percentage of `whole`; 25 % where nothing is said, as the API's default is.
pub(crate) fn resolve(value: Option<&IntOrString>, whole: i32, round_up: bool) -> i32 {
    let percent = match value {
        Some(IntOrString::Int(number)) => return *number,
        Some(IntOrString::String(text)) => text.trim_end_matches('%').parse::<i64>().unwrap_or(25),
        None => 25,
    };
    let hundredfold = percent * i64::from(whole);
    let share = if round_up { (hundredfold + 99) / 100 } else { hundredfold / 100 };
    i32::try_from(share).unwrap_or(i32::MAX)
}

/// The number of Pods that a ReplicaSet wants.
pub(crate) fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// The number of available Pods that a ReplicaSet reports.
pub(crate) fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentages_round_up_for_surge_and_down_for_unavailable() {
        assert_eq!(resolve(None, 3, true), 1);
        assert_eq!(resolve(None, 3, false), 0);
        assert_eq!(resolve(Some(&IntOrString::String("50%".into())), 3, true), 2);
        assert_eq!(resolve(Some(&IntOrString::Int(2)), 3, true), 2);
    }

    #[test]
    fn a_broken_revision_is_taken_away_before_a_serving_one() {
        let bounds = Bounds { replicas: 2, max_surge: 1, max_unavailable: 0 };
        // Two good old Pods, one broken Pod of a failed revision, the next revision wants to start.
        assert_eq!(bounds.shrink((0, 0), &[(2, 2), (1, 0)]), vec![2, 0]);
        assert_eq!(bounds.grow(0, 2), 1);
    }

    proptest! {
        /// From any start, rolling forward with Pods that become ready ends with the new ReplicaSet
        /// alone, and never leaves the bounds on the way.
        #[test]
        fn a_rolling_update_ends_and_keeps_its_bounds(
            replicas in 1..12i32, surge in 0..4i32, unavailable in 0..4i32,
        ) {
            let max_unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
            let bounds = Bounds {
                replicas, max_surge: surge, max_unavailable: max_unavailable.min(replicas),
            };
            let (mut new, mut old) = (0, replicas);
            for _ in 0..100 {
                new = bounds.grow(new, new + old);
                prop_assert!(new + old <= replicas + surge);
                old = bounds.shrink((new, new), &[(old, old)])[0];
                prop_assert!(new + old >= bounds.min_available());
            }
            prop_assert_eq!((new, old), (replicas, 0));
        }
    }
}
