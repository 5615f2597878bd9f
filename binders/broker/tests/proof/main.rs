//! The broker is proven against a model, and against every failure of a disk.

mod clock;
mod crash;
mod damage;
mod ends;
mod formats;
mod full;
mod histories;
mod lazy;
mod model;
mod options;
mod poison;
mod regressions;
mod run;
mod sharing;
mod step;
mod world;
