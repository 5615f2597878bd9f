//! The edges of the binder on a real cluster: administration, provisioning, security, headers, statistics.

mod admin;
mod headers;
mod place;
mod provisioning;
mod security;
mod settings;
mod statistics;
mod troubles;
