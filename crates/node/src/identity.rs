//! Which user ids a group's processes have.
//!
//! Ids are plain numbers from a range that belongs to this node's directory: no entry in
//! /etc/passwd, and two installations on one machine never meet.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ids::ProjectId;
use serde::{Deserialize, Serialize};

use crate::layout::{Layout, write_atomic};

/// Ids in a range, and ids a group takes of it.
const RANGE: u32 = 1 << 16;
const PER_GROUP: u32 = 4;
/// Ranges lie above those of systemd-nspawn and of user namespaces in common use.
const FIRST_RANGE: u32 = 30_600;
const RANGES: u32 = 30_000;

/// The ids of one group. They share a gid, so that an app can read what its build wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupIds {
    pub(crate) gid: u32,
    pub(crate) build_uid: u32,
    pub(crate) app_uid: u32,
    pub(crate) shim_uid: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    /// Marks cgroups and everything else outside the directory as this node's.
    instance: String,
    range: u32,
    slots: BTreeMap<ProjectId, u32>,
}

pub(crate) struct Identities {
    file: PathBuf,
    stored: Mutex<Stored>,
    privileged: bool,
}

impl Identities {
    pub(crate) fn load(layout: &Layout) -> io::Result<Self> {
        let file = layout.identities();
        let stored = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let random: u64 = rand::random();
                let range = FIRST_RANGE + u32::try_from(random % u64::from(RANGES)).unwrap_or_default();
                let stored = Stored { instance: format!("{random:016x}"), range, slots: BTreeMap::new() };
                write_atomic(&file, &serde_json::to_vec(&stored)?)?;
                stored
            }
            Err(error) => return Err(error),
        };
        Ok(Self { file, stored: Mutex::new(stored), privileged: nix::unistd::geteuid().is_root() })
    }

    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks what lies outside the node's directory as this node's: 16 hexadecimal digits.
    pub(crate) fn instance(&self) -> String {
        self.lock().instance.clone()
    }

    /// The group's ids, taken now if it has none. `None` when this process may not change users.
    pub(crate) fn of(&self, group: &ProjectId) -> io::Result<Option<GroupIds>> {
        if !self.privileged {
            return Ok(None);
        }
        let mut stored = self.lock();
        let slot = match stored.slots.get(group) {
            Some(&slot) => slot,
            None => {
                // Slot 0 stays free: its first id ends in zeros, which reads like root.
                let slot = (1..RANGE / PER_GROUP)
                    .find(|slot| !stored.slots.values().any(|taken| taken == slot))
                    .ok_or_else(|| io::Error::other("all user ids of this node are taken"))?;
                self.change(&mut stored, |slots| slots.insert(group.clone(), slot))?;
                slot
            }
        };
        let first = stored.range * RANGE + slot * PER_GROUP;
        Ok(Some(GroupIds { gid: first, build_uid: first, app_uid: first + 1, shim_uid: first + 2 }))
    }

    pub(crate) fn release(&self, group: &ProjectId) -> io::Result<()> {
        let mut stored = self.lock();
        if stored.slots.contains_key(group) {
            self.change(&mut stored, |slots| slots.remove(group))?;
        }
        Ok(())
    }

    /// Only what is on disk counts: ids of which the next start knew nothing would be given to another group.
    fn change<T>(
        &self,
        stored: &mut Stored,
        change: impl FnOnce(&mut BTreeMap<ProjectId, u32>) -> T,
    ) -> io::Result<()> {
        let mut next = stored.clone();
        change(&mut next.slots);
        write_atomic(&self.file, &serde_json::to_vec(&next)?)?;
        *stored = next;
        Ok(())
    }
}
