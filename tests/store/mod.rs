//! The store as programs that embed it see it.

mod basics;
mod model;
mod sample;
