//! The points that somebody has named, and what happens when the program comes to one.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};

use crate::actions::{Action, Chain, ParseError};

/// Whether any point is named. Read at each point, so that all others cost no lock.
static ANY: AtomicBool = AtomicBool::new(false);

static POINTS: Mutex<BTreeMap<String, Point>> = Mutex::new(BTreeMap::new());

/// Wakes those who pause, when a point changes.
static CHANGED: Condvar = Condvar::new();

static ENVIRONMENT: Once = Once::new();

#[derive(Debug)]
struct Point {
    chain: Chain,
    dice: u64,
    /// Another one for each setting, so that a pause ends with the setting that began it.
    setting: u64,
}

/// The function is to return; with the text of the action, if it has one.
#[derive(Debug, PartialEq, Eq)]
pub struct EarlyReturn(pub Option<String>);

/// Ends the setting of a point when it is dropped: who paused there goes on.
#[derive(Debug)]
#[must_use = "the point is set until this is dropped"]
pub struct Guard {
    name: String,
    setting: u64,
}

/// Sets what happens at a point of this process, in place of what was set before.
///
/// Points belong to the whole process: tests that set the same one must not run at the same time.
///
/// # Errors
/// The actions cannot be read.
pub fn set(name: &str, actions: &str) -> Result<Guard, ParseError> {
    let chain = actions.parse()?;
    from_environment();
    let setting = insert(name, chain, 0);
    Ok(Guard {
        name: name.to_owned(),
        setting,
    })
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut points = lock();
        if points
            .get(&self.name)
            .is_some_and(|point| point.setting == self.setting)
        {
            points.remove(&self.name);
            CHANGED.notify_all();
        }
    }
}

/// The program has come to a point.
#[must_use]
pub fn reached(name: &str) -> Option<EarlyReturn> {
    from_environment();
    if !ANY.load(Ordering::Relaxed) {
        return None;
    }
    let mut points = lock();
    let point = points.get_mut(name)?;
    let Point {
        chain,
        dice,
        setting,
    } = point;
    let (action, setting) = (chain.next(|| throw(dice)), *setting);
    if action != Action::Off {
        // Under the lock, so that lines are in the order of what happened.
        tell(name, &action);
    }
    if action == Action::Pause {
        let still = |points: &mut BTreeMap<String, Point>| {
            points
                .get(name)
                .is_some_and(|point| point.setting == setting)
        };
        drop(CHANGED.wait_while(points, still));
        return None;
    }
    drop(points);
    act(name, action)
}

#[expect(clippy::exit, reason = "that is the action")]
#[expect(clippy::panic, reason = "that is the action")]
#[expect(clippy::disallowed_methods, reason = "that is the action")]
fn act(name: &str, action: Action) -> Option<EarlyReturn> {
    match action {
        Action::Off | Action::Print | Action::Pause => None,
        Action::Exit(status) => std::process::exit(status),
        Action::Abort => std::process::abort(),
        Action::Panic(None) => panic!("fail point {name}"),
        Action::Panic(Some(text)) => panic!("fail point {name}: {text}"),
        Action::Sleep(time) => {
            std::thread::sleep(time);
            None
        }
        Action::Return(text) => Some(EarlyReturn(text)),
    }
}

fn tell(name: &str, action: &Action) {
    // One write, so that no other line comes between; and none that fails where nobody reads.
    let line = format!("fail point {name}: {action}\n");
    drop(std::io::stderr().write_all(line.as_bytes()));
}

fn insert(name: &str, chain: Chain, seed: u64) -> u64 {
    let mut points = lock();
    let before = points.values().map(|point| point.setting).max();
    let setting = before.unwrap_or(0) + 1;
    let point = Point {
        chain,
        dice: seed ^ hash(name),
        setting,
    };
    points.insert(name.to_owned(), point);
    ANY.store(true, Ordering::Relaxed);
    CHANGED.notify_all();
    setting
}

/// Reads the variables, once. A program whose points cannot be read ends: a test must not run without the trouble it asked for.
#[expect(clippy::exit, reason = "there is nobody to return an error to")]
#[expect(
    clippy::disallowed_methods,
    reason = "a fail point is no setting of the product"
)]
fn from_environment() {
    ENVIRONMENT.call_once(|| {
        let Ok(text) = std::env::var("MQ_FAIL_POINTS") else {
            return;
        };
        let seed = std::env::var("MQ_FAIL_SEED").ok();
        let seed = seed.and_then(|seed| seed.trim().parse().ok());
        match read(&text) {
            Ok(points) => {
                for (name, chain) in points {
                    insert(name, chain, seed.unwrap_or(0));
                }
            }
            Err(error) => {
                drop(writeln!(std::io::stderr(), "MQ_FAIL_POINTS: {error}"));
                std::process::exit(2);
            }
        }
    });
}

/// `name=actions;name=actions`.
fn read(text: &str) -> Result<Vec<(&str, Chain)>, ParseError> {
    let parts = text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((name, actions)) if !name.trim().is_empty() => Ok((name.trim(), actions.parse()?)),
            _ => Err(ParseError::new(part)),
        })
        .collect()
}

fn lock() -> MutexGuard<'static, BTreeMap<String, Point>> {
    POINTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// FNV-1a: the same in every run, as a seed must be.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `SplitMix64`, as a number from 0 to 100.
fn throw(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_points() {
        let points = read(" a=exit; b = 3*off->return(x=y) ;").unwrap();
        let names: Vec<_> = points.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "b"]);
        for wrong in ["a", "=exit", "a=exot", "a=exit;b"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_point_returns_as_long_as_it_is_set() {
        let guard = set("returns", "1*return(a)->return").unwrap();
        assert_eq!(reached("returns"), Some(EarlyReturn(Some("a".to_owned()))));
        assert_eq!(reached("returns"), Some(EarlyReturn(None)));
        assert_eq!(reached("another"), None);
        drop(guard);
        assert_eq!(reached("returns"), None);
    }

    #[test]
    fn a_guard_leaves_a_later_setting_alone() {
        let first = set("twice", "return(first)").unwrap();
        let _second = set("twice", "return(second)").unwrap();
        drop(first);
        assert_eq!(
            reached("twice"),
            Some(EarlyReturn(Some("second".to_owned())))
        );
    }

    #[test]
    fn a_pause_ends_with_its_setting() {
        let guard = set("pauses", "pause").unwrap();
        let (sender, ended) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let text = reached("pauses");
            sender.send(()).unwrap();
            text
        });
        assert!(ended.try_recv().is_err());
        drop(guard);
        assert_eq!(thread.join().unwrap(), None);
    }

    #[test]
    fn chances_are_those_of_the_seed() {
        let mut dice = hash("point");
        let hits = (0..10_000).filter(|_| throw(&mut dice) < 25.0).count();
        assert!((2300..2700).contains(&hits), "{hits}");
    }
}
