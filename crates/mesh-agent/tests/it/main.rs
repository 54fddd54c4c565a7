//! A mesh agent between a coordinator and an engine, over real connections.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod completions;
mod coordinator;
mod engine;
mod engines;
mod llama;
mod registration;
mod report;
mod signed;
mod stand;
