//! Terminals: what one puts out is recorded by its shim, and read by whoever looks at it, then or later.

pub(crate) mod directory;
pub(crate) mod drawing;
pub(crate) mod record;
