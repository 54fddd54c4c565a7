//! Giving up root: capabilities, user and groups, and the way back to any of them.

use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use crate::spec::Identity;

/// What this process may do towards confining another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Powers {
    /// Switch to another user id and give up all capabilities for good.
    pub(crate) switch: bool,
    /// Make namespaces and mounts.
    pub(crate) namespaces: bool,
}

impl Powers {
    pub(crate) fn now() -> Self {
        let held = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        let switch = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::SETPCAP;
        let root = rustix::process::geteuid().is_root();
        Self {
            switch: root && held.contains(switch),
            namespaces: root && held.contains(switch | CapabilitySet::SYS_ADMIN),
        }
    }
}

/// Becomes `identity` without any capability, nor a way to get one by exec. Without an
/// identity only the capabilities go.
pub(crate) fn drop(identity: Option<Identity>) -> Result<(), Errno> {
    if Powers::now().switch {
        drop_bounding_set()?;
        lock_secure_bits()?;
        if let Some(Identity { uid, gid }) = identity {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            rustix::thread::set_thread_groups(&[])?;
            rustix::thread::set_thread_res_gid(gid, gid, gid)?;
            rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        }
    }
    match rustix::thread::clear_ambient_capability_set() {
        Ok(()) | Err(Errno::INVAL) => {}
        Err(errno) => return Err(errno),
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    rustix::thread::set_no_new_privs(true)
}

fn drop_bounding_set() -> Result<(), Errno> {
    for number in 0..u64::BITS {
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // One past the last this kernel knows.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn lock_secure_bits() -> Result<(), Errno> {
    use CapabilitiesSecureBits as Bits;
    rustix::thread::set_capabilities_secure_bits(
        Bits::NO_ROOT
            | Bits::NO_ROOT_LOCKED
            | Bits::NO_SETUID_FIXUP_LOCKED
            | Bits::KEEP_CAPS_LOCKED
            | Bits::NO_CAP_AMBIENT_RAISE
            | Bits::NO_CAP_AMBIENT_RAISE_LOCKED,
    )
}
