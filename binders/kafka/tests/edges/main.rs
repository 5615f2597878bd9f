//! The edges of the binder on a real cluster: administration, provisioning, security, headers, statistics.

mod admin;
mod headers;
mod place;
mod provisioning;
mod regained;
mod rights;
mod security;
mod settings;
mod spring;
mod statistics;
mod troubles;
mod watching;
