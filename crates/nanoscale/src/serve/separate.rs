//! `nanoscale serve server`, `nanoscale serve edge` and `nanoscale serve node`: what `serve` is in one process, as three, so that what
//! listens to strangers has no rights and what has rights listens to nobody. Each may be ended and started again
//! while apps serve.
//!
//! The server and the edge have a socket in their own directory; the node, which may go everywhere, connects to both.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use edge::Edge;
use edge::control::Control;
use node::{Agent, EdgeIo, OwnLog, Separation};
use server::{LinkIo, LocalNode};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::control_plane::ControlPlane;
use super::directories::{self, hold};
use super::sockets::{self, Socket};
use super::{FINISH, Termination, bind, edge_config, keep_log, node_config};
use crate::config::Config;

const LINK: &str = "link.sock";
const CONTROL: &str = "control.sock";
/// Connections that the node offers the server: one for what is short and one for what is long.
const LINKS: usize = 2;
const RETRY: Duration = Duration::from_millis(200);

/// The control plane, without any right on the machine.
pub(super) async fn server(config: Config, setup_code: Option<String>, mut termination: Termination) -> Result<()> {
    let directory = hold(&config.server_dir())?;
    let socket = Arc::new(Socket::bind(&config.server_dir(), LINK).context("listen for the node")?);
    let accept = move || {
        let socket = socket.clone();
        Box::pin(async move { Box::new(socket.accept().await) as Box<dyn LinkIo> }) as _
    };
    let node = LocalNode { name: config.node_name.clone(), accept: Box::new(accept) };
    let stop = CancellationToken::new();
    let port = config.edge_http_bind.port();
    let server = ControlPlane::start(&config, directory, setup_code, port, node, stop.clone()).await?;
    super::announce(&format!("listening api={}", server.address));
    server.welcome();
    termination.requested().await;
    stop.cancel();
    server.finish().await
}

/// The proxy that visitors meet.
pub(super) async fn edge(config: Config, mut termination: Termination) -> Result<()> {
    let directory = config.edge_dir();
    let _held = hold(&directory)?;
    directories::check_group(&directory)?;
    let visitors = bind(config.edge_http_bind, "edge.http_bind").await?;
    let address = visitors.local_addr()?;
    let socket = Socket::bind(&directory, CONTROL).context("listen for the node")?;
    let edge = Edge::new(edge_config(&config));
    let control = Control::new(edge.clone(), Some(directory.join("routes.json")));
    let stop = CancellationToken::new();
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { edge.serve(visitors, stop.cancelled_owned()).await }
    });
    super::announce(&format!("listening edge={address}"));
    tokio::select! {
        () = obey(&control, &socket) => {}
        () = termination.requested() => {}
    }
    stop.cancel();
    let _ = tokio::time::timeout(FINISH, serving).await;
    Ok(())
}

async fn obey(control: &Control, socket: &Socket) {
    loop {
        let (control, driver) = (control.clone(), socket.accept().await);
        tokio::spawn(async move {
            if let Err(error) = control.serve(driver).await {
                tracing::warn!(%error, "the node's connection ended");
            }
        });
    }
}

/// What runs apps.
pub(super) async fn node(config: Config, mut termination: Termination, log: &OwnLog) -> Result<()> {
    directories::share(&config.data_dir)?;
    let _held = hold(&config.node_dir())?;
    keep_log(log, &config);
    let (server_dir, edge_dir) = (config.server_dir(), config.edge_dir());
    let separation =
        Separation::Processes { server: directories::owner(&server_dir)?, edge: directories::owner(&edge_dir)? };
    let gates = Some(directories::group(&edge_dir)?);
    let dial = move || {
        let directory = edge_dir.clone();
        let connect = async move { sockets::connect(&directory, CONTROL).await };
        Box::pin(async move { Ok(Box::pin(connect.await?) as Pin<Box<dyn EdgeIo>>) }) as _
    };
    let agent =
        Agent::new(node_config(&config, separation, gates)?, Box::new(dial)).context("prepare the node's directory")?;
    let stop = CancellationToken::new();
    let working = tokio::spawn({
        let (agent, stop) = (agent.clone(), stop.clone());
        async move { agent.run(stop.cancelled_owned()).await }
    });
    let mut links = JoinSet::new();
    for _ in 0..LINKS {
        links.spawn(offer_link(agent.clone(), server_dir.clone()));
    }
    super::announce(&format!("node directory={}", config.node_dir().display()));
    termination.requested().await;
    tracing::info!("stopping; apps go on running");
    stop.cancel();
    let _ = tokio::time::timeout(FINISH, working).await;
    Ok(())
}

/// Keeps a connection to the server, for ever.
async fn offer_link(agent: Agent, server: std::path::PathBuf) {
    let mut away = false;
    loop {
        match sockets::connect(&server, LINK).await {
            Ok(stream) => {
                away = false;
                node::serve_link(agent.clone(), stream).await;
            }
            Err(error) if !std::mem::replace(&mut away, true) => {
                tracing::warn!(%error, "the server does not answer; apps go on, trying again");
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}
