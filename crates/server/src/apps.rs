//! Deploying: from a project to a live release.

pub(crate) mod deployments;
pub(crate) mod logs;
pub(crate) mod projects;
pub(crate) mod runs;
pub(crate) mod uploads;
