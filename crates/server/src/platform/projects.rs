//! Projects: what there is to deploy, and how.

mod placing;
mod runtime;
mod source;

use std::str::FromStr;
use std::sync::Arc;

use checkpoint::Checkpoint;
use domain::project::{FIRST_PORT, Placing, Project, ProjectSettings, RELEASES_KEPT_MAX, Registry, RuntimeSettings};
use domain::user::User;
use domain::watch;
use ids::{GitRef, NodeId, ProjectId, ProjectName, RelativeDir, Slug, SourceKind, UserId};
use store::{ProjectPatch, Store, StoreError};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::environment::Environment;
use crate::platform::nodes::Nodes;
use crate::platform::{image, repository};

pub(crate) use placing::{Bound, bound_by};

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

    /// The project of this id, slug or name.
    pub(crate) async fn named(&self, text: &str) -> Result<Project> {
        if let Ok(reference) = text.parse() {
            match self.find(&reference).await {
                Err(error) if error.is_not_found() => {}
                found => return found,
            }
        }
        let found = self.list().await?.into_iter().find(|project| project.name == text);
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
    pub(crate) async fn create(&self, create: api::ProjectCreate, user: &User) -> Result<Project> {
        let name = parse_name(&create.name)?;
        let env = self.environment.parse_all(&create.env_vars)?;
        let source = source::of(create.repo_url.as_deref(), create.image.as_deref())?;
        let (repo_url, image) = self.checked(source.clone()).await?;
        let settings = settings(&create, repo_url, image)?;
        source::check_credentials(create.registry_username.as_deref(), create.registry_password.as_deref())?;
        let none = RuntimeSettings::default();
        let runtime =
            runtime::changed(&none, create.network.as_ref(), create.volumes.as_ref(), create.limits.as_ref())?;
        let asked = placing::Asked {
            replicas: create.replicas,
            labels: create.node_labels.as_ref(),
            reschedule: create.reschedule,
        };
        let bound = match source.kind() {
            _ if !runtime.volumes.is_empty() => Some(Bound::Volumes),
            SourceKind::Image => Some(Bound::Image),
            SourceKind::Git | SourceKind::Upload => None,
        };
        let placing = placing::changed(&Placing::default(), &asked, bound)?;
        let node_id = self.first_node(create.node_id.as_deref(), &placing, user)?;
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
            let registry =
                self.registry(&id, &Registry::default(), &create.registry_username, &create.registry_password)?;
            let settings = ProjectSettings { registry, ..settings.clone() };
            let project = Project {
                runtime: runtime.clone(),
                placing: placing.clone(),
                source: source.kind(),
                ..new_project(id, &name, slug, node_id.clone(), settings, port, &user.id)
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
    pub(crate) async fn update(&self, project: &Project, update: api::ProjectUpdate, user: &User) -> Result<Project> {
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
            builder: update.builder.or(Some(old.builder)),
            dockerfile_path: pick(&update.dockerfile_path, &old.dockerfile_path),
            ..api::ProjectCreate::default()
        };
        let source = source::after(project, update.repo_url.as_deref(), update.image.as_deref())?;
        // What was fetched before needs no second look.
        let known = source == source::present(project) && merged.branch == old.branch;
        let (repo_url, image) = if known { source.clone().parts() } else { self.checked(source.clone()).await? };
        let mut settings = settings(&merged, repo_url, image)?;
        // A password is for the registry that it was given for, and for no other one.
        let kept = if source::same_registry(&settings, old) { old.registry.clone() } else { Registry::default() };
        settings.registry = self.registry(&project.id, &kept, &update.registry_username, &update.registry_password)?;
        let (network, volumes, limits) = (update.network.as_ref(), update.volumes.as_ref(), update.limits.as_ref());
        let runtime = runtime::changed(&project.runtime, network, volumes, limits)?;
        let asked = placing::Asked {
            replicas: update.replicas,
            labels: update.node_labels.as_ref(),
            reschedule: update.reschedule,
        };
        let releases = self.store.read().await?.release_list(&project.id).await?;
        let after = Project { source: source.kind(), runtime: runtime.clone(), ..project.clone() };
        let placing = placing::changed(&project.placing, &asked, placing::bound_by(&after, &releases))?;
        let to = update.node_id.as_deref().filter(|id| !id.is_empty());
        let to = to.map(|id| self.usable(id, user)).transpose()?;
        let patch = ProjectPatch {
            name: &name,
            source: source.kind(),
            settings: &settings,
            runtime: &runtime,
            placing: &placing,
        };
        let mut tx = self.store.write().await?;
        if let Some(to) = to {
            self.move_to(&mut tx, project, to).await?;
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
        checkpoint::reach(Checkpoint::ProjectChanged).await;
        self.find(&ProjectRef::Id(project.id.clone())).await
    }

    /// The address of a repository, or the image, that may be fetched.
    async fn checked(&self, source: source::Source) -> Result<(Option<String>, Option<String>)> {
        Ok(match source {
            source::Source::Git(url) => {
                (Some(repository::check(&url, &self.config.git_allow_hosts).await?.to_string()), None)
            }
            source::Source::Image(name) => {
                (None, Some(image::check(&name, &self.config.image_allow_hosts).await?.to_string()))
            }
            source::Source::Upload => (None, None),
        })
    }

    /// Who the registry is asked as after a change: what is absent stays, an empty text goes.
    fn registry(
        &self,
        project: &ProjectId,
        old: &Registry,
        username: &Option<String>,
        password: &Option<String>,
    ) -> Result<Registry> {
        let username = username.as_ref().map_or_else(|| old.username.clone(), |name| filled(&Some(name.clone())));
        let password_sealed = match password.as_deref() {
            None => old.password_sealed.clone(),
            Some("") => None,
            Some(password) => Some(self.environment.seal_registry_password(project, password)?),
        };
        if username.is_none() {
            return match password.as_deref().filter(|password| !password.is_empty()) {
                Some(_) => Err(source::no_username()),
                None => Ok(Registry::default()),
            };
        }
        Ok(Registry { username, password_sealed })
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

fn settings(create: &api::ProjectCreate, repo_url: Option<String>, image: Option<String>) -> Result<ProjectSettings> {
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
        image,
        registry: Registry::default(),
        builder: create.builder.unwrap_or_default(),
        dockerfile_path: directory("dockerfile_path", &create.dockerfile_path)?,
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
        source: SourceKind::Upload,
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
