//! Landlock on top of the mounts (or, without root, in their place): which paths can be
//! read, executed and changed, whatever file permissions say.

use std::path::Path;

use ::landlock::{
    ABI, Access as _, AccessFs, BitFlags, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};
use rustix::io::Errno;

use crate::error::{Failure, Step};
use crate::root;
use crate::spec::{Access, Spec};

/// The newest version whose rights we know to be harmless to ordinary programs; an older
/// kernel enforces what it has of them.
const KNOWN: ABI = ABI::V6;

/// Opens all paths, so has to be made while they can be opened.
pub(crate) fn prepare(spec: &Spec, own_root: bool) -> Result<RulesetCreated, Failure> {
    ruleset(spec, own_root).map_err(failure)
}

/// Confines this thread for good. A kernel without Landlock confines nothing.
pub(crate) fn enforce(ruleset: RulesetCreated) -> Result<(), Failure> {
    ruleset.restrict_self().map(drop).map_err(failure)
}

fn ruleset(spec: &Spec, own_root: bool) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::from_read(KNOWN);
    // Device nodes would need a capability anyway.
    let change = AccessFs::from_all(KNOWN) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let device: BitFlags<AccessFs> =
        AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let mut ruleset = Ruleset::default()
        .set_compatibility(::landlock::CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?;

    if own_root {
        // All that has a name inside was chosen to be readable.
        ruleset = ruleset.add_rules(path_beneath_rules(["/"], read))?;
        ruleset = ruleset.add_rules(path_beneath_rules(["/dev"], device))?;
    } else {
        ruleset = ruleset
            .add_rules(path_beneath_rules(root::PROGRAMS, read))?
            .add_rules(path_beneath_rules(root::etc_paths(), read))?
            .add_rules(path_beneath_rules(["/etc/passwd", "/etc/group", "/proc"], read))?
            .add_rules(path_beneath_rules(root::DEVICES.map(|name| format!("/dev/{name}")), device))?;
        if spec.terminal.is_some() {
            ruleset = ruleset.add_rules(path_beneath_rules(["/dev/pts"], device))?;
        }
    }
    ruleset = ruleset.add_rules(path_beneath_rules(["/proc"], AccessFs::WriteFile))?;
    ruleset = ruleset.add_rules(path_beneath_rules(["/dev/shm"], change))?;
    if !spec.mounts_on("/tmp") {
        ruleset = ruleset.add_rules(path_beneath_rules(["/tmp"], change))?;
    }
    for mount in &spec.mounts {
        let path: &Path = if own_root { &mount.target } else { &mount.source };
        let access = match mount.access {
            Access::ReadOnly => read,
            Access::ReadWrite => change,
        };
        ruleset = ruleset.add_rules(path_beneath_rules([path], access))?;
    }
    Ok(ruleset)
}

/// The system's own error below the library's, as far as there is one.
fn failure(error: RulesetError) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut errno = Errno::INVAL;
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref().and_then(Errno::from_io_error) {
            errno = found;
        }
        cause = error.source();
    }
    Failure::of(Step::Landlock)(errno)
}
