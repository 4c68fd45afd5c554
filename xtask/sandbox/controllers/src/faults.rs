//! What a person asked to go wrong, so that a pipeline can be seen to cope.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// One thing that goes wrong until it is cleared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Containers of Pods with this `app.kubernetes.io/component` label exit with code 1.
    PodCrash {
        /// The component, e.g. `rest`.
        component: String,
    },
    /// The same for the Pods of revisions that did not run before the fault: an upgrade fails, and
    /// what it replaces lives.
    UpgradeCrash {
        /// The component, e.g. `rest`.
        component: String,
    },
    /// SSM answers that a parameter, whose path ends with this text, does not exist.
    SecretMissing {
        /// The end of the parameter's path, e.g. `jwt/secret`.
        parameter: String,
    },
    /// Load balancers never get a host name.
    LoadBalancerNever,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PodCrash { component } => write!(f, "pod-crash:{component}"),
            Self::UpgradeCrash { component } => write!(f, "upgrade-crash:{component}"),
            Self::SecretMissing { parameter } => write!(f, "secret-missing:{parameter}"),
            Self::LoadBalancerNever => f.write_str("load-balancer-never"),
        }
    }
}

impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text.split_once(':') {
            Some(("pod-crash", component)) if !component.is_empty() => {
                Ok(Self::PodCrash { component: component.to_owned() })
            }
            Some(("upgrade-crash", component)) if !component.is_empty() => {
                Ok(Self::UpgradeCrash { component: component.to_owned() })
            }
            Some(("secret-missing", parameter)) if !parameter.is_empty() => {
                Ok(Self::SecretMissing { parameter: parameter.to_owned() })
            }
            None if text == "load-balancer-never" => Ok(Self::LoadBalancerNever),
            _ => anyhow::bail!(
                "unknown fault `{text}`: one of pod-crash:<component>, upgrade-crash:<component>, \
                 secret-missing:<end of the parameter's path>, load-balancer-never"
            ),
        }
    }
}

/// The faults that are switched on; the controllers watch it.
#[derive(Debug)]
pub struct Faults {
    on: watch::Sender<BTreeSet<Fault>>,
    /// The revisions of each component that an upgrade cannot bring any more: they ran already.
    known: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { on: watch::Sender::new(BTreeSet::new()), known: Mutex::default() }
    }
}

impl Faults {
    /// Switches a fault on.
    pub fn set(&self, fault: Fault) {
        self.on.send_modify(|all| {
            all.insert(fault);
        });
    }

    /// Switches a fault off; false if it was not on.
    pub fn clear(&self, fault: &Fault) -> bool {
        self.on.send_if_modified(|all| all.remove(fault))
    }

    /// Switches all off.
    pub fn clear_all(&self) {
        self.on.send_modify(BTreeSet::clear);
    }

    /// What is on.
    #[must_use]
    pub fn list(&self) -> Vec<Fault> {
        self.on.borrow().iter().cloned().collect()
    }

    pub(crate) fn is_on(&self, fault: &Fault) -> bool {
        self.on.borrow().contains(fault)
    }

    /// Whether a container of a component is to crash. `revision` tells its Pod's template from
    /// others; one that is seen while no upgrade is to crash is known from then on.
    pub(crate) fn crashes(&self, component: &str, revision: Option<&str>) -> bool {
        let component = component.to_owned();
        if self.is_on(&Fault::PodCrash { component: component.clone() }) {
            return true;
        }
        let Some(revision) = revision else { return false };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(component.clone()).or_default();
        if self.is_on(&Fault::UpgradeCrash { component }) {
            return !known.contains(revision);
        }
        known.insert(revision.to_owned());
        false
    }

    pub(crate) fn is_missing(&self, parameter: &str) -> bool {
        self.on.borrow().iter().any(|fault| {
            matches!(fault, Fault::SecretMissing { parameter: end } if parameter.ends_with(end.as_str()))
        })
    }

    pub(crate) fn changes(&self) -> watch::Receiver<BTreeSet<Fault>> {
        self.on.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_back_as_it_is_written() {
        for text in [
            "pod-crash:rest",
            "upgrade-crash:rest",
            "secret-missing:jwt/secret",
            "load-balancer-never",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        assert!("pod-crash".parse::<Fault>().is_err());
        assert!("pod-crash:".parse::<Fault>().is_err());
    }

    #[test]
    fn an_upgrade_that_crashes_leaves_what_ran_before_alone() {
        let faults = Faults::default();
        let crashes = |revision| faults.crashes("rest", Some(revision));
        assert!(!crashes("old"));
        let fault = Fault::UpgradeCrash { component: "rest".into() };
        faults.set(fault.clone());
        assert!(crashes("new"));
        assert!(!crashes("old"));
        assert!(!faults.crashes("auth", Some("new")));
        assert!(!faults.crashes("rest", None));
        faults.clear(&fault);
        assert!(!crashes("new"));
        faults.set(Fault::PodCrash { component: "rest".into() });
        assert!(crashes("old"));
    }

    #[test]
    fn a_missing_secret_is_named_by_the_end_of_its_path() {
        let faults = Faults::default();
        faults.set(Fault::SecretMissing { parameter: "jwt/secret".into() });
        assert!(faults.is_missing("/dev/supabase/jwt/secret"));
        assert!(!faults.is_missing("/dev/supabase/jwt/anon-key"));
        assert!(faults.clear(&Fault::SecretMissing { parameter: "jwt/secret".into() }));
        assert!(faults.list().is_empty());
    }
}
