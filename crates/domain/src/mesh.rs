//! Models over machines of several owners: who serves what, for what.

pub mod enrolment;
pub mod hosted;
pub mod meter;
pub mod prefix;
pub mod price;
pub mod schedule;
pub mod sse;
