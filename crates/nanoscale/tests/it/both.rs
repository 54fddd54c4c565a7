//! What has to hold on both databases alike.

mod activity;
mod auth;
mod deployments;
mod metrics;
pub(crate) mod notifications;
mod rates;
mod refusals;
mod releases;
mod routes;
mod runtime;
mod signing;
mod users;
mod work;
mod workspaces;
