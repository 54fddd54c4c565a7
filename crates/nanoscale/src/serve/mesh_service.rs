//! `nanoscale serve coordinator`, `nanoscale serve control-plane` and `nanoscale serve portal`: the mesh's services, each in a process
//! of its own, that ask one another over HTTP.

use anyhow::{Context, Result};
use server::{Accept, Certificate, Listener, LocalNode};
use tokio_util::sync::CancellationToken;

use super::control_plane::{ControlPlane, own_names};
use super::directories::hold;
use super::surfaces::Surfaces;
use super::{FINISH, Termination, announce, make_private};
use crate::config::{Config, MeshService};

/// Coordinator or portal: each has a database of its own.
pub(super) async fn with_database(
    config: Config,
    setup_code: Option<String>,
    mut termination: Termination,
) -> Result<()> {
    let directory = hold(&config.server_dir())?;
    make_private(&config.data_dir)?;
    let stop = CancellationToken::new();
    let port = config.edge_http_bind.port();
    let server = ControlPlane::start(&config, directory, setup_code, port, no_node(&config), stop.clone()).await?;
    announce(&format!("listening {}", server.listening));
    if config.service == Some(MeshService::Portal) {
        server.welcome();
    }
    termination.requested().await;
    stop.cancel();
    server.finish().await
}

/// The control plane keeps nothing.
pub(super) async fn control_plane(config: Config, mut termination: Termination) -> Result<()> {
    let directory = config.server_dir();
    let _held = hold(&directory)?;
    make_private(&config.data_dir)?;
    let certificate =
        Certificate::own(&directory.join("tls"), &own_names(&config)).context("make the service's own certificate")?;
    let surfaces = Surfaces::bind(&config).await?.context("the mesh is switched off")?;
    let router = server::mesh_control_plane(surfaces.config(&config)).context("start the control plane")?;
    let listening = surfaces.announced();
    let stop = CancellationToken::new();
    let listeners = surfaces.listeners(&config, &certificate).into_iter();
    let serving = listeners.map(|(_, listener): (_, Listener)| {
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move { listener.serve(router, stop).await })
    });
    let serving = serving.collect::<Vec<_>>();
    announce(&format!("listening{listening}"));
    termination.requested().await;
    stop.cancel();
    let _ = tokio::time::timeout(FINISH, futures_util::future::join_all(serving)).await;
    Ok(())
}

/// Nothing runs on the machine of such a service.
fn no_node(config: &Config) -> LocalNode {
    let nobody = || -> Accept { Box::new(|| Box::pin(std::future::pending())) };
    LocalNode { name: config.node_name.clone(), accept: nobody(), tunnel: nobody() }
}
