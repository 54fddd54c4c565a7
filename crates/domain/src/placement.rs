//! Where a project runs: which nodes shall have it, decided from what is known of them.

use std::collections::BTreeSet;

use ids::{NodeId, PlacementState};

use crate::node::Labels;

/// A project on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub node_id: NodeId,
    pub state: PlacementState,
}

/// What a project asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish<'a> {
    pub replicas: usize,
    /// Only nodes with these.
    pub labels: &'a Labels,
    /// Nodes that are not open to its owner: it does not go there, and stays where it is there already.
    pub closed: &'a BTreeSet<NodeId>,
    /// It stays where it is: its volumes are there, or an image that no registry has.
    pub is_bound: bool,
    /// It moves when its node is lost for long.
    pub reschedule: bool,
}

/// A node as far as placement is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: NodeId,
    pub labels: Labels,
    /// Online, and not to be emptied.
    pub is_usable: bool,
    pub is_draining: bool,
    /// Away for so long that nobody waits for it.
    pub is_lost: bool,
    /// Projects that run there.
    pub projects: usize,
    pub free_memory_bytes: u64,
    pub free_disk_bytes: u64,
}

/// A node with less free disk gets a project only when no other one can have it.
const DISK_MIN: u64 = 1 << 30;

/// The nodes that shall have a project, the one it builds on first. What runs well stays where it is: a project
/// moves only away from a node that is being emptied, is gone, or is lost.
pub fn choose(wish: &Wish<'_>, home: &NodeId, placed: &[Placement], nodes: &[Candidate]) -> Vec<NodeId> {
    let node = |id: &NodeId| nodes.iter().find(|node| &node.id == id);
    let has_labels = |node: &Candidate| wish.labels.iter().all(|(key, value)| node.labels.get(key) == Some(value));
    let wanted = placed.iter().filter(|it| it.state == PlacementState::Wanted).map(|it| &it.node_id);
    if wish.is_bound {
        // It goes elsewhere only when its node was removed, and somebody says where to: what was there is lost.
        let elsewhere = wanted.clone().find(|id| *id != home && node(id).is_some());
        let stays = node(home).is_some() || elsewhere.is_none();
        return vec![if stays { home } else { elsewhere.unwrap_or(home) }.clone()];
    }
    let stays = |id: &&NodeId| node(id).is_some_and(|node| !(node.is_draining || wish.reschedule && node.is_lost));
    let mut chosen = wanted.clone().filter(stays).cloned().collect::<Vec<_>>();
    // Its home comes first, so that it is the last to be given up.
    chosen.sort_by_key(|id| id != home);
    chosen.truncate(wish.replicas);
    let missing = wish.replicas.saturating_sub(chosen.len());
    // As a rule nothing is, and there may be many nodes.
    if missing > 0 {
        let may = |node: &&Candidate| node.is_usable && has_labels(node) && !wish.closed.contains(&node.id);
        let others = nodes.iter().filter(may).filter(|node| !chosen.contains(&node.id));
        let mut others = others.collect::<Vec<_>>();
        others.sort_by_key(|node| {
            (node.free_disk_bytes < DISK_MIN, node.projects, std::cmp::Reverse(node.free_memory_bytes))
        });
        chosen.extend(others.into_iter().take(missing).map(|node| node.id.clone()));
    }
    if chosen.is_empty() {
        // Nobody else can have it: it stays, and waits.
        chosen.extend(wanted.cloned().chain([home.clone()]).take(1));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(projects: usize, free_memory: u64) -> Candidate {
        Candidate {
            id: NodeId::new(),
            labels: Labels::new(),
            is_usable: true,
            is_draining: false,
            is_lost: false,
            projects,
            free_memory_bytes: free_memory,
            free_disk_bytes: 10 << 30,
        }
    }

    fn on(node: &Candidate) -> Placement {
        Placement { node_id: node.id.clone(), state: PlacementState::Wanted }
    }

    static OPEN: BTreeSet<NodeId> = BTreeSet::new();

    fn wish(labels: &Labels) -> Wish<'_> {
        Wish { replicas: 1, labels, closed: &OPEN, is_bound: false, reschedule: false }
    }

    #[test]
    fn what_runs_stays_and_what_is_missing_goes_where_there_is_room() {
        let none = Labels::new();
        let (a, b, c) = (node(5, 100), node(2, 1), node(2, 9));
        let nodes = [a.clone(), b.clone(), c.clone()];
        assert_eq!(choose(&wish(&none), &a.id, &[on(&a)], &nodes).iter().collect::<Vec<_>>(), [&a.id]);
        let three = Wish { replicas: 3, ..wish(&none) };
        assert_eq!(choose(&three, &a.id, &[on(&a)], &nodes).iter().collect::<Vec<_>>(), [&a.id, &c.id, &b.id]);
        // There are no more.
        let five = Wish { replicas: 5, ..wish(&none) };
        assert_eq!(choose(&five, &a.id, &[on(&a)], &nodes).len(), 3);
        // Fewer again: home is kept.
        assert_eq!(choose(&wish(&none), &a.id, &[on(&c), on(&a)], &nodes).iter().collect::<Vec<_>>(), [&a.id]);
    }

    #[test]
    fn a_node_that_is_emptied_or_lost_is_left_if_there_is_another() {
        let none = Labels::new();
        let (mut a, b) = (node(0, 1), node(9, 1));
        a.is_draining = true;
        a.is_usable = false;
        let nodes = [a.clone(), b.clone()];
        assert_eq!(choose(&wish(&none), &a.id, &[on(&a)], &nodes).iter().collect::<Vec<_>>(), [&b.id]);
        assert_eq!(choose(&wish(&none), &a.id, &[on(&a)], &nodes[..1]).iter().collect::<Vec<_>>(), [&a.id]);
        let volumes = Wish { is_bound: true, ..wish(&none) };
        assert_eq!(choose(&volumes, &a.id, &[on(&a)], &nodes).iter().collect::<Vec<_>>(), [&a.id]);
        (a.is_draining, a.is_lost) = (false, true);
        let nodes = [a.clone(), b.clone()];
        assert_eq!(choose(&wish(&none), &a.id, &[on(&a)], &nodes).iter().collect::<Vec<_>>(), [&a.id]);
        let moves = Wish { reschedule: true, ..wish(&none) };
        assert_eq!(choose(&moves, &a.id, &[on(&a)], &nodes).iter().collect::<Vec<_>>(), [&b.id]);
    }

    #[test]
    fn what_is_not_open_to_its_owner_is_not_chosen_and_not_left() {
        let none = Labels::new();
        let (a, b) = (node(0, 1), node(9, 1));
        let nodes = [a.clone(), b.clone()];
        let closed = BTreeSet::from([a.id.clone()]);
        let two = Wish { replicas: 2, closed: &closed, ..wish(&none) };
        assert_eq!(choose(&two, &b.id, &[on(&b)], &nodes).iter().collect::<Vec<_>>(), [&b.id]);
        assert_eq!(choose(&two, &a.id, &[on(&a)], &nodes).iter().collect::<Vec<_>>(), [&a.id, &b.id]);
    }

    #[test]
    fn labels_say_where() {
        let eu = Labels::from([("region".to_owned(), "eu".to_owned())]);
        let (a, mut b) = (node(0, 1), node(9, 1));
        b.labels = eu.clone();
        let nodes = [a.clone(), b.clone()];
        assert_eq!(choose(&wish(&eu), &a.id, &[], &nodes).iter().collect::<Vec<_>>(), [&b.id]);
    }
}
