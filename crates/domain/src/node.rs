//! Machines: what is known of one beyond what it reports, and how its state follows from that.

use std::collections::BTreeMap;

use crate::user::User;
use ids::{JoinTokenId, NodeAccess, NodeId, NodeState, NodeStatus, UserId};

/// For placement: `region` → `eu`.
pub type Labels = BTreeMap<String, String>;

/// A machine that runs workloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: NodeId,
    pub name: String,
    /// Of the server's own machine.
    pub embedded: bool,
    pub state: NodeState,
    /// What it is known by; absent for the server's own machine.
    pub public_key: Option<String>,
    pub labels: Labels,
    /// Who brought it.
    pub owner: Option<UserId>,
    pub access: NodeAccess,
    /// Who may use it too, where access is by grant; by name.
    pub granted_to: Vec<Grantee>,
    pub created_at: i64,
    pub last_seen_at: Option<i64>,
}

/// Somebody to whom a node was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grantee {
    pub id: UserId,
    pub username: String,
}

/// How a node's link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Up,
    /// For so many milliseconds.
    Down(i64),
}

/// A node away for longer than this is offline, rather than unreachable.
pub const OFFLINE_AFTER_MS: i64 = 60_000;

impl Node {
    /// Whether a user may put projects on it.
    pub fn is_open_to(&self, user: &User) -> bool {
        let is_owner = self.owner.as_ref() == Some(&user.id);
        match self.access {
            _ if is_owner || user.is_admin() => true,
            NodeAccess::Everybody => true,
            NodeAccess::Granted => self.granted_to.iter().any(|grantee| grantee.id == user.id),
            NodeAccess::Owner => false,
        }
    }

    /// What people are shown.
    pub fn status(&self, link: Link) -> NodeStatus {
        match (self.state, link) {
            (NodeState::Removed, _) => NodeStatus::Removed,
            (NodeState::Draining, Link::Up) => NodeStatus::Draining,
            (_, Link::Up) => NodeStatus::Online,
            (NodeState::Joining, Link::Down(_)) => NodeStatus::Joining,
            (_, Link::Down(for_ms)) if for_ms < OFFLINE_AFTER_MS => NodeStatus::Unreachable,
            (_, Link::Down(_)) => NodeStatus::Offline,
        }
    }
}

/// An invitation of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    pub id: JoinTokenId,
    pub name: Option<String>,
    pub labels: Labels,
    pub created_by: UserId,
    pub created_at: i64,
    pub expires_at: i64,
    pub revoked_at: Option<i64>,
    pub used: Option<Used>,
}

/// Whoever took a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    pub at: i64,
    pub by_key: String,
    pub node_id: NodeId,
}

/// What a token is worth to the machine that shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It makes a node.
    Good,
    /// This machine has used it: it is the node it was.
    Again,
    Used,
    Revoked,
    Expired,
}

impl JoinToken {
    pub fn worth(&self, key: &str, now: i64) -> Worth {
        match &self.used {
            Some(used) if used.by_key == key => Worth::Again,
            Some(_) => Worth::Used,
            None if self.revoked_at.is_some() => Worth::Revoked,
            None if self.expires_at <= now => Worth::Expired,
            None => Worth::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(state: NodeState) -> Node {
        Node {
            id: NodeId::new(),
            name: "worker".into(),
            embedded: false,
            state,
            public_key: None,
            labels: Labels::new(),
            owner: None,
            access: NodeAccess::Everybody,
            granted_to: Vec::new(),
            created_at: 0,
            last_seen_at: None,
        }
    }

    #[test]
    fn a_status_follows_from_the_link_and_from_what_was_decided() {
        use NodeStatus::{Draining, Joining, Offline, Online, Removed, Unreachable};
        let (now, long) = (Link::Down(0), Link::Down(OFFLINE_AFTER_MS));
        for (state, up, down, gone) in [
            (NodeState::Joining, Online, Joining, Joining),
            (NodeState::Active, Online, Unreachable, Offline),
            (NodeState::Draining, Draining, Unreachable, Offline),
            (NodeState::Removed, Removed, Removed, Removed),
        ] {
            let node = node(state);
            assert_eq!([node.status(Link::Up), node.status(now), node.status(long)], [up, down, gone], "{state}");
        }
    }

    #[test]
    fn a_token_is_good_for_one_machine_in_its_time() {
        let open = JoinToken {
            id: JoinTokenId::new(),
            name: None,
            labels: Labels::new(),
            created_by: UserId::new(),
            created_at: 0,
            expires_at: 600,
            revoked_at: None,
            used: None,
        };
        let used = Used { at: 5, by_key: "mine".into(), node_id: NodeId::new() };
        let revoked = JoinToken { revoked_at: Some(3), ..open.clone() };
        let used = JoinToken { used: Some(used), ..revoked.clone() };
        assert_eq!(open.worth("mine", 599), Worth::Good);
        assert_eq!(open.worth("mine", 600), Worth::Expired);
        assert_eq!(revoked.worth("mine", 1), Worth::Revoked);
        // What was taken in stays, also when its token is revoked later or has expired.
        assert_eq!(used.worth("mine", 9999), Worth::Again);
        assert_eq!(used.worth("other", 1), Worth::Used);
    }
}
