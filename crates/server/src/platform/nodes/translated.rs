//! Between the words of the domain and those in which nodes are spoken to.

use domain::deployment::Failure;
use domain::project::NetworkSettings;
use wire::{NetworkPolicy, Outward};

use crate::error::Error;

/// What the processes of a project may reach.
pub(crate) fn policy(settings: &NetworkSettings) -> NetworkPolicy {
    let outward = match settings.outward {
        ids::Outward::Open => Outward::Open,
        ids::Outward::Only => Outward::Only { destinations: settings.destinations.clone() },
        ids::Outward::None => Outward::None,
    };
    NetworkPolicy { outward, host_ports: settings.host_ports.clone() }
}

/// Why something failed, as its node says it.
pub(crate) fn failure(failure: &wire::Failure) -> Failure {
    Failure { code: Some(failure.code.clone()), reason: failure.reason.clone(), last_lines: failure.last_lines.clone() }
}

/// The same of what cannot be told to a node.
pub(crate) fn failure_of(error: &Error) -> Failure {
    let (code, reason) = error.told();
    Failure { code: Some(code.into()), reason: reason.into(), last_lines: Vec::new() }
}
