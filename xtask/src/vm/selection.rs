//! Which tests run in the virtual machine. An emulated processor is ten times as slow, so it has those that depend on
//! the kernel, on cgroups or on systemd; the others say nothing there that they have not said natively.

/// A program of tests, and which of its tests.
pub(super) struct Part {
    pub(super) package: &'static str,
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    /// What names of tests have in them; none is all tests.
    pub(super) tests: &'static [&'static str],
    /// The same, of tests that are left out.
    pub(super) but: &'static [&'static str],
    /// Variables to run it with, as `env` takes them.
    pub(super) env: &'static [&'static str],
}

/// Servers of tests then have their workloads in units of systemd.
const UNITS: &[&str] = &["NANOSCALE_TEST_DRIVER=systemd"];

pub(super) const PARTS: &[Part] = &[
    Part { package: "sandbox", kind: "lib", name: "sandbox", tests: &[], but: &[], env: &[] },
    // Debian has npm in half a thousand packages, and nothing else needs it here.
    Part { package: "sandbox", kind: "test", name: "it", tests: &[], but: &["npm_runs_a_script"], env: &[] },
    Part { package: "nanoscale", kind: "test", name: "it", tests: IT, but: &[], env: &[] },
    Part { package: "nanoscale", kind: "test", name: "attacks", tests: ATTACKS, but: &[], env: &[] },
    Part { package: "nanoscale", kind: "test", name: "it", tests: IT_IN_UNITS, but: &[], env: UNITS },
    Part { package: "nanoscale", kind: "test", name: "attacks", tests: ATTACKS_IN_UNITS, but: &[], env: UNITS },
];

const IT: &[&str] = &[
    // Ends a whole cgroup, with `cgroup.kill`; without root there is none.
    "cancel::",
    // What other users' processes, and /proc and /sys of this kernel, give away.
    "confinement::database_keys",
    // Processes in cgroups outlive the server and are found again by them.
    "crash::while_live",
    "crash_jobs::what_nobody_knows_of",
    "crash_jobs::what_the_machine_took_down",
    // `memory.max`, and `memory.events` that tells.
    "failures::a_build_that_wants_too_much_memory",
    "failures::a_live_app_that_crashes",
    // What the node's page says of cgroups; descriptors under systemd's limits.
    "health::the_node_tells",
    "health::a_server_takes_all_the_open_files",
    // Units in the journal of a systemd.
    "machine_logs::units_in_the_journal",
    // Network namespaces, links, nftables of a kernel with modules.
    "isolation::",
    "processes::a_policy_says_what_is_reached",
    "processes::a_port_of_the_host",
    // A command joins the cgroup and the namespaces of a running app.
    "processes::one_offs_run",
    // Groups are removed.
    "removal::",
    // Transient units, over the system's D-Bus.
    "systemd::",
    // Landlock of another kernel.
    "without_root::landlock",
];

/// What is in other groups when it is in a unit: limits, and who tells of them; what joins another one's sandbox.
const IT_IN_UNITS: &[&str] = &["failures::a_build_that_wants_too_much_memory", "processes::one_offs_run"];

/// `pids.max` and `memory.max` against those who do not want to be limited.
const ATTACKS: &[&str] = &["a_fork_bomb", "a_memory_bomb"];

/// The same and `cpu.idle` of a slice, and all that a project tries from where it is.
const ATTACKS_IN_UNITS: &[&str] =
    &["a_fork_bomb", "a_memory_bomb", "a_burner_of_the_processor", "nothing_that_a_hostile_project_tries"];
