//! Everything the control plane remembers, in SQLite or PostgreSQL. The only crate that names sqlx.
//!
//! One SQL text serves both engines; `dialect.rs` holds what differs. A change of state is
//! compare-and-set and says whether it won. Rows stay in here; domain types come out.

mod activity;
mod audit;
mod auth;
mod binds;
mod cluster;
mod completion;
mod delivery;
mod deployment;
mod dialect;
mod enrolment;
mod env;
mod error;
mod event;
mod hosted_provider;
mod ledger;
mod metrics;
mod node;
mod notification;
mod own_port;
mod placement;
mod project;
mod release;
mod run;
mod signing;
mod terminal_link;
mod text;
mod tx;
mod work;
mod workspace;
mod workspace_port;

pub use activity::{ActivityFilter, NewActivity, StoredActivity};
pub use audit::AuditEvent;
pub use auth::{LoginAttempt, NewToken, SessionOwner, StoredToken, TokenOwner};
pub use cluster::StoredCluster;
pub use completion::{CompletionEnd, CompletionStep, StepOutcome, StoredCompletion};
pub use delivery::DeliveryAttempt;
pub use deployment::DeploymentChange;
pub use env::{StoredFile, StoredVariable};
pub use error::{StoreError, StoreResult};
pub use event::StoredEvent;
pub use ledger::{FEE, HELD, ISSUED, LedgerCheck, Movement, StoredEntry, account_of};
pub use metrics::{MetricsBatch, MetricsStore, NodeSample, Peak, ProcessSample, Resolution};
pub use node::NodePatch;
pub use project::ProjectPatch;
pub use run::RunEnd;
pub use signing::StoredSigningKey;
pub use terminal_link::StoredTerminalLink;
pub use tx::{Store, Tx};
pub use work::StoredGitCredential;
pub use workspace::WorkspaceChange;
pub use workspace_port::StoredPort;
