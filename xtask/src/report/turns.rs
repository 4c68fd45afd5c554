//! Stages that run at the same time take turns: each one's lines come out in one piece.

use std::mem;

/// Decides when a line is printed. The stage that spoke first goes on at once; what the others say
/// is held back until it has ended.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// In the order in which they began to speak; the first one has the word.
    stages: Vec<Stage>,
}

#[derive(Debug)]
struct Stage {
    name: String,
    held: Vec<String>,
    ended: bool,
}

impl Turns {
    /// A line of a stage: the lines to print now.
    pub(super) fn say(&mut self, stage: &str, line: String) -> Vec<String> {
        let position = self.position(stage);
        if position == 0 {
            return vec![line];
        }
        if let Some(stage) = self.stages.get_mut(position) {
            stage.held.push(line);
        }
        Vec::new()
    }

    /// The stage has nothing more to say: the lines to print now, up to those of the stage that has
    /// the word next.
    pub(super) fn end(&mut self, stage: &str) -> Vec<String> {
        let position = self.position(stage);
        if let Some(stage) = self.stages.get_mut(position) {
            stage.ended = true;
        }
        let mut lines = Vec::new();
        while self.stages.first().is_some_and(|first| first.ended) {
            lines.append(&mut self.stages.remove(0).held);
        }
        if let Some(next) = self.stages.first_mut() {
            lines.append(&mut next.held);
        }
        lines
    }

    /// What is still held back, whatever became of its stage.
    pub(super) fn rest(&mut self) -> Vec<String> {
        mem::take(&mut self.stages).into_iter().flat_map(|stage| stage.held).collect()
    }

    fn position(&mut self, name: &str) -> usize {
        self.stages.iter().position(|stage| stage.name == name).unwrap_or_else(|| {
            self.stages.push(Stage { name: name.to_owned(), held: Vec::new(), ended: false });
            self.stages.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    fn say(turns: &mut Turns, stage: &str, text: &str) -> Vec<String> {
        turns.say(stage, format!("{stage} {text}"))
    }

    #[test]
    fn a_stage_alone_speaks_at_once() {
        let mut turns = Turns::default();
        assert_eq!(say(&mut turns, "a", "1"), ["a 1"]);
        assert_eq!(say(&mut turns, "a", "2"), ["a 2"]);
        assert!(turns.end("a").is_empty());
        assert_eq!(say(&mut turns, "b", "1"), ["b 1"]);
    }

    #[test]
    fn the_second_waits_and_then_has_the_word() {
        let mut turns = Turns::default();
        assert_eq!(say(&mut turns, "a", "1"), ["a 1"]);
        assert!(say(&mut turns, "b", "1").is_empty());
        assert_eq!(say(&mut turns, "a", "2"), ["a 2"]);
        assert!(say(&mut turns, "b", "2").is_empty());
        assert_eq!(turns.end("a"), ["b 1", "b 2"]);
        assert_eq!(say(&mut turns, "b", "3"), ["b 3"]);
    }

    #[test]
    fn those_that_ended_while_they_waited_come_whole_and_in_order() {
        let mut turns = Turns::default();
        say(&mut turns, "a", "1");
        say(&mut turns, "b", "1");
        assert!(turns.end("b").is_empty());
        say(&mut turns, "c", "1");
        say(&mut turns, "d", "1");
        assert_eq!(turns.end("a"), ["b 1", "c 1"]);
        assert_eq!(say(&mut turns, "c", "2"), ["c 2"]);
        assert_eq!(turns.rest(), ["d 1"]);
        assert!(turns.rest().is_empty());
    }
}
