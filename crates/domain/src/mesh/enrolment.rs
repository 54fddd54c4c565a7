//! Machines that take part in the mesh.

use ids::{EnrolmentId, EnrolmentState, MeshNodeId, MeshNodeKind, UserId};

/// An owner's wish that a machine take part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    pub id: EnrolmentId,
    pub node_id: MeshNodeId,
    pub kind: MeshNodeKind,
    pub state: EnrolmentState,
    pub owner_id: UserId,
    /// What the approver may know it by besides.
    pub device_id: Option<String>,
    /// SHA-256 of the token with which it may register.
    pub token_hash: Option<String>,
    /// What it is known by since it registered.
    pub public_key: Option<String>,
    pub created_at: i64,
    /// When, and by whom, it was approved, rejected or suspended last.
    pub decided_at: Option<i64>,
    pub decided_by: Option<String>,
    pub last_seen_at: Option<i64>,
}

/// What somebody who may decides about a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Reject,
    Suspend,
}

impl Decision {
    /// What comes of it, where it can be decided. A machine without a key can be approved too: the owner's token is what it
    /// registers with. One that took part is suspended rather than rejected, so that nobody takes it for one that never did.
    pub fn apply(self, state: EnrolmentState) -> Option<EnrolmentState> {
        use EnrolmentState::{Active, Pending, Rejected, Suspended};
        match (self, state) {
            (Self::Approve, Pending | Suspended | Rejected | Active) => Some(Active),
            (Self::Reject, Pending | Rejected) => Some(Rejected),
            (Self::Reject | Self::Suspend, Active | Suspended) => Some(Suspended),
            (Self::Suspend, Pending | Rejected) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_took_part_is_suspended_and_who_did_not_rejected() {
        use EnrolmentState::{Active, Pending, Rejected, Suspended};
        for state in [Pending, Active, Suspended, Rejected] {
            assert_eq!(Decision::Approve.apply(state), Some(Active));
        }
        assert_eq!(Decision::Reject.apply(Pending), Some(Rejected));
        assert_eq!(Decision::Reject.apply(Active), Some(Suspended));
        assert_eq!(Decision::Suspend.apply(Pending), None);
        assert_eq!(Decision::Suspend.apply(Active), Some(Suspended));
    }
}
