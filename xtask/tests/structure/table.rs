//! The rules of the source, as data.

/// No source file is longer, in lines.
pub(crate) const FILE: usize = 600;

/// No function is longer, from its `fn` to its closing brace, in lines; bodies of `macro_rules!` are not looked at.
pub(crate) const FUNCTION: usize = 60;

/// The order of the modules of `mq-core`: a module may name only those that stand before it, tests included.
pub(crate) const ORDER: &[&str] = &[
    "error",
    "units",
    "clock",
    "policy",
    "config",
    "outcome",
    "message",
    "codec",
    "telemetry",
    "binder",
    "outbox",
    "idempotency",
    "output",
    "middleware",
    "worker",
    "extract",
    "listener",
    "function",
    "binding",
    "registry",
    "app",
    "admin",
];

/// Paths in `mq-core` that only one module may name.
pub(crate) const RESERVED: &[Reserved] = &[
    Reserved::everywhere("std::env", "config"),
    Reserved::everywhere("std::fs", "config"),
    Reserved::outside_macros("inventory", "registry"),
    Reserved::outside_macros("crate::registry::inventory", "registry"),
];

/// A path with the one module that may name it.
#[derive(Debug)]
pub(crate) struct Reserved {
    /// The path, or the beginning of it.
    pub(crate) path: &'static str,
    /// The module of `mq-core`.
    pub(crate) owner: &'static str,
    /// Whether bodies of `macro_rules!` may name it: they are expanded elsewhere.
    pub(crate) in_macros: bool,
}

impl Reserved {
    const fn everywhere(path: &'static str, owner: &'static str) -> Self {
        Self {
            path,
            owner,
            in_macros: false,
        }
    }

    const fn outside_macros(path: &'static str, owner: &'static str) -> Self {
        Self {
            path,
            owner,
            in_macros: true,
        }
    }
}
