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
    served: BTreeMap<u16, Port>,
}

struct Port {
    host: String,
    listening: Result<Listening, String>,
}

struct Listening {
    /// Stays when the port goes over to another host, whose visitors find it open throughout.
    listener: StdListener,
    _serving: DropGuard,
}

impl Ports {
    pub(super) fn new(edge: Edge) -> Self {
        Self { edge, served: BTreeMap::new() }
    }

    pub(super) fn apply(&mut self, plan: &Plan) {
        let wanted =
            plan.sites.iter().filter_map(|site| Some((site.port?, site.host.as_str()))).collect::<BTreeMap<_, _>>();
        self.served.retain(|port, _| wanted.contains_key(port));
        for (port, host) in wanted {
            let known = self.served.remove(&port);
            let served = match known {
                Some(served) if served.host == host && served.listening.is_ok() => served,
                Some(Port { listening: Ok(Listening { listener, .. }), .. }) => self.serve(port, host, Ok(listener)),
                Some(Port { listening: Err(_), .. }) | None => self.serve(port, host, bind(port)),
            };
            self.served.insert(port, served);
        }
    }

    /// Tries again what failed.
    pub(super) fn retry(&mut self) {
        let failed = self.served.iter().filter(|(_, served)| served.listening.is_err());
        let failed = failed.map(|(port, served)| (*port, served.host.clone())).collect::<Vec<_>>();
        for (port, host) in failed {
            let served = self.serve(port, &host, bind(port));
            self.served.insert(port, served);
        }
    }

    pub(super) fn errors(&self) -> BTreeMap<String, String> {
        let error = |served: &Port| Some((served.host.clone(), served.listening.as_ref().err()?.clone()));
        self.served.values().filter_map(error).collect()
    }

    fn serve(&self, port: u16, host: &str, listener: io::Result<StdListener>) -> Port {
        let serve = |listener: StdListener| {
            let accepting = TcpListener::from_std(listener.try_clone()?)?;
            let stop = CancellationToken::new();
            let (edge, host, stopped) = (self.edge.clone(), host.to_owned(), stop.clone());
            tokio::spawn(async move { edge.serve_host(accepting, &host, stopped.cancelled_owned()).await });
            Ok(Listening { listener, _serving: stop.drop_guard() })
        };
        let listening = listener.and_then(serve).map_err(|error| format!("port {port} cannot be served: {error}"));
        Port { host: host.to_owned(), listening }
    }
}

fn bind(port: u16) -> io::Result<StdListener> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
