//! The kit's parts, each against the real thing.

mod browser;
mod git;
mod llama;
mod postgres;
mod visitor;
