use ids::{
    DeliveryState, DeploymentId, DeploymentState, NodeId, NotificationChannelId, NotificationDeliveryId,
    NotificationEvent, NotificationKind, ProjectId, SmtpTls,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Commit, Time};

/// A place where people shall be told of what happens.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationChannelCreate {
    /// For people; unique.
    pub name: String,
    pub kind: NotificationKind,
    pub settings: NotificationSettings,
    /// What it tells of; every trouble, without good news, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<NotificationEvent>>,
    /// Narrows what is about a project to these; all projects when absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_ids: Option<Vec<ProjectId>>,
    /// `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// What is absent stays as it is.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationChannelUpdate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only what changes; an empty text removes what may be absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<NotificationSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<NotificationEvent>>,
    /// The whole list; an empty one means all projects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_ids: Option<Vec<ProjectId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Where a channel sends, and with which secrets: goes in, and never comes out.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationSettings {
    /// Of `webhook` and `slack`: the https address to post to. A secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of `webhook`: signs what is sent. Without one nothing is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Of `email`: the mail server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "smtp.example.com")]
    pub host: Option<String>,
    /// Of `email`: 587 with `starttls`, 465 with `implicit`, 25 with `none` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Of `email`: `starttls` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<SmtpTls>,
    /// Of `email`: nobody signs in when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Of `email`: the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "NanoScale <cloud@example.com>")]
    pub from: Option<String>,
    /// Of `email`: those who are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
}

/// What of a channel's settings is no secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct NotificationSettingsShown {
    /// Host of the address; the rest of it is a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "hooks.slack.com")]
    pub url_host: Option<String>,
    /// Whether what is sent is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_secret: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<SmtpTls>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_password: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationChannel {
    pub id: NotificationChannelId,
    pub name: String,
    pub kind: NotificationKind,
    pub settings: NotificationSettingsShown,
    pub events: Vec<NotificationEvent>,
    /// Empty: every project.
    pub project_ids: Vec<ProjectId>,
    pub enabled: bool,
    /// Why NanoScale itself switched it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// The newest one, whatever became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_delivery: Option<NotificationDelivery>,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationChannelList {
    pub notification_channels: Vec<NotificationChannel>,
}

/// What became of a test message.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationTest {
    /// Whether the other side took it.
    pub ok: bool,
    /// What it answered: a status of HTTP, or a code of SMTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub duration_ms: u64,
}

/// The telling of one fact to one channel.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationDelivery {
    /// Sent along with every attempt, so that a repetition can be told.
    pub id: NotificationDeliveryId,
    pub channel_id: NotificationChannelId,
    pub event: NotificationEvent,
    pub subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    pub state: DeliveryState,
    pub attempts: i64,
    /// When it is tried next, while it is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Time>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_status: Option<i64>,
    pub created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationDeliveryList {
    pub deliveries: Vec<NotificationDelivery>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The body that a channel of kind `webhook` posts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationPayload {
    /// The same in each attempt, and in `X-NanoScale-Delivery`.
    pub id: NotificationDeliveryId,
    /// One of the events, or `test`.
    #[schema(example = "deployment.failed")]
    pub event: String,
    pub created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<NotificationProject>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<NotificationDeployment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NotificationNode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<NotificationSchedule>,
    /// What happened, for people.
    pub message: String,
    /// Where the dashboard shows it.
    pub url: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationProject {
    pub id: ProjectId,
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationDeployment {
    pub id: DeploymentId,
    pub number: i64,
    pub state: DeploymentState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationNode {
    pub id: NodeId,
    pub name: String,
    pub disk_used_bytes: u64,
    pub disk_total_bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationSchedule {
    pub name: String,
    pub run_id: String,
}
