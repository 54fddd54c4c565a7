//! What processes of a workspace may ask its node: for now what git needs to speak to a host.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use hyper::StatusCode;
use ids::WorkspaceId;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use wire::{GitCredential, GitCredentialRequest};

use crate::Agent;
use crate::confined::WORKSPACE_SOCKET;

const RETRY: Duration = Duration::from_millis(100);
const QUESTION_MAX: u64 = 16 << 10;
/// A question and its answer.
const TIME: Duration = Duration::from_secs(30);
/// Asked at the same time.
const QUESTIONS: usize = 16;

impl Agent {
    /// Answers for as long as nobody drops it.
    pub(super) async fn answer_questions(&self, id: &WorkspaceId) -> Infallible {
        let directory = self.confine().own_dir(id);
        loop {
            let group = self.confine().identities.of(&id.group()).ok().flatten().map(|ids| ids.gid);
            // The directory comes with the sandbox, and goes with it.
            if directory.is_dir()
                && let Ok(listener) = crate::peers::bind(&directory, WORKSPACE_SOCKET, group)
            {
                self.answer_on(id, &listener, || directory.join(WORKSPACE_SOCKET).exists()).await;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn answer_on(&self, id: &WorkspaceId, listener: &UnixListener, is_there: impl Fn() -> bool) {
        let mut answering = JoinSet::new();
        let mut look = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) if answering.len() < QUESTIONS => {
                        let (agent, id) = (self.clone(), id.clone());
                        answering.spawn(async move {
                            let answer = tokio::time::timeout(TIME, agent.answer(&id, stream)).await;
                            if let Ok(Err(error)) = answer {
                                tracing::debug!(%error, workspace.id = %id, "a question could not be answered");
                            }
                        });
                    }
                    // git asks again when somebody tries again.
                    Ok(_) => {}
                    Err(_) => return,
                },
                Some(_) = answering.join_next() => {}
                _ = look.tick() => if !is_there() {
                    return;
                },
            }
        }
    }

    async fn answer(&self, id: &WorkspaceId, stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        BufReader::new(reader.take(QUESTION_MAX)).read_line(&mut line).await?;
        let request = serde_json::from_str::<GitCredentialRequest>(&line)?;
        let credential = self.git_credential(id, &request).await.unwrap_or_else(|error| {
            self.say_in_workspace(id, format!("git asked for credentials for {}, and {error}", request.host));
            None
        });
        let mut answer = serde_json::to_vec(&credential)?;
        answer.push(b'\n');
        writer.write_all(&answer).await
    }

    async fn git_credential(
        &self,
        id: &WorkspaceId,
        request: &GitCredentialRequest,
    ) -> io::Result<Option<GitCredential>> {
        let path = format!("/v1/workspaces/{id}/git-credential");
        let (status, answer) = self.ask_control_plane(&path, serde_json::to_vec(request)?).await?;
        match status {
            StatusCode::OK => Ok(Some(serde_json::from_slice(&answer)?)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(io::Error::other(format!("the server answers {status}"))),
        }
    }
}
