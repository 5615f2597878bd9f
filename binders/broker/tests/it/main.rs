//! The broker as a library, on a real disk.

mod basics;
