//! The history of metrics, on both engines.

use ids::{NodeId, ProjectId};
use store::{MetricsBatch, MetricsStore, NodeSample, Peak, ProcessSample, Resolution, Store};
use testkit::Postgres;

const DAY: i64 = 86_400_000;
/// The begin of a ten minutes.
const START: i64 = 1_800_000_000_000;

/// A place for metrics, and what keeps it.
pub(crate) struct Place {
    url: String,
    directory: tempfile::TempDir,
}

pub(crate) async fn sqlite() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let main = format!("sqlite:{}", directory.path().join("test.db").display());
    Place { url: MetricsStore::url_for(&main, directory.path()), directory }
}

/// In a database in which the server's own tables are.
pub(crate) async fn postgres() -> Place {
    let (directory, main) = (tempfile::tempdir().unwrap(), Postgres::shared().database());
    Store::open(&main).await.unwrap();
    Place { url: MetricsStore::url_for(&main, directory.path()), directory }
}

fn node_sample(at_ms: i64, cpu: f64) -> NodeSample {
    NodeSample {
        at_ms,
        weight: 5,
        cpu_percent: Peak { mean: cpu, max: cpu + 10.0 },
        cpu_cores: 4,
        load: 0.25,
        memory_used_bytes: 3 << 30,
        memory_total_bytes: 8 << 30,
        swap_used_bytes: 1,
        swap_total_bytes: 2,
        disk_used_bytes: 5 << 40,
        disk_total_bytes: 9 << 40,
        network_rx: Peak { mean: 1000.0, max: 9000.0 },
        network_tx: Peak { mean: 10.0, max: 20.0 },
    }
}

fn process_sample(at_ms: i64, cpu: f64) -> ProcessSample {
    let (cpu_percent, memory) = (Peak { mean: cpu, max: cpu }, Peak { mean: 100.0, max: 200.0 });
    ProcessSample { at_ms, weight: 5, cpu_percent, memory, ..ProcessSample::default() }
}

fn of_node(node: &NodeId, samples: impl IntoIterator<Item = NodeSample>) -> MetricsBatch {
    let nodes = samples.into_iter().map(|sample| (node.clone(), sample)).collect();
    MetricsBatch { nodes, processes: Vec::new() }
}

pub(crate) async fn what_goes_in_comes_out_and_a_process_is_added_up(place: Place) {
    let store = MetricsStore::open(&place.url).await.unwrap();
    let (here, there, project) = (NodeId::new(), NodeId::new(), ProjectId::new());
    let mut batch = of_node(&here, [node_sample(START, 12.34), node_sample(START + 10_000, 50.0)]);
    for node in [&here, &there] {
        for process in ["web", "worker", ""] {
            batch.processes.push((node.clone(), project.clone(), process.into(), process_sample(START, 150.5)));
        }
    }
    // A batch that is sent again changes nothing.
    for _ in 0..2 {
        store.write(&batch, START + 20_000).await.unwrap();
    }
    let read = store.node(&here, Resolution::TenSeconds, START, START + 20_000).await.unwrap();
    assert_eq!(read, [node_sample(START, 12.34), node_sample(START + 10_000, 50.0)]);
    let later = store.node(&here, Resolution::TenSeconds, START + 1, START + 20_000).await.unwrap();
    assert_eq!(later.len(), 1);
    assert!(store.node(&there, Resolution::TenSeconds, START, START + 20_000).await.unwrap().is_empty());
    let read = store.project(&project, Resolution::TenSeconds, START, START + 20_000).await.unwrap();
    let names = read.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["", "web", "worker"]);
    assert_eq!(read[1].1.cpu_percent, Peak { mean: 301.0, max: 301.0 });
    assert_eq!(read[1].1.memory, Peak { mean: 200.0, max: 400.0 });
    let other = store.project(&ProjectId::new(), Resolution::Minute, START, START + 20_000).await.unwrap();
    assert!(other.is_empty());
}

pub(crate) async fn longer_means_are_made_and_what_is_old_goes(place: Place) {
    let mut store = MetricsStore::open(&place.url).await.unwrap();
    let node = NodeId::new();
    let end = START + 2 * DAY;
    let minutes = |store: &MetricsStore, now: i64| {
        let (store, node) = (store.clone(), node.clone());
        async move { store.node(&node, Resolution::Minute, 0, now).await.unwrap() }
    };
    store
        .write(&of_node(&node, [node_sample(START, 10.0), node_sample(START + 10_000, 20.0)]), START + 20_000)
        .await
        .unwrap();
    // The present minute is shown as far as it goes.
    let now = minutes(&store, START + 20_000).await;
    assert_eq!((now.len(), now[0].cpu_percent), (1, Peak { mean: 15.0, max: 30.0 }));
    assert_eq!((now[0].at_ms, now[0].weight, now[0].memory_used_bytes, now[0].load), (START, 10, 3 << 30, 0.25));
    // Another process goes on, and makes the minute whole.
    store.close().await;
    store = MetricsStore::open(&place.url).await.unwrap();
    store.write(&of_node(&node, [node_sample(START + 50_000, 60.0)]), START + 60_000).await.unwrap();
    let now = minutes(&store, START + 60_000).await;
    assert_eq!((now.len(), now[0].cpu_percent, now[0].weight), (1, Peak { mean: 30.0, max: 70.0 }, 15));
    let tens = store.node(&node, Resolution::TenMinutes, 0, START + 60_000).await.unwrap();
    assert_eq!((tens.len(), tens[0].cpu_percent), (1, Peak { mean: 30.0, max: 70.0 }));

    for minute in 1..=3 * 60 {
        let at = START + minute * 60_000;
        let samples = (0..6).map(|ten| node_sample(at + ten * 10_000, 40.0));
        store.write(&of_node(&node, samples), at + 60_000).await.unwrap();
    }
    let now = START + 181 * 60_000;
    let tens = store.node(&node, Resolution::TenSeconds, 0, now).await.unwrap();
    assert!((360..=430).contains(&tens.len()), "{}", tens.len());
    assert_eq!(minutes(&store, now).await.len(), 181);
    let of_ten = store.node(&node, Resolution::TenMinutes, 0, now).await.unwrap();
    assert_eq!(of_ten.len(), 19);
    assert_eq!((of_ten[1].cpu_percent, of_ten[1].weight), (Peak { mean: 40.0, max: 50.0 }, 300));

    store.write(&of_node(&node, [node_sample(end, 1.0)]), end + 60_000).await.unwrap();
    assert_eq!(minutes(&store, end + 60_000).await.len(), 1);
    assert_eq!(store.node(&node, Resolution::TenMinutes, 0, end + 60_000).await.unwrap().len(), 20);
    let far = end + 31 * DAY;
    store.write(&MetricsBatch::default(), far).await.unwrap();
    assert!(store.node(&node, Resolution::TenMinutes, 0, far).await.unwrap().is_empty());
}

pub(crate) async fn a_thousand_machines_are_one_transaction_a_time(place: Place) {
    let store = MetricsStore::open(&place.url).await.unwrap();
    let nodes = (0..1000).map(|_| NodeId::new()).collect::<Vec<_>>();
    let project = ProjectId::new();
    for ten in 0..3 {
        let at = START + ten * 10_000;
        let processes = nodes.iter().map(|id| (id.clone(), project.clone(), "web".to_owned(), process_sample(at, 1.0)));
        let batch = MetricsBatch {
            nodes: nodes.iter().map(|id| (id.clone(), node_sample(at, 1.0))).collect(),
            processes: processes.collect(),
        };
        let begun = std::time::Instant::now();
        store.write(&batch, at + 10_000).await.unwrap();
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    let samples = store.project(&project, Resolution::TenSeconds, START, START + 30_000).await.unwrap();
    assert_eq!(samples.iter().map(|(_, it)| it.cpu_percent.mean).collect::<Vec<_>>(), [1000.0; 3]);
}

/// Both what lies there at the start and what becomes of it later.
#[tokio::test]
async fn a_damaged_file_is_moved_aside() {
    let place = sqlite().await;
    let file = place.directory.path().join("metrics.db");
    std::fs::write(&file, "this is no database, and long enough to be looked at as one".repeat(100)).unwrap();
    let store = MetricsStore::open(&place.url).await.unwrap();
    let aside = place.directory.path().join("metrics.db.damaged");
    assert!(std::fs::read_to_string(&aside).unwrap().starts_with("this is no database"));
    let batch = of_node(&NodeId::new(), [node_sample(START, 1.0)]);
    store.write(&batch, START).await.unwrap();
    assert!(!store.is_lost(None).await);
    std::fs::remove_file(&file).unwrap();
    assert!(store.is_lost(None).await);
    let store = MetricsStore::open(&place.url).await.unwrap();
    store.write(&batch, START).await.unwrap();
}
