//! What has to hold on both databases alike.

mod auth;
mod deployments;
mod refusals;
mod routes;
