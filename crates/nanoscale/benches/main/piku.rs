//! The same app on us and under what Piku runs apps with.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ids::{DeploymentState, ProjectId};
use tempfile::TempDir;
use testkit::{App, Client, Load, TestServer, example, wait_until};

use crate::processes::{self, Memory};
use crate::{Row, median, times};

const WAIT: Duration = Duration::from_secs(60);
const REDEPLOYS: usize = 5;
const NOBODY: u32 = 65_534;

/// What a run of deployments came to, in milliseconds.
struct Deployments {
    memory: Memory,
    first: f64,
    later: Vec<f64>,
    failed: usize,
    requests: u64,
    /// From the first failed request of a redeployment to the last.
    dead: Vec<f64>,
}

pub(crate) async fn measure() -> Vec<Row> {
    let mut own = Vec::new();
    for _ in 0..times(5) {
        own.push(start_by_hand().await);
    }
    let own = median(own);
    let ours = ours().await;
    let theirs = match Emperor::start() {
        Ok(emperor) => emperor.measure().await,
        Err(reason) => {
            return vec![Row { what: "beside Piku".into(), value: format!("not here: {reason}"), budget: "" }];
        }
    };
    let memory = |memory: &Memory| format!("{:.1} MB ({:.1} MB)", memory.rss, memory.pss);
    let later = |it: &Deployments| median(it.later.clone()) - own;
    let outage = |it: &Deployments| {
        format!("{} of {} failed, {:.0} ms dead each", it.failed, it.requests, median(it.dead.clone()))
    };
    let row = |what: &str, value, budget| Row { what: what.into(), value, budget };
    vec![
        row(
            "idle memory with one Python app, all processes and the app (RSS, PSS), beside a uWSGI emperor",
            format!("{}, emperor {}", memory(&ours.memory), memory(&theirs.memory)),
            "",
        ),
        row(
            "first deployment until it answers, less the app's own start, beside a uWSGI emperor",
            format!("{:.0} ms, emperor {:.0} ms", ours.first - own, theirs.first - own),
            "",
        ),
        row(
            "redeployment until the new version answers, likewise, median of 5 (`settle_ms` 0; the default watches for 2000 ms more)",
            format!("{:.0} ms, emperor {:.0} ms", later(&ours), later(&theirs)),
            "",
        ),
        row(
            "requests during 5 redeployments, two visitors with pauses of 10 ms, beside a uWSGI emperor",
            format!("{}; emperor: {}", outage(&ours), outage(&theirs)),
            "0",
        ),
        row(
            "the same on Piku itself",
            "not here: `piku.py` is in no package registry, only in its git repository".into(),
            "",
        ),
    ]
}

/// The app of both, in this version.
fn app(directory: &Path, version: &str) {
    fs::copy(example("hello-python").join("main.py"), directory.join("main.py")).unwrap();
    fs::write(directory.join("version.txt"), format!("{version}\n")).unwrap();
}

/// From the start of the app's process until it answers.
async fn start_by_hand() -> f64 {
    let directory = tempfile::tempdir().unwrap();
    app(directory.path(), "0");
    let address = free_address();
    let began = Instant::now();
    let mut child = Command::new("python3")
        .arg(directory.path().join("main.py"))
        .env("PORT", address.port().to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until_version(&App::new(address, "localhost"), "0").await;
    let took = milliseconds(began);
    child.kill().unwrap();
    child.wait().unwrap();
    took
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

async fn until_version(visitor: &App, version: &str) {
    let answers = async || visitor.get("/").await.is_ok_and(|reply| reply.version() == Some(version));
    wait_until("the version answers", WAIT, answers).await;
}

/// Deploys again and again under load; `deploy` begins with this version.
async fn redeploy(visitor: &App, memory: Memory, first: f64, mut deploy: impl AsyncFnMut(&str)) -> Deployments {
    let load = Load::gets(visitor);
    let (mut later, mut dead, mut seen) = (Vec::new(), Vec::new(), 0);
    for version in 1..=times(REDEPLOYS).max(2) {
        let version = version.to_string();
        let began = Instant::now();
        deploy(&version).await;
        until_version(&visitor.without_keep_alive(), &version).await;
        later.push(milliseconds(began));
        load.wait_for_version(&version).await;
        let failures = load.so_far().failures;
        let moments = failures[seen..].iter().map(|failure| failure.at).collect::<Vec<_>>();
        seen = failures.len();
        let span =
            moments.iter().max().zip(moments.iter().min()).map_or(Duration::ZERO, |(last, first)| *last - *first);
        dead.push(span.as_secs_f64() * 1000.0);
    }
    let report = load.stop().await;
    Deployments { memory, first, later, failed: report.failures.len(), requests: report.requests, dead }
}

async fn ours() -> Deployments {
    let limits = serde_json::json!({"limits": {"settle_ms": 0}});
    let server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).config(limits).start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate { name: "hello".into(), ..Default::default() };
    let project = client.project_create(&create).await.unwrap().project.id;
    let visitor = server.app("hello.localhost");
    let began = Instant::now();
    let deployment = upload(&client, &project, "0").await;
    until_version(&visitor, "0").await;
    let first = milliseconds(began);
    client.wait_for(&deployment, DeploymentState::Live, WAIT).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut roots = processes::working_in(&server.data_dir().join("node/runs").join(deployment.as_str()));
    roots.extend(server.pid());
    let memory = processes::memory(&processes::family(&roots));
    redeploy(&visitor, memory, first, async |version| {
        upload(&client, &project, version).await;
    })
    .await
}

async fn upload(client: &Client, project: &ProjectId, version: &str) -> ids::DeploymentId {
    let directory = tempfile::tempdir().unwrap();
    app(directory.path(), version);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", directory.path()).unwrap();
    client.upload(project, builder.into_inner().unwrap()).await.unwrap().id
}

/// uWSGI's emperor, set up after Piku's. Ends with this value.
struct Emperor {
    child: Child,
    directory: TempDir,
    address: SocketAddr,
}

impl Drop for Emperor {
    fn drop(&mut self) {
        // It ends its workers on this one.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

impl Emperor {
    fn start() -> Result<Self, String> {
        if !Path::new("/usr/bin/uwsgi").exists() {
            return Err("uwsgi is not installed".into());
        }
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["enabled", "app"] {
            fs::create_dir(path(name)).unwrap();
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let settings = format!(
            "[uwsgi]\nchdir = {0}\nemperor = {0}/enabled\nlog-maxsize = 1048576\nlogto = {0}/uwsgi.log\n\
             log-backupname = {0}/uwsgi.old.log\nsocket = {0}/uwsgi.sock\nenable-threads = true\nthreads = {1}\n",
            directory.path().display(),
            cores * 2
        );
        fs::write(path("uwsgi.ini"), settings).unwrap();
        for name in ["", "enabled", "app"] {
            std::os::unix::fs::chown(path(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let child = Command::new("setpriv")
            .args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".into()])
            .args(["--pdeathsig", "INT", "--", "/usr/bin/uwsgi", "--ini"])
            .arg(path("uwsgi.ini"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("uwsgi does not start: {error}"))?;
        Ok(Self { child, directory, address: free_address() })
    }

    fn worker(&self) -> PathBuf {
        self.directory.path().join("enabled/hello_web.1.ini")
    }

    /// What a push to Piku comes to once its source is checked out.
    fn deploy(&self, version: &str) {
        app(&self.directory.path().join("app"), version);
        let _ = fs::remove_file(self.worker());
        let settings = format!(
            "[uwsgi]\nchdir = {0}/app\nmaster = true\nproject = hello\nmax-requests = 1024\nlisten = 16\nprocesses = 1\n\
             procname-prefix = hello:web:\nenable-threads = true\nlog-x-forwarded-for = false\nlog-maxsize = 1048576\n\
             logto2 = {0}/web.1.log\nlog-backupname = {0}/web.1.log.old\nattach-daemon = python3 main.py\n\
             env = PORT={1}\nenv = BIND_ADDRESS=127.0.0.1\nenv = PATH=/usr/bin:/bin\n",
            self.directory.path().display(),
            self.address.port()
        );
        fs::write(self.worker(), settings).unwrap();
    }

    async fn measure(self) -> Deployments {
        let visitor = App::new(self.address, "localhost");
        // It has looked around once, as it has long since where somebody deploys.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let began = Instant::now();
        self.deploy("0");
        until_version(&visitor, "0").await;
        let first = milliseconds(began);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let memory = processes::memory(&processes::family(&[self.child.id()]));
        redeploy(&visitor, memory, first, async |version| self.deploy(version)).await
    }
}
