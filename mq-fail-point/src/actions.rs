//! The language of fail points: `25%2*return(text)->exit`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What happens at a point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Off,
    Exit(i32),
    Abort,
    Panic(Option<String>),
    Pause,
    Sleep(Duration),
    Return(Option<String>),
    Print,
}

/// An action with its chance and how often it is still to happen.
#[derive(Clone, Debug, PartialEq)]
struct Term {
    /// Of 100.
    chance: f64,
    /// `None` is always.
    times: Option<u64>,
    action: Action,
}

/// A chain of actions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chain {
    terms: Vec<Term>,
}

/// Actions that cannot be read, or the name of a point that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    text: String,
}

impl ParseError {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.trim().to_owned(),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot read `{}` as a fail point; write name=actions, with actions like off, exit(1), abort, panic(text), \
             pause, sleep(50ms), return(text) or print, each with 25% and 2* before it if need be, joined by ->",
            self.text
        )
    }
}

impl std::error::Error for ParseError {}

impl Chain {
    /// What happens this time; `chance` throws a number from 0 to 100.
    pub(crate) fn next(&mut self, mut chance: impl FnMut() -> f64) -> Action {
        for term in &mut self.terms {
            if term.times == Some(0) || (term.chance < 100.0 && chance() >= term.chance) {
                continue;
            }
            if let Some(times) = &mut term.times {
                *times -= 1;
            }
            return term.action.clone();
        }
        Action::Off
    }
}

impl FromStr for Chain {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let terms = text.split("->").map(|term| {
            let read = Term::read(term.trim());
            read.ok_or_else(|| ParseError::new(text))
        });
        let terms = terms.collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }
}

impl Term {
    /// Only what stands before the first bracket can be a chance or a number of times.
    fn read(text: &str) -> Option<Self> {
        let (mut head, argument) = match text.split_once('(') {
            Some((head, rest)) => (head, Some(rest.strip_suffix(')')?)),
            None => (text, None),
        };
        let mut chance = 100.0;
        if let Some((before, after)) = head.split_once('%') {
            chance = before.trim().parse().ok()?;
            head = after;
        }
        let mut times = None;
        if let Some((before, after)) = head.split_once('*') {
            times = Some(before.trim().parse().ok()?);
            head = after;
        }
        (0.0..=100.0).contains(&chance).then_some(())?;
        let action = Action::read(head.trim(), argument)?;
        Some(Self {
            chance,
            times,
            action,
        })
    }
}

impl Action {
    fn read(name: &str, argument: Option<&str>) -> Option<Self> {
        let text = argument.map(str::to_owned);
        match (name, argument) {
            ("off", None) => Some(Self::Off),
            ("exit", None) => Some(Self::Exit(1)),
            ("exit", Some(status)) => Some(Self::Exit(status.trim().parse().ok()?)),
            ("abort", None) => Some(Self::Abort),
            ("panic", _) => Some(Self::Panic(text)),
            ("pause", None) => Some(Self::Pause),
            ("sleep", Some(time)) => Some(Self::Sleep(duration(time.trim())?)),
            ("return", _) => Some(Self::Return(text)),
            ("print", None) => Some(Self::Print),
            _ => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Exit(status) => write!(f, "exit({status})"),
            Self::Abort => f.write_str("abort"),
            Self::Panic(None) => f.write_str("panic"),
            Self::Panic(Some(text)) => write!(f, "panic({text})"),
            Self::Pause => f.write_str("pause"),
            Self::Sleep(time) => write!(f, "sleep({}ms)", time.as_millis()),
            Self::Return(None) => f.write_str("return"),
            Self::Return(Some(text)) => write!(f, "return({text})"),
            Self::Print => f.write_str("print"),
        }
    }
}

/// `50ms`, `2s`.
fn duration(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return Some(Duration::from_millis(number.trim_end().parse().ok()?));
    }
    let number = text.strip_suffix('s')?;
    Some(Duration::from_secs(number.trim_end().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, times: usize) -> Vec<String> {
        let mut chain: Chain = text.parse().unwrap();
        (0..times)
            .map(|_| chain.next(|| 50.0).to_string())
            .collect()
    }

    #[test]
    fn a_chain_goes_on_where_an_action_is_used_up() {
        assert_eq!(run("2*off->exit(3)", 3), ["off", "off", "exit(3)"]);
        assert_eq!(run("1*print->1*abort", 3), ["print", "abort", "off"]);
    }

    #[test]
    fn a_missed_chance_is_no_time() {
        assert_eq!(run("40%1*exit->60%1*print", 2), ["print", "off"]);
    }

    #[test]
    fn actions_are_read_and_shown() {
        for text in [
            "exit(1)",
            "panic",
            "panic(a * 5%)",
            "pause",
            "sleep(50ms)",
            "return",
            "return()",
        ] {
            assert_eq!(run(text, 1), [text]);
        }
        assert_eq!(run("sleep( 2s )", 1), ["sleep(2000ms)"]);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for text in [
            "", "exot", "exit(x)", "off(1)", "101%exit", "-1%exit", "x*exit", "sleep", "sleep(5)",
            "exit->", "exit(1",
        ] {
            let error = text.parse::<Chain>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }
}
