//! Whoever drives an edge.

use std::net::SocketAddr;

use edge::control::{Control, Destination, Member, Plan, Report, Site, line};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};

use crate::support::soon;

pub(crate) struct Driver {
    read: BufReader<ReadHalf<DuplexStream>>,
    write: WriteHalf<DuplexStream>,
}

impl Driver {
    pub(crate) fn of(control: &Control) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let control = control.clone();
        tokio::spawn(async move { control.serve(theirs).await });
        let (read, write) = tokio::io::split(ours);
        Self { read: BufReader::new(read), write }
    }

    pub(crate) async fn tell(&mut self, plan: &Plan) {
        self.write.write_all(&line(plan).unwrap()).await.unwrap();
    }

    /// The next report; `None` when the edge hung up.
    pub(crate) async fn report(&mut self) -> Option<Report> {
        let mut text = String::new();
        soon(self.read.read_line(&mut text)).await.unwrap();
        (!text.is_empty()).then(|| serde_json::from_str(&text).unwrap())
    }

    pub(crate) async fn until(&mut self, wanted: impl Fn(&Report) -> bool) -> Report {
        loop {
            let report = self.report().await.unwrap();
            if wanted(&report) {
                return report;
            }
        }
    }
}

pub(crate) fn to(id: &str, address: SocketAddr) -> Destination {
    Destination::Upstream { id: id.into(), origin: address.into() }
}

pub(crate) fn plan(generation: u64, sites: &[(&str, Destination)]) -> Plan {
    let site = |(host, to): &(&str, Destination)| Site { host: (*host).into(), port: None, to: to.clone() };
    Plan { generation, sites: sites.iter().map(site).collect(), peers: Vec::new() }
}

pub(crate) fn among(members: &[(&str, SocketAddr)]) -> Destination {
    let member = |&(id, address): &(&str, SocketAddr)| Member { id: id.into(), origin: address.into() };
    Destination::Upstreams { members: members.iter().map(member).collect() }
}
