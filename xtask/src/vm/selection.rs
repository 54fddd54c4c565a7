//! Which tests run in the virtual machine. Emulation is ten times as slow, so it has those that depend on the kernel
//! and on cgroups; the others say nothing there that they have not said natively.

/// A program of tests, and which of its tests.
pub(super) struct Part {
    pub(super) package: &'static str,
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    /// Names that tests start with or have in them; none is all of them.
    pub(super) tests: &'static [&'static str],
    /// The same, of tests that are left out.
    pub(super) but: &'static [&'static str],
}

pub(super) const PARTS: &[Part] = &[
    Part { package: "sandbox", kind: "lib", name: "sandbox", tests: &[], but: &[] },
    // Debian has npm in half a thousand packages.
    Part { package: "sandbox", kind: "test", name: "it", tests: &[], but: &["npm_runs_a_script"] },
    Part { package: "nanoscale", kind: "test", name: "it", tests: IT, but: &[] },
    Part { package: "nanoscale", kind: "test", name: "attacks", tests: &[], but: &[] },
];

const IT: &[&str] = &[
    "isolation::",
    "crash",
    "confinement::",
    "failures::",
    "cancel::",
    "removal::",
    "processes::",
    "without_root::",
    "health::",
];
