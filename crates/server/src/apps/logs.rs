//! Logs, read from the node that has them: of one deployment, and of a project's processes over all its releases.

pub(crate) mod http;

use api::LogPage;
use axum::response::sse::Event;
use domain::project::Project;
use ids::{DeploymentId, NodeId, RunId, RunKind};
use store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::{LogQuery, LogRecord};

use crate::apps::deployments::Deployments;
use crate::error::{Error, Result};
use crate::platform::identity::Identity;
use crate::platform::log_lines::{shown, to_sse};
use crate::platform::nodes::Nodes;
use crate::platform::projects::{ProjectRef, Projects};

type Lines = crate::platform::nodes::Lines<LogRecord>;

#[derive(Clone)]
pub(crate) struct Logs {
    nodes: Nodes,
    deployments: Deployments,
    projects: Projects,
    identity: Identity,
    store: Store,
    /// The server stops: followers are let go, and come back to the next one.
    closing: CancellationToken,
}

impl Logs {
    pub(crate) fn new(
        nodes: Nodes,
        deployments: Deployments,
        projects: Projects,
        identity: Identity,
        store: Store,
        closing: CancellationToken,
    ) -> Self {
        Self { nodes, deployments, projects, identity, store, closing }
    }

    async fn lines(&self, node: &NodeId, path: &str, query: &LogQuery) -> Result<Lines> {
        let place = if query.before.is_some() { "cursor" } else { "after" };
        let query = serde_urlencoded::to_string(query).map_err(Error::internal)?;
        Lines::of(self.nodes.link(node).await?.stream(&format!("{path}?{query}")).await?, place)
    }

    /// The deployment that a request names by id or by number.
    async fn deployment_of(&self, project: &Project, text: &str) -> Result<DeploymentId> {
        let number = text.trim_start_matches('#').parse::<i64>().ok().filter(|number| *number < i64::MAX);
        let found = match (number, text.parse()) {
            (Some(number), _) => {
                self.deployments.list(project, number + 1, 1).await?.into_iter().map(|(it, _)| it).next()
            }
            (None, Ok(id)) => Some(self.deployments.find(&id).await?),
            (None, Err(_)) => None,
        };
        found
            .filter(|it| it.project_id == project.id && number.is_none_or(|number| it.number == number))
            .map(|it| it.id)
            .ok_or_else(|| Error::not_found("deployment of this project"))
    }

    /// The machine that a request names by id or by name, of those that the project runs on; the one that it is built
    /// on when it names none.
    async fn node_of(&self, project: &Project, text: Option<&str>) -> Result<NodeId> {
        let Some(text) = text else { return Ok(project.node_id.clone()) };
        let placements = self.deployments.recent(project).await?.placements;
        let mut places = std::iter::once(&project.node_id).chain(placements.iter().map(|placement| &placement.node_id));
        let is_named = |id: &&NodeId| id.as_str() == text || self.nodes.name(id).is_some_and(|name| name == text);
        places.find(is_named).cloned().ok_or_else(|| {
            let message = format!("the project does not run on `{text}`; its `placements` say where it runs");
            Error::invalid("node", "NOT_PLACED_THERE", message)
        })
    }

    async fn project_page(&self, project: &Project, node: &NodeId, query: &LogQuery) -> Result<wire::LogPage> {
        let path = format!("/v1/logs/run/{}/page", project.id);
        self.lines(node, &path, query).await?.json().await
    }

    /// What is there and what comes.
    async fn project_follow(
        &self,
        project: &Project,
        node: &NodeId,
        mut query: LogQuery,
    ) -> Result<(Vec<LogRecord>, Lines)> {
        let mut first = Vec::new();
        if query.after.is_none() {
            let page = self.project_page(project, node, &query).await?;
            first = page.records;
            query.after = page.position;
        }
        query.follow = true;
        let lines = self.lines(node, &format!("/v1/logs/run/{}", project.id), &query).await?;
        Ok((first, lines))
    }

    /// What is there, and with `follow` what comes, unless nothing more does.
    async fn subject_lines(&self, subject: &Subject, after: &str, follow: bool) -> Result<Lines> {
        let place = self.place(subject).await?;
        let follow = follow && !place.settled;
        let query = LogQuery { after: Some(after.to_owned()), follow, ..LogQuery::default() };
        self.lines(&place.node, &place.path, &query).await
    }

    async fn place(&self, subject: &Subject) -> Result<Place> {
        let (project, log, settled) = match subject {
            Subject::Deployment(id) => {
                let deployment = self.deployments.find(id).await?;
                (deployment.project_id, Log::Build(id.clone()), deployment.state.is_settled())
            }
            Subject::Run(id) => {
                let run = self.store.read().await?.run(id).await?.ok_or_else(|| Error::not_found("run"))?;
                let log = match run.kind {
                    // It speaks in its deployment's log.
                    RunKind::Release => Log::Build(run.deployment_id),
                    _ => Log::Job(id.clone()),
                };
                (run.project_id, log, run.state.is_settled())
            }
        };
        let project = self.projects.find(&ProjectRef::Id(project)).await?;
        let path = match log {
            Log::Build(id) => format!("/v1/logs/build/{}/{id}", project.id),
            Log::Job(id) => format!("/v1/logs/job/{}/{id}", project.id),
        };
        Ok(Place { node: project.node_id, path, settled })
    }

    /// Follows a log, from its first `lines` on, until its subject has settled and everything was said.
    async fn subject_follow(
        &self,
        subject: &Subject,
        mut after: String,
        mut lines: Lines,
        send: &mpsc::Sender<Event>,
    ) -> Result<()> {
        let mut events = self.store.events_committed();
        while !self.place(subject).await?.settled {
            let broken = loop {
                tokio::select! {
                    line = lines.next() => match line? {
                        Some(record) => {
                            after.clone_from(&record.id);
                            if send.send(to_sse(record)).await.is_err() {
                                return Ok(());
                            }
                        }
                        None => break true,
                    },
                    _ = events.changed() => break false,
                    () = send.closed() => return Ok(()),
                }
            };
            if broken {
                lines = self.subject_lines(subject, &after, true).await?;
            }
        }
        let mut lines = self.subject_lines(subject, &after, false).await?;
        while let Some(record) = lines.next().await? {
            if send.send(to_sse(record)).await.is_err() {
                return Ok(());
            }
        }
        let _ = send.send(Event::default().event("end").data("{}")).await;
        Ok(())
    }
}

/// What has a log that comes to an end.
enum Subject {
    Deployment(DeploymentId),
    Run(RunId),
}

/// One of a node's logs.
enum Log {
    Build(DeploymentId),
    Job(RunId),
}

/// Where a subject's log is, and whether it has all been said.
struct Place {
    node: NodeId,
    path: String,
    settled: bool,
}

fn shown_page(page: wire::LogPage) -> LogPage {
    let lines = page.records.into_iter().map(shown).collect();
    LogPage { lines, next_cursor: page.next, position: page.position }
}
