//! The ordered table of all stages, and which of them a run is about.

use std::{collections::BTreeSet, fmt};

use anyhow::{bail, ensure};

use crate::Stage;

/// The stages in their order. Every stage stands behind those that it needs, so there is no cycle.
pub struct Table<Cx: 'static> {
    stages: &'static [&'static dyn Stage<Cx>],
}

/// Which stages a run is about. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// This stage and all that follow it in the table.
    pub from: Option<String>,
    /// This stage and all that precede it in the table.
    pub to: Option<String>,
    /// These stages and no others; excludes `from` and `to`.
    pub only: Vec<String>,
    /// All but these. A stage that needs a skipped one takes it as done: it uses the output of the
    /// last run that finished it.
    pub skip: Vec<String>,
}

impl<Cx: 'static> Table<Cx> {
    /// # Errors
    /// When two stages have one name, or a stage needs one that does not stand before it.
    pub fn new(stages: &'static [&'static dyn Stage<Cx>]) -> anyhow::Result<Self> {
        let names: BTreeSet<_> = stages.iter().map(|stage| stage.name()).collect();
        let mut before = BTreeSet::new();
        for stage in stages {
            let name = stage.name();
            for need in stage.needs() {
                ensure!(
                    names.contains(need),
                    "stage `{name}` needs `{need}`, which does not exist"
                );
                ensure!(
                    before.contains(need),
                    "stage `{name}` needs `{need}`, which does not stand before it"
                );
            }
            ensure!(before.insert(name), "two stages are called `{name}`");
        }
        Ok(Self { stages })
    }

    #[must_use]
    pub fn stages(&self) -> &'static [&'static dyn Stage<Cx>] {
        self.stages
    }

    /// The names in their order, for the command line and its help.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.stages.iter().map(|stage| stage.name()).collect()
    }

    /// # Errors
    /// When there is no such stage; the message names those that there are.
    pub fn stage(&self, name: &str) -> anyhow::Result<&'static dyn Stage<Cx>> {
        Ok(self.stages[self.position(name)?])
    }

    /// The selected stages in their order.
    ///
    /// # Errors
    /// When the selection names a stage that does not exist, contradicts itself or is empty.
    pub fn select(&self, selection: &Selection) -> anyhow::Result<Vec<&'static dyn Stage<Cx>>> {
        let Selection { from, to, only, skip } = selection;
        if !only.is_empty() && (from.is_some() || to.is_some()) {
            bail!("--only names the stages one by one: leave out --from and --to");
        }
        let first = from.as_deref().map_or(Ok(0), |name| self.position(name))?;
        let last = self.stages.len().saturating_sub(1);
        let last = to.as_deref().map_or(Ok(last), |name| self.position(name))?;
        if first > last {
            let (from, to) = (self.stages[first].name(), self.stages[last].name());
            bail!("--from {from} stands behind --to {to}: the order is {}", self.listed());
        }
        for name in only.iter().chain(skip) {
            self.position(name)?;
        }
        let range = self.stages.get(first..=last).unwrap_or_default();
        let is_in =
            |names: &[String], stage: &dyn Stage<Cx>| names.iter().any(|name| name == stage.name());
        let selected: Vec<_> = range
            .iter()
            .copied()
            .filter(|stage| (only.is_empty() || is_in(only, *stage)) && !is_in(skip, *stage))
            .collect();
        ensure!(!selected.is_empty(), "no stage is left to run: the stages are {}", self.listed());
        Ok(selected)
    }

    fn position(&self, name: &str) -> anyhow::Result<usize> {
        let found = self.stages.iter().position(|stage| stage.name() == name);
        found.ok_or_else(|| {
            anyhow::anyhow!("there is no stage `{name}`: the stages are {}", self.listed())
        })
    }

    fn listed(&self) -> String {
        self.names().join(", ")
    }
}

impl<Cx> fmt::Debug for Table<Cx> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{stage, table, try_table};

    fn refused(stages: Vec<crate::fake::Fake>) -> String {
        try_table(stages).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_table_is_refused() {
        let error = refused(vec![stage("a", &[]), stage("a", &[])]);
        assert_eq!(error, "two stages are called `a`");
        let error = refused(vec![stage("a", &["x"])]);
        assert_eq!(error, "stage `a` needs `x`, which does not exist");
        let error = refused(vec![stage("a", &["b"]), stage("b", &["a"])]);
        assert_eq!(error, "stage `a` needs `b`, which does not stand before it");
        let error = refused(vec![stage("a", &["a"])]);
        assert_eq!(error, "stage `a` needs `a`, which does not stand before it");
    }

    fn names(selection: &Selection) -> Result<Vec<&'static str>, String> {
        let table = table(vec![
            stage("a", &[]),
            stage("b", &["a"]),
            stage("c", &["b"]),
            stage("d", &["c"]),
        ]);
        let selected = table.select(selection).map_err(|error| error.to_string())?;
        Ok(selected.iter().map(|stage| stage.name()).collect())
    }

    fn given(from: &str, to: &str, only: &[&str], skip: &[&str]) -> Selection {
        let text = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Selection { from: text(from), to: text(to), only: list(only), skip: list(skip) }
    }

    #[test]
    fn stages_are_selected_in_the_order_of_the_table() {
        assert_eq!(names(&Selection::default()).unwrap(), ["a", "b", "c", "d"]);
        assert_eq!(names(&given("b", "", &[], &[])).unwrap(), ["b", "c", "d"]);
        assert_eq!(names(&given("", "b", &[], &[])).unwrap(), ["a", "b"]);
        assert_eq!(names(&given("b", "c", &[], &[])).unwrap(), ["b", "c"]);
        assert_eq!(names(&given("", "", &["d", "b"], &[])).unwrap(), ["b", "d"]);
        assert_eq!(names(&given("b", "", &[], &["c"])).unwrap(), ["b", "d"]);
    }

    #[test]
    fn a_wrong_selection_gets_one_sentence() {
        let refused = |selection| names(&selection).unwrap_err();
        assert_eq!(
            refused(given("x", "", &[], &[])),
            "there is no stage `x`: the stages are a, b, c, d"
        );
        assert_eq!(
            refused(given("", "", &[], &["x"])),
            "there is no stage `x`: the stages are a, b, c, d"
        );
        assert_eq!(
            refused(given("c", "b", &[], &[])),
            "--from c stands behind --to b: the order is a, b, c, d"
        );
        assert_eq!(
            refused(given("c", "", &["c"], &[])),
            "--only names the stages one by one: leave out --from and --to"
        );
        assert_eq!(
            refused(given("", "", &["c"], &["c"])),
            "no stage is left to run: the stages are a, b, c, d"
        );
    }
}
