//! A checkout of a project on a node, where one person works.

use std::collections::{BTreeMap, BTreeSet};

use ids::{Invalid, NodeId, ProjectId, UserId, WorkspaceId, WorkspaceState};

use crate::deployment::Failure;
use crate::idle::Awake;
use crate::placement::Candidate;

/// Characters of a workspace's name.
pub const NAME_MAX: usize = 64;
/// The longest time without anything happening after which one is stopped.
pub const IDLE_TIMEOUT_MAX_SECONDS: i64 = 86_400;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub project_id: ProjectId,
    pub owner_id: UserId,
    pub node_id: NodeId,
    pub name: String,
    /// Branch or tag that is there; the repository's default branch when absent.
    pub branch: Option<String>,
    /// A branch to begin there.
    pub new_branch: Option<String>,
    pub state: WorkspaceState,
    /// When it entered that state, in milliseconds.
    pub state_since: i64,
    /// Counts its starts.
    pub attempt: i64,
    /// Counts how often its files were made anew.
    pub generation: i64,
    /// Of its present or last start: JSON of the node's steps.
    pub steps: String,
    /// Why it is in recovery, or could not be started.
    pub failure: Option<Failure>,
    pub memory_mb: u64,
    /// 0: never.
    pub idle_timeout_seconds: i64,
    pub awake: Awake,
    /// When it is stopped whatever happens in it, in milliseconds.
    pub shutdown_deadline: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Which ones to list; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct WorkspaceFilter {
    pub owner: Option<UserId>,
    pub project: Option<ProjectId>,
    pub node: Option<NodeId>,
    pub state: Option<WorkspaceState>,
}

/// How a user works in every workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkSettings {
    /// Whose commits are made; the user's name when absent.
    pub git_name: Option<String>,
    pub git_email: Option<String>,
    /// A repository that is cloned into the home directory, and installed.
    pub dotfiles_url: Option<String>,
}

/// Something that is asked of a workspace, or seen of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkspaceEvent {
    /// Its node says that terminals can be opened.
    Ready,
    /// The same, with something missing.
    ReadyToRecover,
    /// Its node cannot start it, or took too long.
    Failed,
    Stop,
    /// Its node says that nothing of it runs.
    Stopped,
    Restart,
    Rebuild,
    Delete,
}

/// Where an event leads from a state; `None`: it cannot happen there, or comes too late.
pub fn next(state: WorkspaceState, event: WorkspaceEvent) -> Option<WorkspaceState> {
    use WorkspaceEvent as E;
    use WorkspaceState as S;
    match (state, event) {
        (S::Deleting, _) => None,
        (_, E::Delete) => Some(S::Deleting),
        (S::Creating, E::Ready) => Some(S::Running),
        (S::Creating, E::ReadyToRecover) => Some(S::Recovery),
        // One that ran may fail later: its machine was started anew and cannot start it.
        (S::Creating | S::Running | S::Recovery, E::Failed) => Some(S::Error),
        (S::Creating | S::Running | S::Recovery, E::Stop) => Some(S::Stopping),
        (S::Stopping, E::Stopped) => Some(S::Stopped),
        (S::Stopped | S::Error | S::Recovery, E::Restart) => Some(S::Creating),
        (S::Running | S::Recovery | S::Error | S::Stopped, E::Rebuild) => Some(S::Creating),
        _ => None,
    }
}

/// What somebody calls a workspace.
///
/// # Errors
/// When there is nothing to read, too much, or something that cannot be read.
pub fn name(text: &str) -> Result<String, Invalid> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains(char::is_control) {
        return Err(Invalid(format!(
            "a workspace's name has 1 to {NAME_MAX} characters, none of them a control character"
        )));
    }
    Ok(name.to_owned())
}

/// What one is called whom nobody gave a name.
pub fn default_name(project: &str, branch: Option<&str>) -> String {
    let name = branch.map_or_else(|| project.to_owned(), |branch| format!("{project}/{branch}"));
    name.chars().take(NAME_MAX).collect()
}

/// The name, with a number if others have it: `shop/main (2)`.
pub fn free_name(wanted: &str, taken: &BTreeSet<&str>) -> String {
    let numbered = (2..).map(|number: usize| {
        let suffix = format!(" ({number})");
        let room = NAME_MAX.saturating_sub(suffix.len());
        wanted.chars().take(room).chain(suffix.chars()).collect::<String>()
    });
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(|name| !taken.contains(name.as_str())).unwrap_or_else(|| wanted.to_owned())
}

/// Why no node can have a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoNode {
    /// None is online, open to the user and not being emptied.
    Usable,
    /// Those that are have as many as they may.
    Full,
}

/// The node for a new workspace: of those that the user may use and that have fewer than `limit` active ones, the one
/// with most free memory.
///
/// # Errors
/// When there is none, with the reason.
pub fn choose_node(
    nodes: &[Candidate],
    closed: &BTreeSet<NodeId>,
    active: &BTreeMap<NodeId, u64>,
    limit: u64,
) -> Result<NodeId, NoNode> {
    let count = |node: &Candidate| active.get(&node.id).copied().unwrap_or_default();
    let usable = nodes.iter().filter(|node| node.is_usable && !closed.contains(&node.id)).collect::<Vec<_>>();
    let with_room = usable.iter().filter(|node| count(node) < limit);
    let best = with_room.max_by_key(|node| (node.free_memory_bytes, std::cmp::Reverse(count(node))));
    match best {
        Some(node) => Ok(node.id.clone()),
        None if usable.is_empty() => Err(NoNode::Usable),
        None => Err(NoNode::Full),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Labels;

    fn node(free_memory_bytes: u64) -> Candidate {
        Candidate {
            id: NodeId::new(),
            labels: Labels::new(),
            is_usable: true,
            is_draining: false,
            is_lost: false,
            projects: 0,
            free_memory_bytes,
            free_disk_bytes: 1 << 40,
        }
    }

    #[test]
    fn the_node_with_most_memory_and_room_is_chosen() {
        let (large, small, mut away) = (node(9), node(2), node(99));
        away.is_usable = false;
        let nodes = [small.clone(), large.clone(), away];
        let (none, idle) = (BTreeSet::new(), BTreeMap::new());
        assert_eq!(choose_node(&nodes, &none, &idle, 2), Ok(large.id.clone()));
        let busy = BTreeMap::from([(large.id.clone(), 2)]);
        assert_eq!(choose_node(&nodes, &none, &busy, 2), Ok(small.id.clone()));
        let busy = BTreeMap::from([(large.id.clone(), 2), (small.id.clone(), 2)]);
        assert_eq!(choose_node(&nodes, &none, &busy, 2), Err(NoNode::Full));
        let closed = BTreeSet::from([large.id.clone()]);
        assert_eq!(choose_node(&nodes, &closed, &idle, 2), Ok(small.id.clone()));
        let closed = BTreeSet::from([large.id.clone(), small.id.clone()]);
        assert_eq!(choose_node(&nodes, &closed, &idle, 2), Err(NoNode::Usable));
    }

    #[test]
    fn names_can_be_read_and_told_apart() {
        assert_eq!(name(" my work ").unwrap(), "my work");
        assert_eq!(name(&"ü".repeat(64)).unwrap().chars().count(), 64);
        for bad in ["", "  ", "a\nb", "a\u{7f}", &"x".repeat(65)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(default_name("shop", Some("main")), "shop/main");
        assert_eq!(default_name("shop", None), "shop");
        assert_eq!(default_name("shop", Some(&"b".repeat(200))).len(), NAME_MAX);
        let taken = BTreeSet::from(["a", "a (2)"]);
        assert_eq!(free_name("a", &taken), "a (3)");
        assert_eq!(free_name("b", &taken), "b");
        let long = "y".repeat(64);
        let second = free_name(&long, &BTreeSet::from([long.as_str()]));
        assert_eq!((second.len(), second.ends_with("y (2)")), (64, true));
    }

    #[test]
    fn a_late_word_changes_nothing() {
        use WorkspaceEvent as E;
        use WorkspaceState as S;
        for event in [E::Ready, E::ReadyToRecover, E::Failed] {
            for state in [S::Stopping, S::Stopped, S::Error, S::Deleting] {
                assert_eq!(next(state, event), None, "{event:?} in {state}");
            }
        }
        assert_eq!(next(S::Running, E::Restart), None);
        assert_eq!(next(S::Stopping, E::Stop), None);
        assert_eq!(next(S::Stopping, E::Restart), None);
        for &state in S::ALL {
            assert_eq!(next(state, E::Delete), (state != S::Deleting).then_some(S::Deleting));
        }
    }
}
