use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Plan;
use crate::Edge;

/// The loopback ports that answer for one host each.
pub(super) struct Ports {
    edge: Edge,
    served: BTreeMap<String, Port>,
}

struct Port {
    port: u16,
    listening: Result<DropGuard, String>,
}

impl Ports {
    pub(super) fn new(edge: Edge) -> Self {
        Self { edge, served: BTreeMap::new() }
    }

    /// Lets go of what is not wanted before it takes what is: ports may move from host to host.
    pub(super) fn apply(&mut self, plan: &Plan) {
        let wanted =
            plan.sites.iter().filter_map(|site| Some((site.host.as_str(), site.port?))).collect::<BTreeMap<_, _>>();
        self.served.retain(|host, served| wanted.get(host.as_str()) == Some(&served.port));
        for (host, port) in wanted {
            if !self.served.contains_key(host) {
                let listening = self.listen(host, port);
                self.served.insert(host.to_owned(), Port { port, listening });
            }
        }
        self.retry();
    }

    /// Tries again what failed. Whether that changed anything.
    pub(super) fn retry(&mut self) -> bool {
        let failed = self.served.iter().filter(|(_, served)| served.listening.is_err());
        let failed = failed.map(|(host, served)| (host.clone(), served.port)).collect::<Vec<_>>();
        let mut changed = false;
        for (host, port) in failed {
            let listening = self.listen(&host, port);
            changed |= listening.is_ok();
            self.served.insert(host, Port { port, listening });
        }
        changed
    }

    pub(super) fn errors(&self) -> BTreeMap<String, String> {
        let error = |(host, served): (&String, &Port)| Some((host.clone(), served.listening.as_ref().err()?.clone()));
        self.served.iter().filter_map(error).collect()
    }

    fn listen(&self, host: &str, port: u16) -> Result<DropGuard, String> {
        let listener = bind(port).map_err(|error| format!("port {port} cannot be served: {error}"))?;
        let stop = CancellationToken::new();
        let (edge, host, stopped) = (self.edge.clone(), host.to_owned(), stop.clone());
        tokio::spawn(async move { edge.serve_host(listener, &host, stopped.cancelled_owned()).await });
        Ok(stop.drop_guard())
    }
}

fn bind(port: u16) -> io::Result<TcpListener> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
