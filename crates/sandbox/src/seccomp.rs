//! The system calls a confined program has no use for. Everything else is allowed: the
//! programs are anybody's, including JIT compilers.

use std::collections::BTreeMap;

use libc::c_long;
use rustix::io::Errno;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

/// Compiled for this machine, to be applied in the child.
pub(crate) struct Filters(Vec<BpfProgram>);

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("no seccomp filter for this architecture");

/// Refused as if for lack of privilege, which for most of them it is.
const FORBIDDEN: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

#[cfg(target_arch = "x86_64")]
const FORBIDDEN_HERE: &[c_long] = &[libc::SYS_ioperm, libc::SYS_iopl, libc::SYS_modify_ldt, libc::SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_HERE: &[c_long] = &[];

/// `open_tree_attr`, not in libc yet; the same number everywhere.
const OPEN_TREE_ATTR: c_long = 467;

/// Said not to exist, so that callers take their older way: clone3 has its flags in memory
/// where no filter sees them, and io_uring makes system calls no filter sees.
const ABSENT: &[c_long] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

const NAMESPACE_FLAGS: [i32; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// Families a program may use; netlink only to ask for addresses and routes.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Linux, 32 bit addresses, old version number, both, no address randomisation, and the
/// value that only asks.
const PERSONALITIES: [u64; 6] = [0, 0x8, 0x2_0000, 0x2_0008, 0x4_0000, 0xffff_ffff];

impl Filters {
    pub(crate) fn new() -> Result<Self, Errno> {
        let compile = |rules, errno: Errno| -> Result<BpfProgram, BackendError> {
            let action = SeccompAction::Errno(errno.raw_os_error().cast_unsigned());
            SeccompFilter::new(rules, SeccompAction::Allow, action, ARCH)?.try_into()
        };
        let rules = || -> Result<Self, BackendError> {
            let mut forbidden = compile(forbidden()?, Errno::PERM)?;
            let absent = ABSENT.iter().map(|number| (*number, Vec::new())).collect();
            let absent = compile(absent, Errno::NOSYS)?;
            forbidden.splice(0..0, refuse_x32());
            Ok(Self(vec![forbidden, absent]))
        };
        rules().map_err(|_| Errno::INVAL)
    }

    /// Restricts this thread for good. Sets no_new_privs too.
    pub(crate) fn apply(&self) -> Result<(), Errno> {
        for program in &self.0 {
            seccompiler::apply_filter(program).map_err(|error| match error {
                seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => {
                    Errno::from_io_error(&error).unwrap_or(Errno::IO)
                }
                _ => Errno::INVAL,
            })?;
        }
        Ok(())
    }
}

fn forbidden() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let always = FORBIDDEN.iter().chain(FORBIDDEN_HERE).chain(&[OPEN_TREE_ATTR]);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = always.map(|number| (*number, Vec::new())).collect();

    let clone = NAMESPACE_FLAGS.map(|flag| {
        let flag = u64::from(flag.cast_unsigned());
        SeccompRule::new(vec![condition(0, SeccompCmpOp::MaskedEq(flag), flag)?])
    });
    rules.insert(libc::SYS_clone, clone.into_iter().collect::<Result<_, _>>()?);

    let family = FAMILIES.map(|family| condition(0, SeccompCmpOp::Ne, u64::from(family.cast_unsigned())));
    let netlink = vec![
        condition(0, SeccompCmpOp::Eq, u64::from(libc::AF_NETLINK.cast_unsigned()))?,
        condition(2, SeccompCmpOp::Ne, u64::from(libc::NETLINK_ROUTE.cast_unsigned()))?,
    ];
    let family = family.into_iter().collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(family)?, SeccompRule::new(netlink)?]);

    let personality = PERSONALITIES.map(|value| condition(0, SeccompCmpOp::Ne, value));
    let personality = personality.into_iter().collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_personality, vec![SeccompRule::new(personality)?]);

    // Typing into the terminal of whoever watches.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX]
        .map(|request| SeccompRule::new(vec![condition(1, SeccompCmpOp::Eq, u64::from(request as u32))?]));
    rules.insert(libc::SYS_ioctl, typing.into_iter().collect::<Result<_, _>>()?);

    rules.insert(libc::SYS_mknodat, device_nodes(2)?);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_mknod, device_nodes(1)?);
    Ok(rules)
}

/// Matches the making of character and block devices by the mode in `argument`.
fn device_nodes(argument: u8) -> Result<Vec<SeccompRule>, BackendError> {
    let kinds = [libc::S_IFCHR, libc::S_IFBLK].map(|kind| {
        let masked = SeccompCmpOp::MaskedEq(u64::from(libc::S_IFMT));
        SeccompRule::new(vec![condition(argument, masked, u64::from(kind))?])
    });
    kinds.into_iter().collect()
}

/// All arguments looked at are ints to the kernel, whatever is in the upper half.
fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

/// On x86_64 the same architecture has a second set of numbers for the same calls, with
/// this bit; a list of forbidden numbers must not be passed by it.
fn refuse_x32() -> Vec<sock_filter> {
    const X32_BIT: u32 = 0x4000_0000;
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_GREATER_OR_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    if !cfg!(target_arch = "x86_64") {
        return Vec::new();
    }
    vec![
        sock_filter { code: LOAD_NUMBER, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_GREATER_OR_EQUAL, jt: 0, jf: 1, k: X32_BIT },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ERRNO | Errno::NOSYS.raw_os_error() as u32 },
    ]
}
