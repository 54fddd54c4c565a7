//! Archives that people upload: taken in whole, kept for a redeploy, passed on to the node that builds them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::StreamExt;
use ids::{DeploymentId, ProjectId};
use tokio::io::AsyncWriteExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::apps::deployments::{Deployments, http::shown};
use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::PathId;
use crate::platform::nodes::Nodes;
use crate::platform::projects::{ProjectRef, Projects};
use crate::state::{AppState, Config};

/// How long the rest of an upload that is too large is read and thrown away.
const REST: Duration = Duration::from_secs(30);

/// An archive that nobody has claimed after this long never will be.
const UNCLAIMED: Duration = Duration::from_secs(3600);

#[derive(Clone)]
pub(crate) struct Uploads {
    config: Arc<Config>,
    deployments: Deployments,
    nodes: Nodes,
    /// On their way to a node.
    moving: Arc<Mutex<BTreeSet<DeploymentId>>>,
}

impl Uploads {
    pub(crate) fn new(config: Arc<Config>, deployments: Deployments, nodes: Nodes) -> Self {
        Self { config, deployments, nodes, moving: Arc::default() }
    }

    fn path(&self, upload: &DeploymentId) -> PathBuf {
        self.config.data_dir.join("uploads").join(format!("{upload}.tar"))
    }

    /// Takes an archive in. It is there as a whole or not at all.
    async fn receive(&self, body: Body) -> Result<DeploymentId> {
        let upload = DeploymentId::new();
        let path = self.path(&upload);
        let part = path.with_extension("part");
        let received = self.write(&part, body).await;
        if received.is_err() {
            let _ = tokio::fs::remove_file(&part).await;
        }
        received?;
        tokio::fs::rename(&part, &path).await.map_err(Error::internal)?;
        Ok(upload)
    }

    async fn write(&self, part: &PathBuf, body: Body) -> Result<()> {
        let parent = self.config.data_dir.join("uploads");
        tokio::fs::create_dir_all(parent).await.map_err(Error::internal)?;
        let mut file = tokio::fs::File::create(part).await.map_err(Error::internal)?;
        let mut stream = body.into_data_stream();
        let mut size = 0_u64;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| Error::malformed(None, "the upload broke off; send it again"))?;
            size += chunk.len() as u64;
            if size > self.config.limits.upload_bytes {
                let megabytes = self.config.limits.upload_bytes >> 20;
                // A client that still sends would see a cut connection instead of the answer.
                let rest = stream.take_while(|chunk| std::future::ready(chunk.is_ok())).for_each(async |_| {});
                let _ = tokio::time::timeout(REST, rest).await;
                let message = format!(
                    "an upload may have {megabytes} MB (limits.upload_mb); leave out what the build makes anyway"
                );
                return Err(Error::too_large(message));
            }
            file.write_all(&chunk).await.map_err(Error::internal)?;
        }
        if size == 0 {
            return Err(Error::malformed(
                None,
                "the upload is empty; send a tar archive, plain or compressed with gzip or zstd",
            ));
        }
        file.sync_all().await.map_err(Error::internal)
    }

    /// Streams an archive to the project's node, unless that is going on already.
    pub(crate) async fn push_to_node(&self, project: &ProjectId, upload: &DeploymentId) {
        let lock = || self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        if !lock().insert(upload.clone()) {
            return;
        }
        if let Err(error) = self.push(upload).await {
            tracing::warn!(%error, project.id = %project, "an upload did not reach its node");
        }
        lock().remove(upload);
    }

    async fn push(&self, upload: &DeploymentId) -> Result<()> {
        let file = tokio::fs::File::open(self.path(upload)).await.map_err(Error::internal)?;
        let link = self.nodes.link(self.nodes.local_id()).await?;
        link.put_file(&format!("/v1/uploads/{upload}"), file).await
    }

    /// Removes archives that no project and no deployment under way takes any more.
    pub(crate) async fn keep_only(&self, wanted: &BTreeSet<DeploymentId>) {
        let Ok(mut entries) = tokio::fs::read_dir(self.config.data_dir.join("uploads")).await else { return };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.split('.').next().and_then(|id| id.parse::<DeploymentId>().ok());
            let age =
                entry.metadata().await.and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
            // One that was just received belongs to a deployment that is about to be written down.
            let old = age.is_some_and(|age| age > UNCLAIMED);
            if old && !id.is_some_and(|id| wanted.contains(&id)) {
                let _ = tokio::fs::remove_file(entry.path()).await;
            }
        }
    }

    /// Removes the archive of a project that goes.
    pub(crate) async fn forget(&self, upload: Option<&DeploymentId>) {
        if let Some(upload) = upload {
            let _ = tokio::fs::remove_file(self.path(upload)).await;
        }
    }
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(source_put))
}

/// Uploads a tar archive (plain, gzip or zstd) and deploys it.
#[utoipa::path(put, path = "/api/projects/{id}/source", tag = "deployments", params(("id" = String, Path)),
    request_body(content_type = "application/x-tar", description = "The archive"), responses(
    (status = 202, body = api::DeploymentAccepted), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 413, body = api::ErrorBody)))]
async fn source_put(
    User(user): User,
    State(projects): State<Projects>,
    State(uploads): State<Uploads>,
    PathId(id): PathId<ProjectRef>,
    body: Body,
) -> Result<(StatusCode, axum::Json<api::DeploymentAccepted>)> {
    let project = projects.find(&id).await?;
    let upload = uploads.receive(body).await?;
    let deployed = uploads.deployments.deploy_upload(&project, &user, upload.clone()).await;
    if deployed.is_err() {
        uploads.forget(Some(&upload)).await;
    }
    let deployment = shown(deployed?, false);
    Ok((StatusCode::ACCEPTED, axum::Json(api::DeploymentAccepted { deployment })))
}
