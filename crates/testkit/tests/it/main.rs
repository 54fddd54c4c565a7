//! The kit's parts, each against the real thing.

mod browser;
mod git;
mod postgres;
mod visitor;
