#![doc = include_str!("README.md")]

mod actions;
mod points;

pub use actions::ParseError;
pub use points::{Guard, set};

#[doc(hidden)]
pub use points::{EarlyReturn, reached};

/// A named place at which a test makes the program exit, panic, pause or fail; see the [crate](crate).
///
/// `fail_point!("name")` cannot return. `fail_point!("name", |text: Option<String>| value)` returns the value from the function, or the async
/// block, where the action is `return`.
///
/// Expands to nothing, unless the crate that uses it has turned on its feature `fail-points`.
#[macro_export]
macro_rules! fail_point {
    ($name:expr $(,)?) => {{
        #[cfg(feature = "fail-points")]
        {
            let _ = $crate::reached($name);
        }
    }};
    ($name:expr, $returned:expr $(,)?) => {{
        #[cfg(feature = "fail-points")]
        {
            if let Some(returned) = $crate::reached($name) {
                return ($returned)(returned.0);
            }
        }
    }};
}
