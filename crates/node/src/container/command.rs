//! A command inside a container that runs.

use std::time::Duration;

use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use nix::sys::signal::{Signal as Number, kill};
use nix::unistd::Pid;
use tokio::signal::unix::Signal;

use super::runner::{Trouble, asked, copy, exit_code};
use crate::engine::Engine;

/// Runs it to its end; the engine has no word to end it by, so its process gets the signals.
pub(super) async fn exec(
    engine: &Engine,
    container: &str,
    command: &[String],
    grace: Duration,
    terminate: &mut Signal,
) -> Result<u8, Trouble> {
    let docker = engine.docker();
    let config = ExecConfig {
        cmd: Some(command.to_vec()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..ExecConfig::default()
    };
    let made = docker.create_exec(container, config).await.map_err(asked("run the command in the container"))?;
    let started = docker.start_exec(&made.id, None).await.map_err(asked("start the command in the container"))?;
    let StartExecResults::Attached { output, .. } = started else { return Ok(exit_code(None)) };
    let mut copied = tokio::spawn(copy(output));
    tokio::select! {
        _ = &mut copied => {}
        _ = terminate.recv() => {
            let pid = docker.inspect_exec(&made.id).await.ok().and_then(|seen| i32::try_from(seen.pid?).ok());
            for number in [Number::SIGTERM, Number::SIGKILL] {
                if let Some(pid) = pid.filter(|pid| *pid > 1) {
                    let _ = kill(Pid::from_raw(pid), number);
                }
                if tokio::time::timeout(grace, &mut copied).await.is_ok() {
                    break;
                }
            }
        }
    }
    let ended = docker.inspect_exec(&made.id).await.map_err(asked("say how the command ended"))?;
    Ok(exit_code(ended.exit_code))
}
