use checkpoint::{Checkpoint, Flow};

use super::Cluster;
use super::faults::Shall;
use super::flows::{Case, Role, count};
use crate::apps::deploy;
use crate::site::Site;

pub(super) fn steps(flow: Flow) -> impl Iterator<Item = Checkpoint> {
    Checkpoint::ALL.iter().copied().filter(move |step| step.flows().contains(&flow))
}

/// Those who are killed at a step in the suite: whoever waits there, and one other, who is another one at the next step.
pub(super) fn victims(flow: Flow, checkpoint: Checkpoint, number: usize, nodes: usize) -> [Role; 2] {
    let holder = Role::at(flow, checkpoint);
    let rest = Role::ALL.into_iter().filter(|role| *role != holder && (*role != Role::Third || nodes > 2));
    let rest = rest.collect::<Vec<_>>();
    [holder, rest[number % rest.len()]]
}

/// A project as a flow wants it to be before it begins.
pub(super) async fn prepare(cluster: &Cluster, flow: Flow, name: String) -> Result<Site, String> {
    let nodes = cluster.nodes();
    let replicas = if flow == Flow::Redeploy { nodes.len() } else { 1 };
    let mut create = api::ProjectCreate { name, replicas: Some(count(replicas)), ..api::ProjectCreate::default() };
    create.node_id = Some(nodes[1].to_string());
    if flow == Flow::Reschedule {
        create.reschedule = Some(true);
        create.node_labels = Some([("kind".to_owned(), "machine".to_owned())].into());
    }
    let mut site = Site::movable(&cluster.stand, create).await;
    if flow == Flow::Redeploy {
        // As many as are kept, so that each one more has one pruned.
        let next = site.next_movable();
        deploy(&cluster.stand.client, &site.project, next).await;
        site.version = site.newest;
    }
    let shall = if replicas == 1 { Shall::be_on([nodes[1].clone()]) } else { Shall::be_on(nodes) };
    cluster.converge(&[(&site, &shall)]).await.map(|()| site)
}

/// Strikes one after the other in one cluster; a new one is taken after a case that failed.
async fn all(flow: Flow, nodes: usize, cases: impl IntoIterator<Item = (Checkpoint, Role)>) {
    let mut failures = Vec::new();
    let mut made = None;
    for (checkpoint, role) in cases {
        let (mut cluster, mut site) = match made.take() {
            Some(made) => made,
            None => {
                let cluster = Cluster::new(nodes - 1).await;
                let site = prepare(&cluster, flow, "site".into()).await.unwrap();
                (cluster, site)
            }
        };
        let began = std::time::Instant::now();
        let outcome = Case { flow, checkpoint, role }.run(&mut cluster, &mut site).await;
        eprintln!("{flow:?}, {role:?} killed at {}: {:.1} s", checkpoint.name(), began.elapsed().as_secs_f32());
        match outcome {
            Ok(()) => made = Some((cluster, site)),
            Err(failure) => {
                let failure = format!("{flow:?}, {role:?} killed at {}\n    {failure}", checkpoint.name());
                eprintln!("{failure}");
                failures.push(failure);
            }
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

async fn every_step(flow: Flow, nodes: usize) {
    let steps = steps(flow).enumerate();
    let cases = steps.flat_map(|(number, step)| victims(flow, step, number, nodes).map(|role| (step, role)));
    all(flow, nodes, cases).await;
}

/// Whoever waits at a step is killed in a move, which takes the same ones.
#[tokio::test]
async fn spreading_over_three_nodes_is_struck_at_every_step() {
    let steps = steps(Flow::Spread).enumerate();
    let cases = steps.map(|(number, step)| (step, victims(Flow::Spread, step, number, 3)[1]));
    all(Flow::Spread, 3, cases).await;
}

#[tokio::test]
async fn a_move_among_three_nodes_is_struck_at_every_step() {
    every_step(Flow::Move, 3).await;
}

/// Once it has begun it is a move.
#[tokio::test]
async fn the_beginning_of_a_drain_is_struck_by_everybody() {
    let begins = [Checkpoint::NodeDraining, Checkpoint::PlacementRecorded];
    let everybody = [Role::Server, Role::Home, Role::Target];
    all(Flow::Drain, 2, begins.into_iter().flat_map(|step| everybody.map(|role| (step, role)))).await;
}

/// The steps of its build are those of any deployment.
#[tokio::test]
async fn a_loss_is_struck_at_every_step_of_its_own() {
    let of_a_build = |step: &Checkpoint| step.flows().contains(&Flow::Deploy);
    let (build, own) = steps(Flow::Reschedule).partition::<Vec<_>, _>(of_a_build);
    let own = own.into_iter().enumerate();
    let own = own.flat_map(|(number, step)| victims(Flow::Reschedule, step, number, 3).map(|role| (step, role)));
    // Whom the project was on comes back in the middle of that.
    let build = build.into_iter().step_by(4).map(|step| (step, Role::Home));
    all(Flow::Reschedule, 3, own.chain(build)).await;
}

/// Before there is a release it is as on one node.
#[tokio::test]
async fn a_deploy_to_two_nodes_is_struck_at_every_step() {
    let steps = steps(Flow::Redeploy).enumerate();
    let cases = steps.flat_map(|(number, step)| {
        let victims = victims(Flow::Redeploy, step, number, 2);
        let is_known = step.flows().contains(&Flow::Move) && step < Checkpoint::ReleaseRecorded;
        victims.into_iter().skip(usize::from(is_known)).map(move |role| (step, role)).collect::<Vec<_>>()
    });
    all(Flow::Redeploy, 2, cases).await;
}
