//! What people are told: one function per fact. Each is called in the transaction that makes the fact
//! true, and leaves one delivery per channel that wants to hear of it, however often it is called.

use domain::deployment::Deployment;
use domain::notification::Delivery;
use domain::project::Project;
use ids::{DeliveryState, DeploymentId, DeploymentState, NotificationDeliveryId, NotificationEvent, ProjectId};
use store::Tx;

use super::Notifications;
use super::channels::announce;
use crate::error::{Error, Result};
use crate::platform::nodes::Disk;
use crate::{now_ms, rfc3339};

/// Longer subjects are cut; RFC 5322 section 2.1.1 wants lines of at most 78 characters.
const SUBJECT_MAX: usize = 120;
const MESSAGE_MAX: usize = 2000;

/// Something that happened.
struct Fact {
    /// The same each time the same thing is told.
    key: String,
    event: NotificationEvent,
    project_id: Option<ProjectId>,
    deployment_id: Option<DeploymentId>,
    subject: String,
    message: String,
    /// Where in the dashboard.
    path: String,
    about: About,
}

/// What a payload says for programs.
#[derive(Default)]
struct About {
    project: Option<api::NotificationProject>,
    deployment: Option<api::NotificationDeployment>,
    node: Option<api::NotificationNode>,
    schedule: Option<api::NotificationSchedule>,
}

impl Notifications {
    /// A deployment has come to an end: tells of those that went live or failed, and of no other.
    pub(crate) async fn deployment_settled(&self, tx: &mut Tx, id: &DeploymentId) -> Result<()> {
        let Some(deployment) = tx.deployment(id).await? else { return Ok(()) };
        let Some(project) = tx.project(&deployment.project_id).await? else { return Ok(()) };
        let (name, number) = (&project.name, deployment.number);
        let (event, subject, message) = match deployment.state {
            DeploymentState::Live => {
                let subject = format!("{name}: deployment {number} is live");
                let message = format!("Deployment {number} of {name} is live{}.", source(&deployment));
                (NotificationEvent::DeploymentLive, subject, message)
            }
            DeploymentState::Failed => {
                let subject = format!("{name}: deployment {number} failed");
                let reason = deployment.failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default();
                let reason = reason.trim_end_matches('.');
                let still = if serves(tx, &project.id).await? { " What was live before still serves." } else { "" };
                let message = format!("Deployment {number} of {name} failed{}: {reason}.{still}", source(&deployment));
                (NotificationEvent::DeploymentFailed, subject, message)
            }
            _ => return Ok(()),
        };
        let fact = Fact {
            key: format!("deployment/{id}/{}", deployment.state),
            event,
            path: format!("/projects/{}/deployments/{id}", project.id),
            deployment_id: Some(id.clone()),
            subject,
            message,
            about: About {
                project: Some(about_project(&project)),
                deployment: Some(about_deployment(deployment)),
                ..About::default()
            },
            project_id: Some(project.id),
        };
        self.tell(tx, fact).await
    }

    /// A live app dies again and again. `since_ms` names the loop: one that ends and begins anew is news.
    pub(crate) async fn crash_loop(
        &self,
        tx: &mut Tx,
        project: &Project,
        deployment: &DeploymentId,
        since_ms: i64,
        restarts: u32,
        reason: &str,
    ) -> Result<()> {
        let name = &project.name;
        let fact = Fact {
            key: format!("crash_loop/{deployment}/{since_ms}"),
            event: NotificationEvent::WorkloadCrashLoop,
            project_id: Some(project.id.clone()),
            deployment_id: Some(deployment.clone()),
            subject: format!("{name} crashes again and again"),
            message: format!("{name} was started {restarts} times and does not stay up: {reason}."),
            path: format!("/projects/{}/logs", project.id),
            about: About { project: Some(about_project(project)), ..About::default() },
        };
        self.tell(tx, fact).await
    }

    /// A run of a project's schedule failed. `run_id` names the run.
    pub(crate) async fn schedule_failed(
        &self,
        tx: &mut Tx,
        project: &Project,
        schedule: &str,
        run_id: &str,
        reason: &str,
    ) -> Result<()> {
        let name = &project.name;
        let about = About {
            project: Some(about_project(project)),
            schedule: Some(api::NotificationSchedule { name: schedule.to_owned(), run_id: run_id.to_owned() }),
            ..About::default()
        };
        let fact = Fact {
            key: format!("schedule/{run_id}"),
            event: NotificationEvent::ScheduleFailed,
            project_id: Some(project.id.clone()),
            deployment_id: None,
            subject: format!("{name}: {schedule} failed"),
            message: format!("A run of {schedule}, a schedule of {name}, failed: {reason}."),
            path: format!("/projects/{}", project.id),
            about,
        };
        self.tell(tx, fact).await
    }

    /// A node's disk is nearly full since `since_ms`.
    pub(super) async fn disk_nearly_full(&self, tx: &mut Tx, disk: &Disk, since_ms: i64) -> Result<()> {
        let (name, percent) = (&disk.name, disk.used_percent());
        let free = disk.total_bytes.saturating_sub(disk.used_bytes) >> 20;
        let fact = Fact {
            key: format!("disk/{}/{since_ms}", disk.node_id),
            event: NotificationEvent::NodeDiskNearlyFull,
            project_id: None,
            deployment_id: None,
            subject: format!("{name}: the disk is {percent} % full"),
            message: format!(
                "The disk of {name} is {percent} % full; {free} MB are left. Without room, builds fail and apps \
                 cannot write: remove what is not needed, or make the disk larger."
            ),
            path: format!("/servers/{}", disk.node_id),
            about: About {
                node: Some(api::NotificationNode {
                    id: disk.node_id.clone(),
                    name: name.clone(),
                    disk_used_bytes: disk.used_bytes,
                    disk_total_bytes: disk.total_bytes,
                }),
                ..About::default()
            },
        };
        self.tell(tx, fact).await
    }

    /// What a test sends, as a letter of its own.
    pub(super) fn test_payload(&self, channel: &str) -> api::NotificationPayload {
        api::NotificationPayload {
            id: NotificationDeliveryId::new(),
            event: "test".into(),
            created_at: rfc3339(now_ms()),
            project: None,
            deployment: None,
            node: None,
            schedule: None,
            message: format!("This is a test of the notification channel {channel}. It works."),
            url: self.url("/notifications"),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.public_url)
    }

    async fn tell(&self, tx: &mut Tx, fact: Fact) -> Result<()> {
        let now = now_ms();
        let url = self.url(&fact.path);
        let (subject, message) = (cut(&fact.subject, SUBJECT_MAX), cut(&fact.message, MESSAGE_MAX));
        let mut news = false;
        for channel in tx.notification_channel_list().await? {
            if !channel.wants(fact.event, fact.project_id.as_ref()) {
                continue;
            }
            let id = NotificationDeliveryId::new();
            let payload = api::NotificationPayload {
                id: id.clone(),
                event: fact.event.as_str().to_owned(),
                created_at: rfc3339(now),
                project: fact.about.project.clone(),
                deployment: fact.about.deployment.clone(),
                node: fact.about.node.clone(),
                schedule: fact.about.schedule.clone(),
                message: message.clone(),
                url: url.clone(),
            };
            let delivery = Delivery {
                id,
                channel_id: channel.id,
                fact: fact.key.clone(),
                event: fact.event,
                project_id: fact.project_id.clone(),
                deployment_id: fact.deployment_id.clone(),
                subject: subject.clone(),
                payload: serde_json::to_string(&payload).map_err(Error::internal)?,
                state: DeliveryState::Pending,
                attempts: 0,
                next_attempt_at: Some(now),
                last_error: None,
                last_status: None,
                created_at: now,
                finished_at: None,
            };
            news |= tx.delivery_insert(&delivery).await?;
        }
        if news {
            announce(tx, now).await?;
        }
        Ok(())
    }
}

async fn serves(tx: &mut Tx, project: &ProjectId) -> Result<bool> {
    let unsettled = tx.deployment_unsettled().await?;
    Ok(unsettled.iter().any(|other| &other.project_id == project && other.state == DeploymentState::Live))
}

/// Which commit it was, and who asked for it, as far as that is known.
fn source(deployment: &Deployment) -> String {
    let commit = deployment.commit.as_ref().map(|commit| {
        let sha = commit.sha.get(..7).unwrap_or(&commit.sha);
        format!("commit {sha} \"{}\"", commit.message)
    });
    let person = deployment.created_by.as_ref().map(|person| format!("asked for by {person}"));
    let known = [commit, person].into_iter().flatten().collect::<Vec<_>>();
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
}

fn about_project(project: &Project) -> api::NotificationProject {
    api::NotificationProject { id: project.id.clone(), name: project.name.clone() }
}

fn about_deployment(deployment: Deployment) -> api::NotificationDeployment {
    let (failure_code, reason) = match deployment.failure {
        Some(failure) => (failure.code, Some(cut(&failure.reason, MESSAGE_MAX))),
        None => (None, None),
    };
    api::NotificationDeployment {
        id: deployment.id,
        number: deployment.number,
        state: deployment.state,
        commit: deployment.commit.map(|commit| api::Commit {
            sha: commit.sha,
            message: commit.message,
            author: commit.author,
        }),
        failure_code,
        reason,
        created_by: deployment.created_by,
    }
}

/// At most so many characters, on one line.
fn cut(text: &str, length: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut short = text.chars().take(length).map(plain).collect::<String>();
    if text.chars().nth(length).is_some() {
        short.push('…');
    }
    short
}
