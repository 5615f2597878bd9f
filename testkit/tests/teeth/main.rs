//! The suite is tested too: binders that break one rule each, and what the suite says of them.

mod bite;
mod broken;
mod flaw;
mod table;
mod wrapped;
