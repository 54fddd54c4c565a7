//! `nanoscale serve server`, `nanoscale serve edge` and `nanoscale serve node`: what `serve` is in one process, as three, so that what
//! listens to strangers has no rights and what has rights listens to nobody. Each may be ended and started again
//! while apps serve.
//!
//! The server and the edge have a socket in their own directory; the node, which may go everywhere, connects to both.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use edge::Edge;
use edge::control::Control;
use node::{Agent, Dial, DialPeer, Doors, EdgeIo, OwnLog, Separation};
use server::{Accept, LinkIo, LocalNode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::control_plane::ControlPlane;
use super::directories::{self, hold};
use super::sockets::{self, Socket};
use super::{FINISH, Termination, bind, edge_config, keep_log, node_config};
use crate::config::Config;

const LINK: &str = "link.sock";
/// Of the server: to other nodes.
const TUNNEL: &str = "tunnel.sock";
const CONTROL: &str = "control.sock";
/// Of the edge: for what the edges of other nodes send on.
const PEERS: &str = "peers.sock";
/// A host's name has at most so many bytes (RFC 1035 section 2.3.4).
const HOST_MAX: usize = 253;
/// Connections that the node offers the server: one for what is short, one for what is long, and one for visitors from
/// other nodes.
const LINKS: usize = 3;
const RETRY: Duration = Duration::from_millis(200);

/// The control plane, without any right on the machine.
pub(super) async fn server(config: Config, setup_code: Option<String>, mut termination: Termination) -> Result<()> {
    let directory = hold(&config.server_dir())?;
    let socket = Arc::new(Socket::bind(&config.server_dir(), LINK).context("listen for the node")?);
    let tunnel = Arc::new(Socket::bind(&config.server_dir(), TUNNEL).context("listen for the node's edge")?);
    let node = LocalNode { name: config.node_name.clone(), accept: accept_from(socket), tunnel: accept_from(tunnel) };
    let stop = CancellationToken::new();
    let port = config.edge_http_bind.port();
    let server = ControlPlane::start(&config, directory, setup_code, port, node, stop.clone()).await?;
    super::announce(&format!("listening {}", server.listening));
    server.welcome();
    termination.requested().await;
    stop.cancel();
    server.finish().await
}

fn accept_from(socket: Arc<Socket>) -> Accept {
    Box::new(move || {
        let socket = socket.clone();
        Box::pin(async move { Box::new(socket.accept().await) as Box<dyn LinkIo> }) as _
    })
}

/// The proxy that visitors meet.
pub(super) async fn edge(config: Config, mut termination: Termination) -> Result<()> {
    let directory = config.edge_dir();
    let _held = hold(&directory)?;
    directories::check_group(&directory)?;
    let visitors = bind(config.edge_http_bind, "edge.http_bind").await?;
    let address = visitors.local_addr()?;
    let socket = Socket::bind(&directory, CONTROL).context("listen for the node")?;
    let peers = Socket::bind(&directory, PEERS).context("listen for other edges")?;
    let edge = Edge::new(edge_config(&config));
    let control = Control::new(edge.clone(), Some(directory.join("routes.json")));
    let stop = CancellationToken::new();
    let edges = edge.clone();
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { edge.serve(visitors, stop.cancelled_owned()).await }
    });
    super::announce(&format!("listening edge={address}"));
    tokio::select! {
        () = obey(&control, &socket) => {}
        () = serve_peers(&edges, &peers) => {}
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

/// Each connection begins with a line that names the host it is for.
async fn serve_peers(edge: &Edge, socket: &Socket) {
    loop {
        let (edge, mut io) = (edge.clone(), socket.accept().await);
        tokio::spawn(async move {
            let mut host = Vec::new();
            // Byte by byte, as what follows the line is not ours; it is short.
            while host.len() <= HOST_MAX {
                match io.read_u8().await {
                    Ok(b'\n') => break,
                    Ok(byte) => host.push(byte),
                    Err(_) => return,
                }
            }
            edge.serve_peer(&String::from_utf8_lossy(&host), io).await;
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
    let doors = Doors {
        control: to(&edge_dir, CONTROL),
        peer: to_peers(&edge_dir),
        tunnel: to(&server_dir, TUNNEL),
        direct: None,
    };
    let agent =
        Agent::new(node_config(&config, separation, gates).await?, doors).context("prepare the node's directory")?;
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

fn to(directory: &Path, name: &'static str) -> Dial {
    let directory = directory.to_owned();
    Box::new(move || {
        let directory = directory.clone();
        Box::pin(async move { Ok(Box::pin(sockets::connect(&directory, name).await?) as Pin<Box<dyn EdgeIo>>) })
    })
}

/// To the edge, for a host.
fn to_peers(edge: &Path) -> DialPeer {
    let directory = edge.to_owned();
    Box::new(move |host| {
        let directory = directory.clone();
        Box::pin(async move {
            let mut io = sockets::connect(&directory, PEERS).await?;
            io.write_all(format!("{host}\n").as_bytes()).await?;
            Ok(Box::pin(io) as Pin<Box<dyn EdgeIo>>)
        })
    })
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
