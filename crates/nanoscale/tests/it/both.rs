//! What has to hold on both databases alike.

mod auth;
mod deployments;
mod metrics;
pub(crate) mod notifications;
mod refusals;
mod releases;
mod routes;
