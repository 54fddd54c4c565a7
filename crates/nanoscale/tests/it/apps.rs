//! Small apps made on the spot, as archives to upload.

use std::path::Path;

use ids::{DeploymentState, ProjectId};
use testkit::Client;

use crate::BUILD;

/// A tar archive of these files.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A directory as an archive.
pub(crate) fn archive_of(directory: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", directory).unwrap();
    builder.into_inner().unwrap()
}

/// Answers every request with `version=<version>`, and reads, writes or runs what the query says.
pub(crate) fn node_app(version: &str) -> Vec<u8> {
    node_app_with(version, "")
}

/// The same, with more code before it listens.
pub(crate) fn node_app_with(version: &str, code: &str) -> Vec<u8> {
    let server = format!(
        r#"const http = require("node:http");
{code}
const server = http.createServer((request, response) => {{
  response.setHeader("x-version", "{version}");
  request.resume().on("end", () => response.end("version={version}"));
}});
server.listen(process.env.PORT, "127.0.0.1", () => console.log("version {version} listens"));
process.on("SIGTERM", () => {{ server.close(() => process.exit(0)); server.closeIdleConnections(); }});
"#
    );
    archive(&[("package.json", r#"{"scripts":{"start":"node server.js"}}"#), ("server.js", &server)])
}

/// A project that waits for uploads.
pub(crate) async fn project(client: &Client, name: &str) -> ProjectId {
    project_with(client, api::ProjectCreate { name: name.into(), ..api::ProjectCreate::default() }).await
}

pub(crate) async fn project_with(client: &Client, create: api::ProjectCreate) -> ProjectId {
    client.project_create(&create).await.unwrap().project.id
}

/// Uploads an archive and waits until it is live.
pub(crate) async fn deploy(client: &Client, project: &ProjectId, archive: Vec<u8>) -> api::Deployment {
    let deployment = client.upload(project, archive).await.unwrap();
    client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await
}

/// Uploads an archive that shall fail.
pub(crate) async fn deploy_failing(client: &Client, project: &ProjectId, archive: Vec<u8>) -> api::Deployment {
    let deployment = client.upload(project, archive).await.unwrap();
    client.wait_for(&deployment.id, DeploymentState::Failed, BUILD).await
}
