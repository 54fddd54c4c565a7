//! Nouns and rules of the product as plain data and pure functions: no IO, no clock, no async.

pub mod command;
pub mod deployment;
pub mod dockerfile;
pub mod dockerignore;
pub mod idle;
pub mod mesh;
pub mod node;
pub mod notification;
pub mod placement;
pub mod plan;
pub mod project;
pub mod redaction;
pub mod release;
pub mod run;
pub mod schedule;
pub mod user;
pub mod watch;
pub mod workspace;
