//! Ports of this machine's loopback that appear on a workload's own, so that an app finds
//! the database beside it at `127.0.0.1` like any other program of the machine.
//!
//! The sandbox listens on them from before the app's start; here connections are accepted and
//! passed on. While the node is away they wait.

use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ids::WorkloadId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Agent;
use super::process::SOCKETS;

/// Connections of one workload to the host.
const CONNECTIONS: usize = 1024;
const RETRY: Duration = Duration::from_millis(100);

/// Passes connections on until it is dropped.
pub(super) struct HostPorts {
    _passing: JoinSet<()>,
}

impl Agent {
    /// Answers for `ports` in the network of a process that runs.
    pub(super) fn answer_host_ports(&self, id: &WorkloadId, ports: &[u16]) -> HostPorts {
        let mut passing = JoinSet::new();
        if !ports.is_empty() && crate::confine::Confine::has_namespaces() {
            let sockets = self.confine().layout.run(id).join(SOCKETS);
            passing.spawn(pass(id.clone(), sockets));
        }
        HostPorts { _passing: passing }
    }
}

async fn pass(id: WorkloadId, sockets: PathBuf) {
    let listeners = loop {
        match listeners(&sockets).await {
            Ok(listeners) => break listeners,
            Err(error) => {
                tracing::debug!(%error, workload.id = %id, "the ports of its host cannot be answered for yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, room.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

/// Those of the sockets given out that have a port: the others are not bound to any.
async fn listeners(sockets: &Path) -> io::Result<Vec<TcpListener>> {
    let given = edge::take_sockets(sockets).await?.into_iter().map(StdListener::from);
    let bound = given.filter(|socket| socket.local_addr().is_ok_and(|address| address.port() != 0));
    bound.map(TcpListener::from_std).collect()
}

async fn accept(listener: TcpListener, room: Arc<Semaphore>) {
    let Ok(port) = listener.local_addr().map(|address| address.port()) else { return };
    let mut passing = JoinSet::new();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((inside, _)) => {
                    passing.spawn(async move {
                        let _permit = permit;
                        // Refused by the host: closed to the app.
                        if let Ok(outside) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                            copy(inside, outside).await;
                        }
                    });
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            },
            Some(_) = passing.join_next() => {}
        }
    }
}

async fn copy(mut inside: TcpStream, mut outside: TcpStream) {
    let _ = inside.set_nodelay(true);
    let _ = outside.set_nodelay(true);
    let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
}
