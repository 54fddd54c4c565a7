//! The system calls rustix has no safe form of. All unsafe code of the crate is here.
#![expect(unsafe_code, reason = "raw system calls: fork, exec, signal state, mount attributes")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int, c_long, c_ulong};
use rustix::io::Errno;

/// `struct mount_attr` of the kernel.
#[repr(C)]
pub(crate) struct MountAttr {
    pub(crate) set: u64,
    pub(crate) clear: u64,
    pub(crate) propagation: u64,
    pub(crate) userns_fd: u64,
}

/// Which side of a fork we are on.
pub(crate) enum Fork {
    Parent { pid: i32, pidfd: Option<OwnedFd> },
    Child,
}

fn check(result: c_long) -> Result<c_long, Errno> {
    if result < 0 { Err(last_errno()) } else { Ok(result) }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Forks into new namespaces. The child may allocate and lock only if the process has a
/// single thread; otherwise it may do nothing but [`exit`].
pub(crate) fn clone(namespaces: c_int) -> Result<Fork, Errno> {
    let mut pidfd: c_int = -1;
    let flags = (libc::CLONE_PIDFD | namespaces | libc::SIGCHLD) as c_ulong;
    // SAFETY: no CLONE_VM, so that both sides go on with their own copy of the memory and
    // stack; a null stack means to keep it. The third argument is where CLONE_PIDFD writes
    // on every architecture, the last two are unused.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) })?;
    if pid == 0 {
        return Ok(Fork::Child);
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Fork::Parent { pid: pid as i32, pidfd: Some(pidfd) })
}

/// An ordinary fork, with the C library's own bookkeeping. Single-threaded callers only.
pub(crate) fn fork() -> Result<Fork, Errno> {
    // SAFETY: the caller has a single thread, so nothing in the child is left locked.
    match check(c_long::from(unsafe { libc::fork() }))? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent { pid: pid as i32, pidfd: None }),
    }
}

/// Ends the process without running anything of the program it was forked from.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: does not return and touches no memory.
    unsafe { libc::_exit(code) }
}

/// Replaces the process. Returns only with an error.
pub(crate) fn execve(path: &CStr, argv: &[*const c_char], env: &[*const c_char]) -> Errno {
    debug_assert!(argv.last().is_some_and(|last| last.is_null()) && env.last().is_some_and(|last| last.is_null()));
    // SAFETY: both arrays end with a null pointer and point to strings that live as long as
    // the `CString`s the caller holds.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    last_errno()
}

/// The set of blocked signals, to be put back.
pub(crate) struct SignalMask(libc::sigset_t);

fn every_signal() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the whole set.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Blocks every signal of this thread.
pub(crate) fn block_signals() -> SignalMask {
    let mut old = every_signal();
    // SAFETY: both sets are initialised; blocking signals breaks no invariant of ours.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &every_signal(), &mut old) };
    SignalMask(old)
}

pub(crate) fn restore_signals(mask: &SignalMask) {
    // SAFETY: the set came from the kernel.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &mask.0, ptr::null_mut()) };
}

pub(crate) fn unblock_signals() {
    let mut none = every_signal();
    // SAFETY: sigemptyset initialises the set.
    unsafe {
        libc::sigemptyset(&mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &none, ptr::null_mut());
    }
}

/// Puts every signal back to its default; ignored ones would stay ignored over exec.
pub(crate) fn default_signals() {
    // The kernel's own struct sigaction, all zero: the C library's call refuses the signals
    // it keeps for itself, which may be inherited as ignored like any other.
    let default = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: the array is as large as the struct and outlives the call; SIG_DFL runs no
        // code of ours. Signals that cannot be changed are refused, which is fine.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), ptr::null::<u64>(), size_of::<u64>());
        }
    }
}

/// A descriptor to read blocked signals from, as `signalfd_siginfo` of 128 bytes.
pub(crate) fn signalfd() -> Result<OwnedFd, Errno> {
    // SAFETY: the set is initialised, -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &every_signal(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    check(c_long::from(fd))?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The user on the other end of a Unix socket (`SO_PEERCRED`, unix(7)).
pub(crate) fn peer_uid(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel writes at most `length` bytes to `peer`, which is as long and plain data.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            std::ptr::from_mut(&mut peer).cast(),
            &mut length,
        )
    };
    check(c_long::from(result))?;
    Ok(peer.uid)
}

pub(crate) fn kill(pid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: touches no memory.
    check(c_long::from(unsafe { libc::kill(pid, signal) }))?;
    Ok(())
}

/// Makes `fd` the standard descriptor `number` (0, 1 or 2), open over exec.
pub(crate) fn set_stdio(fd: BorrowedFd<'_>, number: RawFd) -> Result<(), Errno> {
    debug_assert!((0..=2).contains(&number));
    // SAFETY: only standard descriptors are replaced, which nothing in Rust owns.
    check(c_long::from(unsafe { libc::dup2(fd.as_raw_fd(), number) }))?;
    Ok(())
}

/// Closes every descriptor above standard error except `keep`. Whoever calls this goes on
/// with nothing but `keep` and never drops anything that owned another descriptor.
pub(crate) fn close_all_except(mut keep: Vec<RawFd>) -> Result<(), Errno> {
    keep.sort_unstable();
    let mut first = 3;
    for fd in keep {
        if fd > first {
            close_range(first, fd - 1, 0)?;
        }
        first = first.max(fd + 1);
    }
    close_range(first, RawFd::MAX, 0)
}

/// Lets exec close every descriptor above standard error.
pub(crate) fn close_all_on_exec() -> Result<(), Errno> {
    close_range(3, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_range(first: RawFd, last: RawFd, flags: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: touches no memory; the two callers say what becomes of the descriptors.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) })?;
    Ok(())
}

/// Changes the attributes of the mount `fd` is in, and of all below it if asked to.
pub(crate) fn mount_setattr(fd: BorrowedFd<'_>, recursive: bool, attr: &MountAttr) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, the struct has the layout and size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    check(result)?;
    Ok(())
}

/// Version of Landlock in this kernel.
pub(crate) fn landlock_abi() -> Result<i64, Errno> {
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the kernel reads no memory.
    check(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, CREATE_RULESET_VERSION)
    })
}

/// Whether seccomp filters can kill the process.
pub(crate) fn seccomp_available() -> Result<(), Errno> {
    const GET_ACTION_AVAIL: u32 = 2;
    let action: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: the kernel reads one u32 through the pointer.
    check(unsafe { libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0_u32, &raw const action) })?;
    Ok(())
}
