//! Which creation of a plan is what AWS has already: one on either side, or nobody guesses.

use std::collections::BTreeSet;

use super::kinds;

/// A resource that the plan would make, by what it is found again with: its Name tag or its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Creation {
    pub(super) address: String,
    pub(super) kind: &'static str,
    pub(super) key: String,
}

/// Something that AWS has and the state has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: &'static str,
    pub(super) key: String,
    /// What an import takes.
    pub(super) id: String,
    pub(super) owner: Owner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Its tags, or those of what it belongs to, name this project and this environment.
    Us,
    Another,
}

/// What is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Adoption {
    pub(crate) address: String,
    pub(crate) kind: &'static str,
    pub(crate) id: String,
}

/// What a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// What it is and why nobody but a person decides.
    pub(crate) sentence: String,
    /// Each way out: takes one over, or deletes it.
    pub(crate) ways: Vec<Way>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// An address and an id.
    Adopt(String, String),
    /// A command line.
    Delete(String),
}

/// What becomes of all that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) adoptions: Vec<Adoption>,
    /// In the way of making what the plan says: applying it would fail or make a further one.
    pub(crate) doubts: Vec<Doubt>,
    /// Beside what the state has: in nobody's way, but maybe paid for.
    pub(crate) strays: Vec<Doubt>,
}

impl Verdict {
    /// Whether a plan without it would make something a second time, or fail to.
    pub(crate) fn is_something(&self) -> bool {
        !self.adoptions.is_empty() || !self.doubts.is_empty()
    }
}

/// `held`: the kinds and keys of what the state has.
pub(super) fn judge(
    creations: &[Creation],
    found: &[Found],
    held: &BTreeSet<(&'static str, String)>,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut seen = BTreeSet::new();
    for one in found {
        if !seen.insert((one.kind, &one.key)) {
            continue;
        }
        let same: Vec<&Found> =
            found.iter().filter(|it| it.kind == one.kind && it.key == one.key).collect();
        let wanted: Vec<&Creation> =
            creations.iter().filter(|it| it.kind == one.kind && it.key == one.key).collect();
        match (same.as_slice(), wanted.as_slice()) {
            ([only], [creation]) if only.owner == Owner::Us => verdict.adoptions.push(Adoption {
                address: creation.address.clone(),
                kind: one.kind,
                id: only.id.clone(),
            }),
            (_, []) if held.contains(&(one.kind, one.key.clone())) => {
                let ours = same.into_iter().filter(|it| it.owner == Owner::Us);
                verdict.strays.extend(ours.map(stray));
            }
            (_, []) => {}
            (same, wanted) => verdict.doubts.push(doubt(same, wanted)),
        }
    }
    verdict
}

fn stray(found: &Found) -> Doubt {
    let Found { kind, key, id, .. } = found;
    Doubt {
        sentence: format!(
            "AWS has a second {kind} `{key}`, {id}, with this environment's tags, and the state has another one"
        ),
        ways: deletion(kind, id).into_iter().collect(),
    }
}

fn doubt(same: &[&Found], wanted: &[&Creation]) -> Doubt {
    let Found { kind, key, .. } = same[0];
    let ids = same.iter().map(|one| one.id.as_str()).collect::<Vec<_>>().join(", ");
    let why = if same.iter().any(|one| one.owner == Owner::Another) {
        "does not carry this environment's tags".to_owned()
    } else if wanted.len() > 1 {
        format!("is the same to {} resources that are to be made", wanted.len())
    } else {
        format!("is not the only one: there are {}", same.len())
    };
    let adopt = same
        .iter()
        .flat_map(|one| wanted.iter().map(|it| Way::Adopt(it.address.clone(), one.id.clone())));
    let delete = same.iter().filter_map(|one| deletion(kind, &one.id));
    Doubt {
        sentence: format!("AWS has {kind} `{key}` ({ids}), which {why}"),
        ways: adopt.chain(delete).collect(),
    }
}

/// The command that deletes it; none for what holds data, which nobody is told to delete.
pub(in crate::terraform) fn deletion(kind: &str, id: &str) -> Option<Way> {
    let command = kinds::of(kind).map(|kind| kind.delete).filter(|command| !command.is_empty())?;
    Some(Way::Delete(command.replace("{}", &format!("'{id}'"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creation(address: &str, kind: &'static str, key: &str) -> Creation {
        Creation { address: address.to_owned(), kind, key: key.to_owned() }
    }

    fn found(kind: &'static str, key: &str, id: &str, owner: Owner) -> Found {
        Found { kind, key: key.to_owned(), id: id.to_owned(), owner }
    }

    fn judged(creations: &[Creation], found: &[Found]) -> Verdict {
        judge(creations, found, &BTreeSet::new())
    }

    const VPC: &str = "module.network.aws_vpc.this";

    #[test]
    fn one_on_either_side_is_taken_over() {
        let creations =
            [creation(VPC, "aws_vpc", "supabase-dev"), creation("x.y", "aws_vpc", "other")];
        let verdict = judged(&creations, &[found("aws_vpc", "supabase-dev", "vpc-1", Owner::Us)]);
        let taken = Adoption { address: VPC.to_owned(), kind: "aws_vpc", id: "vpc-1".to_owned() };
        assert_eq!(verdict, Verdict { adoptions: vec![taken], ..Verdict::default() });
    }

    #[test]
    fn two_of_a_kind_are_a_question_and_never_a_guess() {
        let creations = [creation(VPC, "aws_vpc", "supabase-dev")];
        let two = ["vpc-1", "vpc-2"].map(|id| found("aws_vpc", "supabase-dev", id, Owner::Us));
        let verdict = judged(&creations, &two);
        assert_eq!((verdict.adoptions.len(), verdict.doubts.len()), (0, 1));
        let adopt = |id: &str| Way::Adopt(VPC.to_owned(), id.to_owned());
        let delete = |id: &str| Way::Delete(format!("aws ec2 delete-vpc --vpc-id '{id}'"));
        let ways = [adopt("vpc-1"), adopt("vpc-2"), delete("vpc-1"), delete("vpc-2")];
        assert_eq!(verdict.doubts[0].ways, ways);
        assert!(verdict.doubts[0].sentence.contains("(vpc-1, vpc-2)"), "{verdict:?}");
        // One that is there, and two that would be made.
        let twice = [creations[0].clone(), creation("a.b", "aws_vpc", "supabase-dev")];
        let verdict = judged(&twice, &two[..1]);
        assert_eq!((verdict.adoptions.len(), verdict.doubts.len()), (0, 1));
    }

    #[test]
    fn our_name_with_anothers_tags_is_only_named() {
        let role = "module.database.aws_iam_role.monitoring";
        let creations = [creation(role, "aws_iam_role", "supabase-dev-database-monitoring")];
        let theirs = [found(
            "aws_iam_role",
            "supabase-dev-database-monitoring",
            "supabase-dev-database-monitoring",
            Owner::Another,
        )];
        let verdict = judged(&creations, &theirs);
        assert_eq!((verdict.adoptions.len(), verdict.doubts.len()), (0, 1));
        assert!(verdict.doubts[0].sentence.contains("does not carry"), "{verdict:?}");
    }

    #[test]
    fn nobody_is_told_to_delete_a_database_or_a_cluster() {
        for kind in ["aws_db_instance", "aws_eks_cluster"] {
            assert_eq!(deletion(kind, "supabase-dev"), None);
        }
    }

    #[test]
    fn a_name_that_begins_with_ours_is_not_ours() {
        let creations = [creation(VPC, "aws_vpc", "supabase-dev")];
        let verdict =
            judged(&creations, &[found("aws_vpc", "supabase-dev-eu", "vpc-1", Owner::Us)]);
        assert_eq!(verdict, Verdict::default());
    }

    #[test]
    fn a_second_one_beside_that_of_the_state_is_named_with_the_command_that_deletes_it() {
        let held = BTreeSet::from([("aws_eip", "supabase-dev-nat-a".to_owned())]);
        let one = [
            found("aws_eip", "supabase-dev-nat-a", "eipalloc-2", Owner::Us),
            found("aws_eip", "by-hand", "eipalloc-3", Owner::Us),
        ];
        let verdict = judge(&[], &one, &held);
        assert!(verdict.adoptions.is_empty() && verdict.doubts.is_empty());
        let delete = "aws ec2 release-address --allocation-id 'eipalloc-2'".to_owned();
        assert_eq!(verdict.strays.len(), 1);
        assert_eq!(verdict.strays[0].ways, [Way::Delete(delete)]);
    }
}
