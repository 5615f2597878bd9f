//! The broker is proven against a model, and against every failure of a disk.

mod age;
mod clock;
mod crash;
mod credit;
mod damage;
mod ends;
mod formats;
mod full;
mod histories;
mod lazy;
mod model;
mod options;
mod poison;
mod publishers;
mod regressions;
mod run;
mod sharing;
mod step;
mod world;
