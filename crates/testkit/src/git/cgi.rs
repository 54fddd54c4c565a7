//! The Common Gateway Interface (RFC 3875), as far as `git http-backend` uses it.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio_util::io::ReaderStream;

/// Passes one request to `git http-backend`, streaming both ways.
pub(super) async fn run(
    mut git: Command,
    root: &Path,
    user: Option<&str>,
    parts: &Parts,
    body: Body,
) -> io::Result<Response> {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    git.arg("http-backend")
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .env("SERVER_PROTOCOL", "HTTP/1.1")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1");
    let variables = [
        ("CONTENT_TYPE", text("content-type")),
        ("CONTENT_LENGTH", text("content-length")),
        ("HTTP_CONTENT_ENCODING", text("content-encoding")),
        ("GIT_PROTOCOL", text("git-protocol")),
        ("REMOTE_USER", user),
    ];
    git.envs(variables.into_iter().filter_map(|(name, value)| Some((name, value?))));

    let mut command = tokio::process::Command::from(git);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
    let stdin = child.stdin.take().ok_or_else(|| io::Error::other("no standard input"))?;
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
    // It may answer before it has read everything, or not read everything at all.
    tokio::spawn(send(body, stdin));
    let mut stdout = BufReader::new(stdout);
    let (status, headers) = read_head(&mut stdout).await?;
    // Held until the answer is through: dropping it ends the process.
    let rest = stream::unfold((ReaderStream::new(stdout), child), |(mut output, child)| async move {
        let chunk = output.next().await?;
        Some((chunk, (output, child)))
    });
    let mut response = Response::new(Body::from_stream(rest));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

async fn send(body: Body, mut stdin: ChildStdin) -> io::Result<()> {
    let mut chunks = body.into_data_stream().map_err(io::Error::other);
    while let Some(chunk) = chunks.try_next().await? {
        stdin.write_all(&chunk).await?;
    }
    stdin.shutdown().await
}

async fn read_head(stdout: &mut BufReader<ChildStdout>) -> io::Result<(StatusCode, HeaderMap)> {
    let invalid = |line: &str| io::Error::other(format!("git http-backend wrote {line:?}"));
    let (mut status, mut headers) = (StatusCode::OK, HeaderMap::new());
    loop {
        let mut line = String::new();
        stdout.read_line(&mut line).await?;
        if line.is_empty() {
            return Err(io::Error::other("git http-backend wrote no answer"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid(line))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            status = code.ok_or_else(|| invalid(line))?;
        } else {
            let name = name.parse::<HeaderName>().map_err(|_| invalid(line))?;
            // The answer goes out in chunks.
            if name != header::CONTENT_LENGTH {
                headers.append(name, HeaderValue::from_str(value).map_err(|_| invalid(line))?);
            }
        }
    }
}
