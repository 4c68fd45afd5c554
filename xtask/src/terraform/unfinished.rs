//! Resources whose creation was interrupted, taken for made: the next plan compares each with AWS and
//! completes it, where it would else be destroyed and made again.

use serde_json::Value;

use super::Terraform;
use crate::watch::Watch;

impl Terraform {
    /// Takes these for made, as far as the state calls them tainted; each is told to `tell` first.
    /// All at once, since Terraform's own command takes one, and seconds for it.
    ///
    /// The state travels through memory alone, because it holds secrets. Terraform itself compares
    /// lineage and serial under the lock: what another run wrote since is not overwritten.
    pub(crate) fn untaint(
        &self,
        watch: &Watch<'_>,
        addresses: &[String],
        tell: &dyn Fn(&str),
    ) -> anyhow::Result<()> {
        let pull = self.command("read the state", watch).args(["state", "pull"]);
        let text = pull.output().map_err(|error| self.explained(error))?;
        let (state, untainted) = without_taints(&text, addresses)?;
        if untainted.is_empty() {
            return Ok(());
        }
        untainted.iter().for_each(|address| tell(address));
        let command = |lock| {
            self.command("keep what an interrupted run has begun", watch)
                .args(["state", "push", "-no-color", lock, "-"])
                .stdin(state.clone())
        };
        let pushed = self.locking(watch, command, |command| super::follow(command, watch));
        self.written(watch, pushed)
    }
}

/// The next version of a state in which these are not tainted, and which of them were.
fn without_taints(text: &str, addresses: &[String]) -> anyhow::Result<(String, Vec<String>)> {
    // Not shown: a state may hold what nobody should read.
    let unreadable = || anyhow::anyhow!("the state is not readable");
    let mut state: Value = serde_json::from_str(text).map_err(|_| unreadable())?;
    let serial = state["serial"].as_u64().ok_or_else(unreadable)?;
    let mut untainted = Vec::new();
    let resources = state["resources"].as_array_mut().into_iter().flatten();
    for resource in resources.filter(|resource| resource["mode"] == "managed") {
        let base = address(resource);
        for instance in resource["instances"].as_array_mut().into_iter().flatten() {
            let address = format!("{base}{}", index(&instance["index_key"]));
            // A deposed object is the old one of a replacement, and stays to be deleted.
            let is_current = instance["deposed"].is_null();
            if is_current && instance["status"] == "tainted" && addresses.contains(&address) {
                instance.as_object_mut().ok_or_else(unreadable)?.remove("status");
                untainted.push(address);
            }
        }
    }
    state["serial"] = (serial + 1).into();
    Ok((state.to_string(), untainted))
}

/// The address of a resource in a state, without the key of an instance.
fn address(resource: &Value) -> String {
    let parts = ["module", "type", "name"].map(|part| resource[part].as_str().unwrap_or_default());
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

fn index(key: &Value) -> String {
    if key.is_null() { String::new() } else { format!("[{key}]") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::without_taints;

    const SUBNET: &str = r#"module.network.aws_subnet.node["eu-west-1a"]"#;
    const COUNTED: &str = "aws_eip.nat[0]";

    fn state() -> Value {
        let tainted = |key: Value| json!({"index_key": key, "status": "tainted", "attributes": {"id": "x", "password": "canary"}});
        let deposed = json!({"deposed": "1f", "index_key": "eu-west-1a", "status": "tainted"});
        json!({
            "version": 4, "serial": 41, "lineage": "l",
            "resources": [
                {"module": "module.network", "mode": "managed", "type": "aws_subnet", "name": "node",
                 "instances": [tainted("eu-west-1a".into()), tainted("eu-west-1b".into()), deposed]},
                {"mode": "managed", "type": "aws_eip", "name": "nat", "instances": [tainted(0.into())]},
                {"mode": "managed", "type": "aws_vpc", "name": "this", "instances": [{"attributes": {}}]},
            ],
        })
    }

    fn after(addresses: &[&str]) -> (Value, Vec<String>) {
        let addresses: Vec<String> = addresses.iter().map(|one| (*one).to_owned()).collect();
        let (text, untainted) = without_taints(&state().to_string(), &addresses).unwrap();
        (serde_json::from_str(&text).unwrap(), untainted)
    }

    #[test]
    fn what_was_named_is_taken_for_made_at_once_and_nothing_else() {
        let (left, untainted) = after(&[SUBNET, COUNTED, "aws_vpc.this"]);
        assert_eq!(untainted, [SUBNET, COUNTED], "what is not tainted is not untainted");
        let mut expected = state();
        expected["serial"] = 42.into();
        for instance in ["/resources/0/instances/0", "/resources/1/instances/0"] {
            expected.pointer_mut(instance).unwrap().as_object_mut().unwrap().remove("status");
        }
        assert_eq!(left, expected);
    }

    #[test]
    fn a_state_that_is_not_one_is_not_shown() {
        for text in ["", r#"{"serial": "canary"}"#, r#"{"canary"#] {
            let error = without_taints(text, &[]).unwrap_err();
            assert!(!format!("{error:#}").contains("canary"), "{error:#}");
        }
    }
}
