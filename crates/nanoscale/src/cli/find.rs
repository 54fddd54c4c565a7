//! Finds what a person names: a project by slug, id or name, a deployment by id or number.

use anyhow::{Context, Result, bail};
use ids::{DeploymentId, Slug};

use super::client::{Answer, Client, ClientError};

pub(super) async fn project(client: &Client, name: &str) -> Result<Answer<api::Project>> {
    match project_if_any(client, name).await? {
        Some(project) => Ok(project),
        None => bail!("there is no project `{name}`; `nanoscale project list` shows what there is"),
    }
}

pub(super) async fn project_if_any(client: &Client, name: &str) -> Result<Option<Answer<api::Project>>> {
    let name = name.trim();
    // Only what looks like a slug or an id can be one; the rest would make a strange path.
    if name.parse::<Slug>().is_ok() {
        match client.get(&["projects", name]).await {
            Err(error) if ClientError::is_not_found(&error) => {}
            found => return found.map(Some),
        }
    }
    let list = client.get::<api::ProjectList>(&["projects"]).await?.value;
    match list.projects.iter().find(|project| project.name == name) {
        Some(project) => client.get(&["projects", project.id.as_str()]).await.map(Some),
        None => Ok(None),
    }
}

/// A deployment as people name it.
#[derive(clap::Args)]
pub(super) struct DeploymentName {
    /// Its id, `PROJECT/NUMBER`, or its project.
    #[arg(value_name = "DEPLOYMENT")]
    name: String,
    /// Its number, after its project.
    #[arg(value_name = "NUMBER")]
    number: Option<String>,
}

pub(super) async fn deployment(client: &Client, named: &DeploymentName) -> Result<DeploymentId> {
    let (project, number) = match &named.number {
        Some(number) => (named.name.as_str(), number.as_str()),
        None => match (named.name.parse(), named.name.rsplit_once('/')) {
            (Ok(id), _) => return Ok(id),
            (Err(_), Some(parts)) => parts,
            (Err(_), None) => bail!("name a deployment by its id, or as {}/NUMBER", named.name),
        },
    };
    let project = self::project(client, project).await?.value;
    deployment_of(client, &project, number).await
}

/// The deployment of a project that `text` names by id or by number.
pub(super) async fn deployment_of(client: &Client, project: &api::Project, text: &str) -> Result<DeploymentId> {
    let Ok(number) = text.trim_start_matches('#').parse::<i64>() else {
        return text.parse().with_context(|| format!("`{text}` is neither the number nor the id of a deployment"));
    };
    let mut query = Vec::new();
    loop {
        let path = ["projects", project.id.as_str(), "deployments"];
        let page = client.get_with::<api::DeploymentList>(&path, &query).await?.value;
        if let Some(found) = page.deployments.iter().find(|deployment| deployment.number == number) {
            return Ok(found.id.clone());
        }
        match page.next_cursor {
            Some(cursor) => query = vec![("cursor", cursor)],
            None => bail!("`{}` has no deployment {number}", project.name),
        }
    }
}
