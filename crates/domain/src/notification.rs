//! Telling people what happens: where to, what, and how often it is tried.

use ids::{
    DeliveryState, DeploymentId, NotificationChannelId, NotificationDeliveryId, NotificationEvent, NotificationKind,
    ProjectId,
};

/// A delivery that fails this often is given up.
pub const ATTEMPTS_MAX: i64 = 8;

/// Pauses after each failed attempt but the last, in units of the first one: with one of ten seconds
/// 10 s, 1 min, 5 min, 30 min, 1 h, 2 h, 2 h, together a little under six hours.
const PAUSES: [i64; 7] = [1, 6, 30, 180, 360, 720, 720];

/// A place where people are told of what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: NotificationChannelId,
    /// Unique.
    pub name: String,
    pub kind: NotificationKind,
    /// Addresses and secrets, sealed.
    pub settings_sealed: String,
    pub events: Vec<NotificationEvent>,
    /// Empty: every project. One that is gone stays in here, so that its channel does not widen to all.
    pub project_ids: Vec<ProjectId>,
    pub enabled: bool,
    /// Why it was switched off by NanoScale itself.
    pub disabled_reason: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Channel {
    /// Whether it tells of this. Projects narrow only what is about a project.
    pub fn wants(&self, event: NotificationEvent, project: Option<&ProjectId>) -> bool {
        let of_its_projects = project.is_none_or(|id| self.project_ids.is_empty() || self.project_ids.contains(id));
        self.enabled && self.events.contains(&event) && of_its_projects
    }
}

/// The telling of one fact to one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Sent along, so that the other side can tell a repetition.
    pub id: NotificationDeliveryId,
    pub channel_id: NotificationChannelId,
    /// Names the fact; a channel is told each fact once.
    pub fact: String,
    pub event: NotificationEvent,
    pub project_id: Option<ProjectId>,
    pub deployment_id: Option<DeploymentId>,
    /// One line.
    pub subject: String,
    /// What is sent: JSON, the same bytes each time.
    pub payload: String,
    pub state: DeliveryState,
    /// Those begun, since it was made or asked for anew.
    pub attempts: i64,
    /// While one is under way: when it counts as lost. Absent once settled.
    pub next_attempt_at: Option<i64>,
    pub last_error: Option<String>,
    /// What the other side answered last: a status of HTTP, or a code of SMTP.
    pub last_status: Option<i64>,
    pub created_at: i64,
    pub finished_at: Option<i64>,
}

/// How long to wait after so many failed attempts, in milliseconds; `None` when it was the last one.
/// `first` is the pause after the first one, `chance` (0 to 1) spreads those that failed together by a fifth.
pub fn pause_after(attempts: i64, first: i64, chance: f64) -> Option<i64> {
    let index = usize::try_from(attempts - 1).ok()?;
    let pause = PAUSES.get(index)?.saturating_mul(first);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "hours in milliseconds are small")]
    let spread = (pause as f64 * (0.8 + 0.4 * chance.clamp(0.0, 1.0))) as i64;
    Some(spread)
}

/// The longest of these pauses.
pub fn pause_max(first: i64) -> i64 {
    (1..ATTEMPTS_MAX).filter_map(|attempts| pause_after(attempts, first, 1.0)).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(events: &[NotificationEvent], project_ids: &[&ProjectId]) -> Channel {
        Channel {
            id: NotificationChannelId::new(),
            name: "ops".into(),
            kind: NotificationKind::Webhook,
            settings_sealed: String::new(),
            events: events.to_vec(),
            project_ids: project_ids.iter().copied().cloned().collect(),
            enabled: true,
            disabled_reason: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    #[test]
    fn a_channel_tells_what_it_was_made_for() {
        use NotificationEvent::{DeploymentFailed, DeploymentLive, NodeDiskNearlyFull};
        let (shop, blog) = (ProjectId::new(), ProjectId::new());
        let all = channel(&[DeploymentFailed], &[]);
        assert!(all.wants(DeploymentFailed, Some(&shop)));
        assert!(!all.wants(DeploymentLive, Some(&shop)));
        assert!(!Channel { enabled: false, ..all }.wants(DeploymentFailed, Some(&shop)));
        let narrowed = channel(&[DeploymentFailed, NodeDiskNearlyFull], &[&shop]);
        assert!(narrowed.wants(DeploymentFailed, Some(&shop)));
        assert!(!narrowed.wants(DeploymentFailed, Some(&blog)));
        assert!(narrowed.wants(NodeDiskNearlyFull, None), "a machine belongs to no project");
    }

    #[test]
    fn pauses_grow_and_end() {
        let pauses = (1..).map_while(|attempts| pause_after(attempts, 10_000, 0.5)).collect::<Vec<_>>();
        assert_eq!(i64::try_from(pauses.len()).unwrap() + 1, ATTEMPTS_MAX);
        assert_eq!(pauses[0], 10_000);
        assert!(pauses.is_sorted());
        let hours = pauses.iter().sum::<i64>() / 3_600_000;
        assert!((5..=6).contains(&hours), "{hours}");
        assert_eq!((pause_after(1, 1000, 0.0), pause_after(1, 1000, 1.0)), (Some(800), Some(1200)));
        assert_eq!(pause_after(0, 1000, 0.0), None);
    }
}
