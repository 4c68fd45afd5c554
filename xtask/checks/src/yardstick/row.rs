//! What a row of the yardstick is: a requirement, and what proves that it is met.

use super::{plan::PlanView, sources::Sources};

/// Whether something holds; the error is one sentence about what was found instead.
pub(super) type Verdict = Result<(), String>;

/// One requirement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) number: u8,
    pub(super) requirement: &'static str,
    /// The file or folder where it is met.
    pub(super) place: &'static str,
    /// All of them have to hold.
    pub(super) proofs: &'static [Proof],
    /// What an environment that is not production does differently on purpose.
    pub(super) difference: Option<Difference>,
    /// Why nothing is asked of any environment: the row describes an alternative.
    pub(super) option: Option<&'static str>,
}

impl Row {
    pub(super) const fn new(
        number: u8,
        requirement: &'static str,
        place: &'static str,
        proofs: &'static [Proof],
    ) -> Self {
        Self { number, requirement, place, proofs, difference: None, option: None }
    }

    /// Lets environments other than production fail the proofs over their plan, when `instead` holds.
    pub(super) const fn or_outside_production(
        mut self,
        reason: &'static str,
        instead: &'static [Proof],
    ) -> Self {
        self.difference = Some(Difference { reason, instead });
        self
    }

    pub(super) const fn option(
        number: u8,
        requirement: &'static str,
        place: &'static str,
        reason: &'static str,
    ) -> Self {
        let mut row = Self::new(number, requirement, place, &[]);
        row.option = Some(reason);
        row
    }
}

/// A deliberate difference, which is checked as strictly as the requirement itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Difference {
    pub(super) reason: &'static str,
    pub(super) instead: &'static [Proof],
}

/// One piece of evidence. A proof over a plan or over files carries counterexamples: each is put to
/// the proof in every run, and one that passes is a failure of the row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proof {
    /// `file:run` of `terraform test`; `bootstrap/file:run` for the bootstrap module.
    Test(&'static str),
    /// One assertion of such a run, by its sentence, or one refusal, by its variable: a run that fails
    /// over another one is no failure of this row.
    Says(&'static str, &'static str),
    /// A run of concern to one environment only.
    TestOf(&'static str, &'static str),
    /// A check of checkov that passes at least once and fails nowhere, in code and plan.
    Checkov(&'static str),
    /// A check of checkov that is skipped with a reason where it stands, and fails nowhere.
    CheckovSkip(&'static str),
    /// A property of the environment's plan.
    Plan(fn(&PlanView<'_>) -> Verdict, &'static [Breakage]),
    /// A property of the plan of the bootstrap module.
    Bootstrap(fn(&PlanView<'_>) -> Verdict, &'static [Breakage]),
    /// A property of files of the repository, and of the charts as they render.
    Code(fn(&Sources) -> Verdict, &'static [Edit]),
    /// Something that the runner has shown about itself, by its name.
    Observed(&'static str),
    /// parliament accepts the policies of the plans.
    Parliament,
}

/// A counterexample: the plan with one thing wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Breakage {
    /// Another value (in JSON) at a pointer below the first resource of that address.
    Set(&'static str, &'static str, &'static str),
    /// The first resource of that address (or type) is not there.
    Remove(&'static str),
    /// One more resource: type and values in JSON.
    Add(&'static str, &'static str),
    /// An attribute is neither given nor known later.
    Forget(&'static str, &'static str),
    /// Another expression (in JSON) of a block in the code.
    Express(&'static str, &'static str, &'static str),
}

/// A counterexample: files with one thing wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Edit {
    /// One text stands in the place of another.
    Replace { path: &'static str, from: &'static str, to: &'static str },
    /// A file is there a second time, under another name.
    Copy { from: &'static str, to: &'static str },
}

/// [`Edit::Replace`], short: rows have many.
pub(super) const fn edit(path: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit::Replace { path, from, to }
}

/// Turns a condition into a verdict.
pub(super) fn must(holds: bool, otherwise: impl Into<String>) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
