//! An engine that answers at once, in a process of its own: what it takes is no gateway's doing.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;

use super::MODEL;

pub(super) struct Engine {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Engine {
    pub(super) fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg("--as-engine").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program again, as nothing but an engine.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (is_get, path) = (request.method() == Method::GET, request.uri().path().to_owned());
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let json = |value: serde_json::Value| ("application/json", value.to_string());
    let streams = body.windows(13).any(|part| part == b"\"stream\":true")
        || body.windows(14).any(|part| part == b"\"stream\": true");
    let (content_type, said) = match path.as_str() {
        "/v1/models" => {
            json(json!({ "object": "list", "data": [{ "id": MODEL, "object": "model", "owned_by": "bench" }] }))
        }
        "/slots" => {
            let slots = (0..64).map(|id| json!({ "id": id, "n_ctx": 4096, "is_processing": false }));
            json(slots.collect())
        }
        _ if is_get => json(json!({ "status": "ok", "model_path": MODEL, "tokenizer_path": MODEL })),
        _ if streams => ("text/event-stream", events()),
        _ => json(json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Paris" } }],
            "usage": usage(),
        })),
    };
    let response = Response::builder().header("content-type", content_type).body(Full::new(said.into()));
    Ok(response.unwrap())
}

fn usage() -> serde_json::Value {
    json!({ "prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 21 })
}

fn events() -> String {
    let chunk = |choices: serde_json::Value, usage: Option<serde_json::Value>| {
        let chunk = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
            "choices": choices, "usage": usage });
        format!("data: {chunk}\n\n")
    };
    [
        chunk(
            json!([{ "index": 0, "delta": { "role": "assistant", "content": "Paris" }, "finish_reason": null }]),
            None,
        ),
        chunk(json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]), None),
        chunk(json!([]), Some(usage())),
        "data: [DONE]\n\n".into(),
    ]
    .concat()
}
