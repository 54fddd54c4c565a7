//! Runs a command once, follows what it says, and ends as it did.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use ids::{LogStream, RunState};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::client::{Answer, Client, ClientError};
use super::follow::{self, Follower, Line};
use super::watch::{INTERRUPTED, plain};
use super::{Format, find, output, time};

const POLL: Duration = Duration::from_millis(200);
/// What timeout(1) answers for a command that it ended.
const TIMED_OUT: u8 = 124;

#[derive(clap::Args)]
pub(crate) struct RunArgs {
    project: String,
    /// The command and its arguments; `sh -c '…'` for more than one.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
pub(crate) struct ExecArgs {
    project: String,
    /// The process to go into, as the Procfile names it.
    #[arg(long, short, default_value = "web", value_name = "NAME")]
    process: String,
    /// The command and its arguments; `sh -c '…'` for more than one.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
struct How {
    /// Stop it after so long: `30s`, `10m`, `2h`. Default: 1h, at most 24h.
    #[arg(long, value_name = "TIME", value_parser = time::parse_seconds)]
    timeout: Option<i64>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    format: Format,
}

#[derive(clap::Args, Clone, Copy)]
pub(super) struct Wait {
    /// Return at once instead of following the run.
    #[arg(long, short)]
    detach: bool,
}

pub(super) async fn run(args: RunArgs) -> Result<ExitCode> {
    begin(&args.project, &args.command, None, args.how).await
}

pub(super) async fn exec(args: ExecArgs) -> Result<ExitCode> {
    begin(&args.project, &args.command, Some(args.process), args.how).await
}

async fn begin(project: &str, command: &[String], inside: Option<String>, how: How) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let interrupts = interrupts()?;
    let project = find::project(&client, project).await?.value;
    let create = api::RunCreate { command: shell_words::join(command), inside, timeout_seconds: how.timeout };
    let run = client.post::<api::Run>(&["projects", project.id.as_str(), "runs"], &create).await?;
    conclude(&client, &run, interrupts, how.wait, how.format).await
}

/// Ctrl-C from now on, so that none is missed between asking for a run and watching it.
pub(super) fn interrupts() -> Result<Signal> {
    signal(SignalKind::interrupt()).context("listen for Ctrl-C")
}

/// Watches a run that was asked for, prints what it says, and answers with its exit code.
pub(super) async fn conclude(
    client: &Client,
    run: &Answer<api::Run>,
    mut interrupts: Signal,
    wait: Wait,
    format: Format,
) -> Result<ExitCode> {
    let id = run.value.id.as_str();
    if wait.detach {
        run.show(format.json, |run| {
            output::line(format!("Started {}", run.id))?;
            output::line(format!("watch it: nanoscale runs logs {} --follow", run.id))
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let settled = async {
        follow_log(client, id, format).await?;
        wait_for_end(client, id).await
    };
    tokio::select! {
        answer = settled => verdict(&answer?, format),
        _ = interrupts.recv() => stop(client, id, format).await,
    }
}

async fn stop(client: &Client, id: &str, format: Format) -> Result<ExitCode> {
    output::note("\nStopping the run");
    match client.post::<api::Run>(&["runs", id, "cancel"], &serde_json::json!({})).await {
        Ok(answer) => verdict(&answer, format),
        // It ended at the same moment: then that is what there is to say.
        Err(error) if matches!(error.downcast_ref(), Some(ClientError::Refused { body, .. }) if body.error == "ALREADY_SETTLED") => {
            verdict(&wait_for_end(client, id).await?, format)
        }
        Err(error) => Err(error),
    }
}

async fn wait_for_end(client: &Client, id: &str) -> Result<Answer<api::Run>> {
    loop {
        let answer = client.get::<api::Run>(&["runs", id]).await?;
        if answer.value.state.is_settled() {
            return Ok(answer);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Prints what a run says until it has ended.
pub(super) async fn follow_log(client: &Client, id: &str, format: Format) -> Result<()> {
    let follower = Follower::new(client, ["runs", id, "log"], Vec::new());
    let settled = async || Ok(client.get::<api::Run>(&["runs", id]).await?.value.state.is_settled());
    follow::to_end(follower, |line| print(line, format), settled).await
}

/// Each stream goes where the command sent it. What NanoScale says, and what a script does not read, goes to
/// standard error.
fn print(line: &Line, format: Format) -> Result<()> {
    match line.value.stream {
        LogStream::Out if !format.json => output::line(output::safe(&line.value.text)),
        LogStream::Out | LogStream::Err | LogStream::Sys => {
            output::note(output::safe(&plain(&line.value)));
            Ok(())
        }
    }
}

fn verdict(answer: &Answer<api::Run>, format: Format) -> Result<ExitCode> {
    if format.json {
        answer.show(true, |_| Ok(()))?;
    }
    let run = &answer.value;
    let why = run.reason.as_deref().map(|reason| format!(": {}", output::safe(reason))).unwrap_or_default();
    match (run.state, run.exit_code.map(u8::try_from)) {
        (RunState::Succeeded, _) => return Ok(ExitCode::SUCCESS),
        // It has said so itself, as every command does.
        (RunState::Failed, Some(Ok(code))) if code != 0 => return Ok(ExitCode::from(code)),
        _ => output::error(&format!("the run is {}{why}", run.state)),
    }
    // As a shell has it.
    if let Some(code) = run.signal.and_then(|signal| u8::try_from(128 + signal).ok()) {
        return Ok(ExitCode::from(code));
    }
    Ok(match (run.state, run.failure_code.as_deref()) {
        (RunState::Cancelled, _) => ExitCode::from(INTERRUPTED),
        (_, Some("TIMEOUT")) => ExitCode::from(TIMED_OUT),
        _ => ExitCode::FAILURE,
    })
}
