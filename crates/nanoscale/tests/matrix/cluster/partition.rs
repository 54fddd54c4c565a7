//! A machine is cut off while elsewhere projects are deployed and moved and parts are killed, by chance. Its apps serve
//! throughout; when it is back everything is as it was asked for, and nothing runs twice.
//!
//! `cargo xtask soak --partition 10` does it for ten minutes.

use std::process::Command;
use std::time::{Duration, Instant};

use ids::{DeploymentState, NodeId, NodeStatus};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use testkit::wait_until;

use super::Cluster;
use super::faults::Shall;
use crate::BUILD;
use crate::apps::deploy;
use crate::seeded::number;
use crate::site::Site;

/// In the suite; a soak says its own.
const SECONDS: u64 = 20;
/// Within which the state of a machine is shown right.
const SHOWN: Duration = Duration::from_secs(30);

struct Scene {
    cluster: Cluster,
    rng: StdRng,
    /// The one that is cut off.
    cut: NodeId,
    /// On that one, and nowhere else.
    alone: Site,
    /// There and on another one, where it is built.
    shared: Site,
    /// Anywhere else.
    moving: Site,
    told: Told,
}

/// What there is to report.
#[derive(Debug, Default)]
struct Told {
    visits_there: usize,
    visits_elsewhere: usize,
    /// Of those, after a kill, that had to be tried again.
    visits_late: usize,
    deploys: usize,
    moves: usize,
    kills: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_cut_off_serves_on_while_the_others_go_on() {
    let seed = number("NANOSCALE_SEED").unwrap_or_else(rand::random);
    let length = Duration::from_secs(number("NANOSCALE_PARTITION_SECONDS").unwrap_or(SECONDS));
    eprintln!("NANOSCALE_SEED={seed}");
    let mut scene = Scene::new(seed).await;
    let begun = Instant::now();
    scene.wire().cut();
    // Asked for while it is away: built when it is back, and once.
    let next = scene.alone.next_movable();
    let waiting = scene.cluster.stand.client.upload(&scene.alone.project, next).await.unwrap();
    let gone = |status| matches!(status, NodeStatus::Unreachable | NodeStatus::Offline);
    scene.wait_for_status(gone).await;
    let shown_gone = begun.elapsed();
    while begun.elapsed() < length {
        scene.round().await;
        scene.visit().await;
    }
    scene.wire().mend();
    let mended = Instant::now();
    scene.wait_for_status(|status| status == NodeStatus::Online).await;
    let shown_back = mended.elapsed();
    let client = &scene.cluster.stand.client;
    client.wait_for(&waiting.id, DeploymentState::Live, BUILD).await;
    scene.alone.version = scene.alone.newest;
    let listed = client.deployment_list(&scene.alone.project).await.unwrap();
    assert_eq!(listed.len(), 2, "NANOSCALE_SEED={seed}: {listed:#?}");
    if let Err(faults) = scene.converge().await {
        panic!("NANOSCALE_SEED={seed}: {faults}");
    }
    eprintln!(
        "cut for {} s: shown after {shown_gone:.1?}, and after {shown_back:.1?} when it was back; all right again after {:.1?}; {:?}",
        (mended - begun).as_secs(),
        mended.elapsed(),
        scene.told
    );
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let cluster = Cluster::on_wires(3).await;
        let nodes = cluster.nodes();
        let on = |name: &str, node: &NodeId, replicas: u32| api::ProjectCreate {
            name: name.into(),
            node_id: Some(node.to_string()),
            replicas: Some(replicas),
            ..api::ProjectCreate::default()
        };
        let cut = nodes[3].clone();
        let alone = Site::movable(&cluster.stand, on("alone", &cut, 1)).await;
        let moving = Site::movable(&cluster.stand, on("moving", &nodes[0], 1)).await;
        let shared = Site::movable(&cluster.stand, on("shared", &nodes[1], 1)).await;
        // Where it goes is chosen: the others do not have its label meanwhile.
        let labels = |labels: &[(&str, &str)]| Some(labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect());
        for node in [&nodes[1], &cut] {
            let update = api::NodeUpdate { labels: labels(&[("shared", "yes")]), ..api::NodeUpdate::default() };
            cluster.stand.client.node_update(node, &update).await.unwrap();
        }
        let update = api::ProjectUpdate {
            replicas: Some(2),
            node_labels: labels(&[("shared", "yes")]),
            ..api::ProjectUpdate::default()
        };
        cluster.stand.client.project_update(&shared.project, &update).await.unwrap();
        let rng = StdRng::seed_from_u64(seed);
        let scene = Self { cluster, rng, cut, alone, shared, moving, told: Told::default() };
        scene.converge().await.unwrap();
        scene
    }

    /// Waits until everything is as it shall be while nobody is cut off.
    async fn converge(&self) -> Result<(), String> {
        let nodes = self.cluster.nodes();
        let shared = Shall::be_on([nodes[1].clone(), self.cut.clone()]);
        let moving = Shall { replicas: 1, among: nodes.into_iter().filter(|node| *node != self.cut).collect() };
        let alone = Shall::be_on([self.cut.clone()]);
        self.cluster.converge(&[(&self.alone, &alone), (&self.shared, &shared), (&self.moving, &moving)]).await
    }

    fn wire(&self) -> &testkit::Wire {
        self.cluster.machine_of(&self.cut).unwrap().wire()
    }

    async fn wait_for_status(&self, is: impl Fn(NodeStatus) -> bool) {
        let client = &self.cluster.stand.client;
        wait_until("the state is shown right", SHOWN, async || {
            client.node_get(&self.cut).await.is_ok_and(|node| is(node.status))
        })
        .await;
    }

    /// Something happens elsewhere.
    async fn round(&mut self) {
        let client = self.cluster.stand.client.clone();
        let elsewhere = self.cluster.nodes().into_iter().filter(|node| *node != self.cut).collect::<Vec<_>>();
        let node = elsewhere[self.rng.random_range(0..elsewhere.len())].clone();
        match self.rng.random_range(0..8) {
            0..3 => {
                let shared = self.rng.random_bool(0.5);
                let site = if shared { &mut self.shared } else { &mut self.moving };
                let next = site.next_movable();
                deploy(&client, &site.project, next).await;
                site.version = site.newest;
                self.told.deploys += 1;
            }
            3..5 => {
                let there = api::ProjectUpdate { node_id: Some(node.to_string()), ..api::ProjectUpdate::default() };
                client.project_update(&self.moving.project, &there).await.unwrap();
                self.told.moves += 1;
            }
            5 => {
                self.cluster.restart_server().await;
                self.told.kills += 1;
            }
            _ => {
                self.cluster.restart(&node).await;
                self.told.kills += 1;
            }
        }
    }

    /// Everybody is answered: there by its own edge, elsewhere by all others.
    async fn visit(&mut self) {
        let edge = self.cluster.machine_of(&self.cut).unwrap().edge_addr();
        let [enter, arguments @ ..] = self.wire().enter();
        for (site, wanted) in [(&self.alone, &["1"][..]), (&self.shared, &[])] {
            let (host, url) = (format!("host: {}", site.host()), format!("http://{edge}/version"));
            let visit = ["curl", "-s", "-m", "10", "-H", &host, &url];
            let visited = Command::new(&enter).args(&arguments).args(visit).output().unwrap();
            let seen = String::from_utf8_lossy(&visited.stdout).trim().to_owned();
            // What it was told last is what is right there.
            let is_right = if wanted.is_empty() { seen.parse::<u32>().is_ok() } else { wanted.contains(&&*seen) };
            assert!(is_right, "visitors of {} where it is cut off see `{seen}`", site.name);
            self.told.visits_there += 1;
        }
        for node in self.cluster.nodes().into_iter().filter(|node| *node != self.cut) {
            for site in [&self.shared, &self.moving] {
                let (app, version) = (self.cluster.app(&node, site.host()), site.version.to_string());
                let right = async || app.get("/version").await.is_ok_and(|reply| reply.text() == version);
                // The way to another machine leads through the server, which may have been killed a moment ago.
                self.told.visits_late += usize::from(!right().await);
                wait_until(&format!("visitors of {} at {node} see {version}", site.name), SHOWN, right).await;
                self.told.visits_elsewhere += 1;
            }
        }
    }
}
