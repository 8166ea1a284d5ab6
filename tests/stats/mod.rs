//! Statistics of two samples: against other programs, and what must hold of any input.

mod golden;
mod inputs;
mod properties;
