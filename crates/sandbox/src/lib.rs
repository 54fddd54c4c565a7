//! Runs one process confined.
//!
//! [`spawn`] starts a program with pipes for its output or with a terminal, in its own mount, pid, IPC, UTS
//! and, where asked for, network namespaces on a small read-only root, under its own user id without any
//! capability, with resource limits, Landlock and seccomp, and in a [`cgroup::Cgroup`].
//! A caller without root gets what the kernel gives everybody (Landlock, seccomp,
//! resource limits, no_new_privs); [`probe`] says what this machine can enforce.
//!
//! Linux 5.14 or newer. The crate knows nothing of what it runs or why.

#[cfg(not(target_os = "linux"))]
compile_error!("this crate confines processes with Linux system calls");

mod app;
pub mod cgroup;
mod child;
mod error;
mod files;
mod init;
mod landlock;
mod network;
mod privileges;
mod probe;
mod root;
mod seccomp;
mod spawn;
mod spec;
mod sys;
mod terminal;

pub use child::{Child, Exit, Output};
pub use error::{Error, Step};
pub use network::serve_namespace;
pub use probe::{Capability, probe};
pub use spawn::spawn;
pub use spec::{Access, File, Identity, Link, Mount, Network, Rlimits, Spec, WindowSize};
