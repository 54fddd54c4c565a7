//! What apps, workspaces and the mesh share. It knows none of them.

pub(crate) mod activity;
pub(crate) mod audit;
pub(crate) mod caches;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod git;
pub(crate) mod health;
pub(crate) mod identity;
pub(crate) mod image;
pub(crate) mod log_lines;
pub(crate) mod machine_logs;
pub(crate) mod metrics;
pub(crate) mod nodes;
pub(crate) mod notifications;
pub(crate) mod outbound;
pub(crate) mod programs;
pub(crate) mod projects;
pub(crate) mod rates;
pub(crate) mod repository;
pub(crate) mod signing;
pub(crate) mod vault;
