//! The node's link, spoken to as a control plane does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod link;
