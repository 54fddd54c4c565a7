//! Projects: what there is to deploy, and how.

mod placing;
mod runtime;

use std::str::FromStr;
use std::sync::Arc;

use domain::project::{FIRST_PORT, Placing, Project, ProjectSettings, RELEASES_KEPT_MAX, RuntimeSettings};
use domain::watch;
use ids::{GitRef, NodeId, ProjectId, ProjectName, RelativeDir, Slug, SourceKind, UserId};
use store::{ProjectPatch, Store, StoreError};

use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::environment::{self, Environment};
use crate::platform::nodes::Nodes;
use crate::platform::repository;
use crate::state::Config;

/// How often a name or port taken at the same moment is tried again with another one.
const TRIES: usize = 8;
const COMMAND_MAX: usize = 4096;
const WATCH_PATHS_MAX: usize = 64;
const WATCH_PATH_MAX: usize = 512;

#[derive(Clone)]
pub(crate) struct Projects {
    store: Store,
    config: Arc<Config>,
    nodes: Nodes,
    environment: Environment,
}

/// How a request names a project: by id, or by the slug in its host name.
pub(crate) enum ProjectRef {
    Id(ProjectId),
    Slug(Slug),
}

impl FromStr for ProjectRef {
    type Err = ids::Invalid;

    fn from_str(text: &str) -> std::result::Result<Self, ids::Invalid> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::Slug))
    }
}

impl Projects {
    pub(crate) fn new(store: Store, config: Arc<Config>, nodes: Nodes, environment: Environment) -> Self {
        Self { store, config, nodes, environment }
    }

    pub(crate) async fn find(&self, reference: &ProjectRef) -> Result<Project> {
        let mut tx = self.store.read().await?;
        let found = match reference {
            ProjectRef::Id(id) => tx.project(id).await?,
            ProjectRef::Slug(slug) => tx.project_by_slug(slug).await?,
        };
        found.ok_or_else(|| Error::not_found("project"))
    }

    /// Every project, by name.
    pub(crate) async fn list(&self) -> Result<Vec<Project>> {
        Ok(self.store.read().await?.project_list().await?)
    }

    /// Host name at the edge.
    pub(crate) fn domain(&self, project: &Project) -> String {
        format!("{}.{}", project.slug, self.config.base_domain.as_str())
    }

    /// Where a browser finds it.
    pub(crate) fn url(&self, project: &Project) -> String {
        let domain = self.domain(project);
        match self.config.edge_port {
            80 => format!("http://{domain}"),
            port => format!("http://{domain}:{port}"),
        }
    }

    /// Checks everything before it makes anything.
    pub(crate) async fn create(&self, create: api::ProjectCreate, user: &UserId) -> Result<Project> {
        let name = parse_name(&create.name)?;
        let env = environment::parse_all(&create.env_vars)?;
        let repo_url = match filled(&create.repo_url) {
            Some(url) => Some(self.checked(&url).await?),
            None => None,
        };
        let settings = settings(&create, repo_url)?;
        let none = RuntimeSettings::default();
        let runtime =
            runtime::changed(&none, create.network.as_ref(), create.volumes.as_ref(), create.limits.as_ref())?;
        let asked = placing::Asked {
            replicas: create.replicas,
            labels: create.node_labels.as_ref(),
            reschedule: create.reschedule,
        };
        let placing = placing::changed(&Placing::default(), &asked, &runtime)?;
        let node_id = self.first_node(create.node_id.as_deref(), &placing)?;
        let wanted_port = create.port.map(parse_port).transpose()?;
        for attempt in 0..TRIES {
            let id = ProjectId::new();
            let mut tx = self.store.write().await?;
            if tx.project_name_exists(&name).await? {
                let message = format!("there is a project named `{}` already", name.as_str());
                return Err(Error::conflict("NAME_TAKEN", message).at("name"));
            }
            let slug = match tx.project_by_slug(&name.slug()).await? {
                Some(_) => name.slug().with_suffix(&id.as_str()[20..]),
                None => name.slug(),
            };
            let taken = tx.project_list().await?.iter().map(|project| project.port).collect::<Vec<_>>();
            drop(tx);
            let port = self.port(&node_id, wanted_port, &taken).await?;
            let project = Project {
                runtime: runtime.clone(),
                placing: placing.clone(),
                ..new_project(id, &name, slug, node_id.clone(), settings.clone(), port, user)
            };
            let sealed = self.environment.seal_all(&project.id, &env)?;
            let mut tx = self.store.write().await?;
            match tx.project_insert(&project).await {
                // Somebody took the name, slug or port since it was looked at.
                Err(StoreError::Taken(_)) if attempt + 1 < TRIES => continue,
                result => result?,
            }
            tx.env_replace(&project.id, &sealed).await?;
            tx.event_insert("project.created", Some(&project.id), None, now_ms()).await?;
            tx.commit().await?;
            return Ok(project);
        }
        Err(Error::conflict("CONFLICT", "names or ports were taken while this project was made; try again"))
    }

    /// Changes what the request names; the next deployment takes it up.
    pub(crate) async fn update(&self, project: &Project, update: api::ProjectUpdate) -> Result<Project> {
        let name = match &update.name {
            Some(name) => parse_name(name)?.as_str().to_owned(),
            None => project.name.clone(),
        };
        let old = &project.settings;
        let pick = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
        let merged = api::ProjectCreate {
            branch: pick(&update.branch, &old.branch),
            root_directory: pick(&update.root_directory, &old.root_directory),
            watch_paths: update.watch_paths.clone().unwrap_or_else(|| old.watch_paths.clone()),
            install_command: pick(&update.install_command, &old.install_command),
            build_command: pick(&update.build_command, &old.build_command),
            run_command: pick(&update.run_command, &old.run_command),
            output_directory: pick(&update.output_directory, &old.output_directory),
            health_path: pick(&update.health_path, &old.health_path),
            releases_kept: update.releases_kept.or(old.releases_kept),
            ..api::ProjectCreate::default()
        };
        let (source, repo_url) = new_source(project, update.repo_url.as_ref())?;
        let mut settings = settings(&merged, repo_url)?;
        // What was fetched before needs no second look.
        if let Some(url) = &settings.repo_url
            && source == SourceKind::Git
            && (settings.repo_url != old.repo_url || settings.branch != old.branch)
        {
            settings.repo_url = Some(self.checked(url).await?);
        }
        let (network, volumes, limits) = (update.network.as_ref(), update.volumes.as_ref(), update.limits.as_ref());
        let runtime = runtime::changed(&project.runtime, network, volumes, limits)?;
        let asked = placing::Asked {
            replicas: update.replicas,
            labels: update.node_labels.as_ref(),
            reschedule: update.reschedule,
        };
        let placing = placing::changed(&project.placing, &asked, &runtime)?;
        let patch = ProjectPatch { name: &name, source, settings: &settings, runtime: &runtime, placing: &placing };
        let mut tx = self.store.write().await?;
        if let Some(id) = update.node_id.as_deref().filter(|id| !id.is_empty()) {
            self.move_to(&mut tx, project, id).await?;
        }
        match tx.project_update(&project.id, patch, now_ms()).await {
            Err(StoreError::Taken(_)) => {
                let message = format!("there is a project named `{name}` already");
                return Err(Error::conflict("NAME_TAKEN", message).at("name"));
            }
            result => result?,
        }
        tx.event_insert("project.updated", Some(&project.id), None, now_ms()).await?;
        tx.commit().await?;
        self.find(&ProjectRef::Id(project.id.clone())).await
    }

    /// The address of a repository that may be fetched from.
    async fn checked(&self, url: &str) -> Result<String> {
        Ok(repository::check(url, &self.config.git_allow_hosts).await?.to_string())
    }

    /// The wanted port if it is free, else the lowest free one.
    async fn port(&self, node: &NodeId, wanted: Option<u16>, taken: &[u16]) -> Result<u16> {
        if let Some(port) = wanted {
            if taken.contains(&port) {
                return Err(Error::conflict("PORT_TAKEN", format!("port {port} belongs to another project")).at("port"));
            }
            if !self.nodes.port_is_free(node, port).await? {
                let message = format!("something on the node listens on port {port} already; choose another one");
                return Err(Error::conflict("PORT_IN_USE", message).at("port"));
            }
            return Ok(port);
        }
        for port in (FIRST_PORT..=u16::MAX).filter(|port| !taken.contains(port)) {
            if self.nodes.port_is_free(node, port).await? {
                return Ok(port);
            }
        }
        Err(Error::conflict("NO_PORT", "every port from 3100 on is taken"))
    }
}

/// Where the files come from once `repo_url` is set: naming a repository makes a project one of git.
fn new_source(project: &Project, repo_url: Option<&String>) -> Result<(SourceKind, Option<String>)> {
    let Some(given) = repo_url else { return Ok((project.source, project.settings.repo_url.clone())) };
    match (filled(&Some(given.clone())), project.source) {
        (Some(url), _) => Ok((SourceKind::Git, Some(url))),
        (None, SourceKind::Upload) => Ok((SourceKind::Upload, None)),
        (None, SourceKind::Git) => {
            let message = "this project is deployed from a repository and needs its address; \
                to deploy a directory instead, upload one";
            Err(Error::invalid("repo_url", "INVALID_REPO_URL", message))
        }
    }
}

fn settings(create: &api::ProjectCreate, repo_url: Option<String>) -> Result<ProjectSettings> {
    let branch = filled(&create.branch);
    if let Some(branch) = &branch {
        branch.parse::<GitRef>().map_err(|error| Error::invalid("branch", "INVALID_BRANCH", error.to_string()))?;
    }
    Ok(ProjectSettings {
        repo_url,
        branch,
        root_directory: directory("root_directory", &create.root_directory)?,
        watch_paths: watch_paths(&create.watch_paths)?,
        install_command: command("install_command", &create.install_command)?,
        build_command: command("build_command", &create.build_command)?,
        run_command: command("run_command", &create.run_command)?,
        output_directory: directory("output_directory", &create.output_directory)?,
        health_path: health_path(&create.health_path)?,
        releases_kept: releases_kept(create.releases_kept)?,
    })
}

fn new_project(
    id: ProjectId,
    name: &ProjectName,
    slug: Slug,
    node_id: NodeId,
    settings: ProjectSettings,
    port: u16,
    user: &UserId,
) -> Project {
    let now = now_ms();
    Project {
        id,
        name: name.as_str().to_owned(),
        slug: slug.as_str().to_owned(),
        node_id,
        source: if settings.repo_url.is_some() { SourceKind::Git } else { SourceKind::Upload },
        settings,
        runtime: RuntimeSettings::default(),
        placing: Placing::default(),
        port,
        upload: None,
        deleting: false,
        created_by: user.clone(),
        created_at: now,
        updated_at: now,
    }
}

fn parse_name(name: &str) -> Result<ProjectName> {
    name.parse().map_err(|error: ids::Invalid| Error::invalid("name", "INVALID_NAME", error.to_string()))
}

fn parse_port(port: i64) -> Result<u16> {
    u16::try_from(port).ok().filter(|port| *port >= FIRST_PORT).ok_or_else(|| {
        Error::invalid("port", "INVALID_PORT", format!("a port is between {FIRST_PORT} and {}", u16::MAX))
    })
}

/// A text that says something.
fn filled(text: &Option<String>) -> Option<String> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn directory(field: &str, text: &Option<String>) -> Result<Option<String>> {
    let Some(text) = filled(text) else { return Ok(None) };
    let directory =
        text.parse::<RelativeDir>().map_err(|error| Error::invalid(field, "INVALID_DIRECTORY", error.to_string()))?;
    Ok(Some(directory.as_str().to_owned()).filter(|directory| !directory.is_empty()))
}

fn watch_paths(given: &[String]) -> Result<Vec<String>> {
    let invalid = |message: String| Error::invalid("watch_paths", "INVALID_WATCH_PATH", message);
    let given = given.iter().map(|pattern| pattern.trim()).filter(|pattern| !pattern.is_empty()).collect::<Vec<_>>();
    if given.len() > WATCH_PATHS_MAX {
        return Err(invalid(format!("a project watches at most {WATCH_PATHS_MAX} paths; use wider patterns")));
    }
    for pattern in &given {
        if pattern.len() > WATCH_PATH_MAX {
            return Err(invalid(format!("a pattern has at most {WATCH_PATH_MAX} bytes; use a wider one")));
        }
        watch::check(pattern).map_err(|why| invalid(format!("`{pattern}` cannot be watched: {why}")))?;
    }
    Ok(given.into_iter().map(str::to_owned).collect())
}

fn command(field: &str, text: &Option<String>) -> Result<Option<String>> {
    let Some(text) = filled(text) else { return Ok(None) };
    if text.len() > COMMAND_MAX || text.contains('\0') {
        return Err(Error::invalid(
            field,
            "INVALID_COMMAND",
            format!("a command has at most {COMMAND_MAX} characters"),
        ));
    }
    match domain::command::argv(&text) {
        Some(_) => Ok(Some(text)),
        None => Err(Error::invalid(field, "INVALID_COMMAND", "the command has an open quote")),
    }
}

fn health_path(text: &Option<String>) -> Result<Option<String>> {
    let Some(path) = filled(text) else { return Ok(None) };
    let plain = path.starts_with('/') && path.len() <= 1024 && path.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain || path.contains('#') {
        return Err(Error::invalid("health_path", "INVALID_PATH", "a health path looks like `/healthz`"));
    }
    Ok(Some(path))
}

/// Nothing is the server's default, and so is 0, with which one goes back to it.
fn releases_kept(count: Option<u32>) -> Result<Option<u32>> {
    match count.filter(|count| *count != 0) {
        Some(count) if count > RELEASES_KEPT_MAX => {
            let message = format!("a project keeps from 1 to {RELEASES_KEPT_MAX} releases; 0 is the server's default");
            Err(Error::invalid("releases_kept", "INVALID_LIMIT", message))
        }
        count => Ok(count),
    }
}
