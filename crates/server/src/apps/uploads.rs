//! Archives that people upload: taken in whole, kept for a redeploy, passed on to the node that builds them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use checkpoint::Checkpoint;
use domain::project::Project;
use futures_util::StreamExt;
use ids::{DeploymentId, NodeId};
use tokio::io::AsyncWriteExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::apps::deployments::{Deployments, http::shown};
use crate::caller::User;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::http::PathId;
use crate::platform::nodes::Nodes;
use crate::platform::projects::{ProjectRef, Projects};
use crate::state::AppState;

/// Bytes of an upload after which the disk is looked at again.
const LOOK: u64 = 8 << 20;
/// How long the rest of an upload that is too large is read and thrown away.
const REST: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Uploads {
    config: Arc<Config>,
    deployments: Deployments,
    nodes: Nodes,
    /// On their way to a node.
    moving: Arc<Mutex<BTreeSet<DeploymentId>>>,
    /// Of requests that have not been answered: no deployment may know of them yet.
    arriving: Arc<Mutex<BTreeSet<DeploymentId>>>,
}

/// Keeps an archive that is arriving from being taken for one that nobody wants.
struct Arriving {
    upload: DeploymentId,
    all: Arc<Mutex<BTreeSet<DeploymentId>>>,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.upload);
    }
}

impl Uploads {
    pub(crate) fn new(config: Arc<Config>, deployments: Deployments, nodes: Nodes) -> Self {
        Self { config, deployments, nodes, moving: Arc::default(), arriving: Arc::default() }
    }

    fn path(&self, upload: &DeploymentId) -> PathBuf {
        self.config.data_dir.join("uploads").join(format!("{upload}.tar"))
    }

    fn arrive(&self) -> Arriving {
        let arriving = Arriving { upload: DeploymentId::new(), all: self.arriving.clone() };
        arriving.all.lock().unwrap_or_else(PoisonError::into_inner).insert(arriving.upload.clone());
        arriving
    }

    /// Takes an archive in. It is there as a whole or not at all.
    async fn receive(&self, upload: &DeploymentId, body: Body) -> Result<()> {
        let path = self.path(upload);
        let part = path.with_extension("part");
        let received = self.write(&part, body).await;
        if received.is_err() {
            let _ = tokio::fs::remove_file(&part).await;
        }
        received?;
        tokio::fs::rename(&part, &path).await.map_err(Error::io)
    }

    async fn write(&self, part: &PathBuf, body: Body) -> Result<()> {
        let parent = self.config.data_dir.join("uploads");
        tokio::fs::create_dir_all(parent).await.map_err(Error::io)?;
        let mut file = tokio::fs::File::create(part).await.map_err(Error::io)?;
        let mut stream = body.into_data_stream();
        let (mut size, mut looked) = (0_u64, 0);
        self.check_room()?;
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
            if size > looked + LOOK {
                looked = size;
                self.check_room()?;
            }
            file.write_all(&chunk).await.map_err(Error::io)?;
        }
        if size == 0 {
            return Err(Error::malformed(
                None,
                "the upload is empty; send a tar archive, plain or compressed with gzip or zstd",
            ));
        }
        file.sync_all().await.map_err(Error::io)
    }

    /// The last of the disk is for what is decided here, as it is not for builds.
    fn check_room(&self) -> Result<()> {
        let stat = nix::sys::statvfs::statvfs(&self.config.data_dir).map_err(|error| Error::io(error.into()))?;
        let (free, reserve) = (stat.blocks_available() * stat.fragment_size(), self.config.limits.disk_reserve_bytes);
        if free < reserve { Err(Error::no_room_for_upload(free >> 20, reserve >> 20)) } else { Ok(()) }
    }

    /// Begins to stream an archive to the project's node, unless that is going on already.
    pub(crate) fn push_to_node(&self, project: &Project, upload: &DeploymentId) {
        let moving = |this: &Self| this.moving.lock().unwrap_or_else(PoisonError::into_inner).insert(upload.clone());
        if !moving(self) {
            return;
        }
        // It may be long, and the way to the node slow.
        let (this, project, upload) = (self.clone(), project.clone(), upload.clone());
        tokio::spawn(async move {
            if let Err(error) = this.push(&project.node_id, &upload).await {
                tracing::warn!(%error, project.id = %project.id, "an upload did not reach its node");
            }
            this.moving.lock().unwrap_or_else(PoisonError::into_inner).remove(&upload);
        });
    }

    async fn push(&self, node: &NodeId, upload: &DeploymentId) -> Result<()> {
        let file = tokio::fs::File::open(self.path(upload)).await.map_err(Error::io)?;
        let link = self.nodes.link(node).await?;
        link.put_file(&format!("/v1/uploads/{upload}"), file).await
    }

    /// What lies here, and is not arriving at this moment.
    pub(crate) async fn at_rest(&self) -> Vec<(PathBuf, Option<DeploymentId>)> {
        let mut found = Vec::new();
        let Ok(mut entries) = tokio::fs::read_dir(self.config.data_dir.join("uploads")).await else { return found };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let id = entry.file_name().to_string_lossy().split('.').next().and_then(|id| id.parse().ok());
            found.push((entry.path(), id));
        }
        // After the look: what came while it lasted is arriving, or written down by now.
        let arriving = self.arriving.lock().unwrap_or_else(PoisonError::into_inner);
        found.retain(|(_, id)| !id.as_ref().is_some_and(|id| arriving.contains(id)));
        found
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
    let arriving = uploads.arrive();
    let upload = &arriving.upload;
    uploads.receive(upload, body).await?;
    checkpoint::reach(Checkpoint::UploadReceived).await;
    let deployed = uploads.deployments.deploy_upload(&project, &user, upload.clone()).await;
    if deployed.is_err() {
        uploads.forget(Some(upload)).await;
    }
    let deployment = shown(deployed?, false);
    Ok((StatusCode::ACCEPTED, axum::Json(api::DeploymentAccepted { deployment })))
}
