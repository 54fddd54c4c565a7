//! How long until somebody may type.

use std::time::{Duration, Instant};

use ids::WorkspaceState;

use super::Stand;
use super::peers::Peer;
use crate::{Row, median, row, times};

const STARTS: usize = 10;
/// How often a page that waits would hear that it runs; it is told at once.
const LOOK: Duration = Duration::from_millis(3);

/// Milliseconds.
struct Start {
    whole: f64,
    clone: f64,
    /// From the request for a terminal until its prompt.
    terminal: f64,
}

pub(super) async fn measure() -> Vec<Row> {
    let stand = Stand::new().await;
    let mut starts = Vec::new();
    for _ in 0..times(STARTS) {
        starts.push(start(&stand).await);
    }
    let of = |number: fn(&Start) -> f64| median(starts.iter().map(number).collect());
    let own = of(|start| start.whole - start.clone);
    let mut prompts = Vec::new();
    for peer in Peer::all() {
        let mut took = Vec::new();
        for _ in 0..times(STARTS) {
            let began = Instant::now();
            peer.connect().await.next().await;
            took.push(milliseconds(began));
        }
        prompts.push(format!("{} {:.0} ms", peer.name(), median(took)));
    }
    vec![
        Row {
            what: format!(
                "a new workspace, from the request until the first terminal's prompt, less its clone, median of {STARTS}"
            ),
            value: format!("{own:.0} ms, with its clone of two files {:.0} ms", of(|start| start.whole)),
            budget: "1500 ms",
        },
        row(
            format!("a further terminal, from the request until its prompt, median of {STARTS}"),
            format!("{:.0} ms, a shell without a sandbox: {}", of(|start| start.terminal), prompts.join(", ")),
        ),
    ]
}

async fn start(stand: &Stand) -> Start {
    let create = api::WorkspaceCreate { project_id: stand.project.to_string(), ..Default::default() };
    let began = Instant::now();
    let made = stand.client.workspace_create(&create).await.unwrap();
    let workspace = loop {
        let workspace = stand.client.workspace_get(&made.id).await.unwrap();
        match workspace.state {
            WorkspaceState::Running => break workspace,
            WorkspaceState::Creating => tokio::time::sleep(LOOK).await,
            state => panic!("it is {state}: {:?}", workspace.reason),
        }
    };
    let opened = Instant::now();
    let terminal = stand.client.terminal_open(&made.id, &api::TerminalCreate::default()).await.unwrap();
    stand.look(&made.id, &terminal).await.next().await;
    let (whole, terminal) = (milliseconds(began), milliseconds(opened));
    let step = workspace.steps.iter().find(|step| step.name == "clone").unwrap();
    let at = |time: &str| time.parse::<jiff::Timestamp>().unwrap();
    let clone = at(step.finished_at.as_ref().unwrap()).duration_since(at(&step.started_at)).as_secs_f64() * 1000.0;
    stand.client.workspace_delete(&made.id).await.unwrap();
    testkit::wait_until("it is gone", testkit::PATIENCE, async || stand.client.workspace_get(&made.id).await.is_err())
        .await;
    Start { whole, clone, terminal }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
