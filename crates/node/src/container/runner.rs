//! The runner itself.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::ContainerState;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions, StartContainerOptions,
    StopContainerOptionsBuilder, WaitContainerOptions,
};
use futures_util::{Stream, StreamExt};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use wire::Failure;

use super::{Request, Run, Seen, VARIABLE, What, body, command, files};
use crate::engine::{Engine, refused};

/// There is no container, and the file says why: as `docker run` ends.
const NO_CONTAINER: u8 = 125;
/// An engine that goes away is waited for, as it may only be restarted.
const ENGINE_AWAY: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(500);
/// An engine under load may lose a container before its program is begun, and start it when asked again.
const START_TRIES: u32 = 3;
/// Between the end of a container's output and its own.
const ENDING: Duration = Duration::from_secs(2);

pub(super) type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// Runs what `request` says, to its end.
pub(crate) fn main(request: &str) -> ExitCode {
    let outcome = serde_json::from_str::<Request>(request).map_err(io::Error::from).and_then(|request| {
        // Copying waits for the log; everything else does not.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(run(request))
    });
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("the container cannot be looked after: {error}");
            ExitCode::from(NO_CONTAINER)
        }
    }
}

/// An end before the container's own. What was made stays to be removed.
pub(crate) enum Trouble {
    Failure(Failure),
    Engine(&'static str, Error),
    Io(io::Error),
}

impl Trouble {
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Self::Failure(failure) => failure,
            Self::Engine(what, error) => refused(what, &error),
            Self::Io(error) => {
                let reason = format!("the node cannot look after the container: {error}");
                Failure { code: "NODE_ERROR".into(), reason, last_lines: Vec::new() }
            }
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// For `map_err`: what the engine was asked for.
pub(super) fn asked(what: &'static str) -> impl FnOnce(Error) -> Trouble {
    move |error| Trouble::Engine(what, error)
}

async fn run(request: Request) -> io::Result<u8> {
    let mut terminate = signal(SignalKind::terminate())?;
    let engine = match Engine::connect(&request.host).await {
        Ok(engine) => engine,
        Err(failure) => return tell(failure),
    };
    let grace = Duration::from_secs(request.grace_seconds);
    let (outcome, names) = match &request.what {
        What::Run(run) => {
            let outcome = Container { engine: &engine, run, grace }.run(&mut terminate).await;
            (outcome, Some(&run.names))
        }
        What::Exec { container, command } => {
            (command::exec(&engine, container, command, grace, &mut terminate).await, None)
        }
    };
    for name in names.iter().flat_map(|names| [&names.app, &names.hold]) {
        if let Err(error) = engine.remove(name).await {
            tracing::warn!(%error, name, "a container stays");
        }
    }
    match outcome {
        Ok(code) => Ok(code),
        Err(trouble) => tell(trouble.into_failure()),
    }
}

/// Leaves the reason for the node to find.
fn tell(failure: Failure) -> io::Result<u8> {
    Seen { failure: Some(failure), ..Seen::default() }.write(Path::new("."))?;
    Ok(NO_CONTAINER)
}

struct Container<'a> {
    engine: &'a Engine,
    run: &'a Run,
    grace: Duration,
}

impl Container<'_> {
    async fn run(&self, terminate: &mut Signal) -> Result<u8, Trouble> {
        let name = &self.run.names.app;
        self.clear().await?;
        hold_network(self.engine, self.run).await?;
        create(self.engine, name, body::app(self.run, variables())).await?;
        files::place(self.engine, name).await?;
        // From before its start, so that its first word is not missed.
        let mut copying = Some(tokio::spawn(copy(self.attach().await?)));
        start(self.engine, name).await?;
        let pid = state(self.engine, name).await?.pid.and_then(|pid| i32::try_from(pid).ok());
        Seen { pid, ..Seen::default() }.write(Path::new("."))?;
        let state = tokio::select! {
            state = self.attend(&mut copying) => state?,
            _ = terminate.recv() => self.stop().await?,
        };
        if let Some(copying) = copying {
            let _ = tokio::time::timeout(ENDING, copying).await;
        }
        Seen { out_of_memory: state.oom_killed == Some(true), ..Seen::default() }.write(Path::new("."))?;
        Ok(exit_code(state.exit_code))
    }

    /// Removes what an earlier life left: its runner may have been killed.
    async fn clear(&self) -> Result<(), Trouble> {
        for name in [&self.run.names.app, &self.run.names.hold] {
            self.engine.remove(name).await.map_err(asked("remove a container that was left"))?;
        }
        Ok(())
    }

    async fn attach(&self) -> Result<Output, Trouble> {
        let options = AttachContainerOptionsBuilder::new().stream(true).stdout(true).stderr(true).build();
        let attached = self.engine.docker().attach_container(&self.run.names.app, Some(options)).await;
        Ok(attached.map_err(asked("give the container's output"))?.output)
    }

    /// Copies output until the container has ended. An engine that is restarted meanwhile may have left it running.
    async fn attend(&self, copying: &mut Option<JoinHandle<()>>) -> Result<ContainerState, Trouble> {
        let mut away = None;
        loop {
            if let Some(output) = copying {
                let _ = output.await;
                *copying = None;
                self.ended(ENDING).await;
            }
            match state(self.engine, &self.run.names.app).await {
                Ok(state) if state.running != Some(true) => return Ok(state),
                Ok(_) => {
                    away = None;
                    *copying = self.attach().await.ok().map(|output| tokio::spawn(copy(output)));
                }
                Err(Trouble::Engine(_, error @ Error::DockerResponseServerError { status_code: 404, .. })) => {
                    return Err(Trouble::Engine("find the container any more", error));
                }
                Err(trouble) if away.get_or_insert_with(std::time::Instant::now).elapsed() > ENGINE_AWAY => {
                    return Err(trouble);
                }
                Err(_) => {}
            }
            if copying.is_none() {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Waits for the end, not for long.
    async fn ended(&self, within: Duration) {
        let mut waiting =
            std::pin::pin!(self.engine.docker().wait_container(&self.run.names.app, None::<WaitContainerOptions>));
        let _ = tokio::time::timeout(within, waiting.next()).await;
    }

    /// Politely, with the signal that the image wants, then for certain.
    async fn stop(&self) -> Result<ContainerState, Trouble> {
        let seconds = i32::try_from(self.grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let stopped = self.engine.docker().stop_container(&self.run.names.app, Some(options)).await;
        stopped.map_err(asked("stop the container"))?;
        state(self.engine, &self.run.names.app).await
    }
}

/// Makes a network complete before anything of the app's is in it.
pub(crate) async fn hold_network(engine: &Engine, run: &Run) -> Result<(), Trouble> {
    let name = &run.names.hold;
    engine.need_hold().await.map_err(asked("take the image that holds networks"))?;
    create(engine, name, body::holder(run)).await?;
    start(engine, name).await?;
    let pid = state(engine, name).await?.pid.unwrap_or_default();
    let namespace = OwnedFd::from(File::open(format!("/proc/{pid}/ns/net"))?);
    let network = run.network.clone();
    let served = tokio::task::spawn_blocking(move || sandbox::serve_namespace(namespace, network));
    served.await.map_err(io::Error::other)?.map_err(|error| Trouble::Io(io::Error::other(error)))
}

async fn create(engine: &Engine, name: &str, body: bollard::models::ContainerCreateBody) -> Result<(), Trouble> {
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    match engine.docker().create_container(Some(options), body).await {
        Ok(_) => Ok(()),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Err(Trouble::Failure(Failure {
            code: "IMAGE_MISSING".into(),
            reason: "the container engine no longer has this release's image; deploy again".into(),
            last_lines: Vec::new(),
        })),
        Err(error) => Err(Trouble::Engine("make the container", error)),
    }
}

async fn start(engine: &Engine, name: &str) -> Result<(), Trouble> {
    let mut tries = 0;
    let started = loop {
        let started = engine.docker().start_container(name, None::<StartContainerOptions>).await;
        tries += 1;
        match started {
            Err(Error::DockerResponseServerError { status_code: 500, .. }) if tries < START_TRIES => {
                tokio::time::sleep(RETRY).await;
            }
            started => break started,
        }
    };
    started.map_err(|error| match error {
        // As a program of the image that is not there, or may not be executed.
        Error::DockerResponseServerError { status_code: 400, .. } => {
            let reason = format!("the image's program cannot be started: {}", crate::engine::told(&error));
            Trouble::Failure(Failure { code: "CANNOT_START".into(), reason, last_lines: Vec::new() })
        }
        error => Trouble::Engine("start the container", error),
    })
}

async fn state(engine: &Engine, name: &str) -> Result<ContainerState, Trouble> {
    let inspected = engine.docker().inspect_container(name, None::<InspectContainerOptions>).await;
    Ok(inspected.map_err(asked("look at the container"))?.state.unwrap_or_default())
}

/// Passes output on until it ends.
pub(super) async fn copy(mut output: Output) {
    while let Some(Ok(said)) = output.next().await {
        let written = match said {
            LogOutput::StdErr { message } => io::stderr().write_all(&message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                let mut out = io::stdout();
                out.write_all(&message).and_then(|()| out.flush())
            }
            LogOutput::StdIn { .. } => Ok(()),
        };
        if written.is_err() {
            return;
        }
    }
}

/// What the node gave for the container, without what marks it.
fn variables() -> Vec<String> {
    std::env::vars().filter_map(|(key, value)| Some(format!("{}={value}", key.strip_prefix(VARIABLE)?))).collect()
}

pub(super) fn exit_code(code: Option<i64>) -> u8 {
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
