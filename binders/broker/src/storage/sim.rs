//! A disk in memory that loses, tears and reorders what was not synced, and fails on demand.
