//! The node's link, spoken to as a control plane does.

mod link;
