//! Conversations over two real engines: each begins with a long text, and goes on where that was read, or anywhere.

use std::time::Instant;

use serde_json::{Value, json};
use testkit::{LlamaOptions, LlamaServer};

use super::Stand;
use crate::{Row, median, proxy};

/// Odd, so that who takes turns sends the second question of each elsewhere.
const CONVERSATIONS: usize = 5;
/// About 1500 tokens.
const WORDS: usize = 1050;

pub(super) async fn measure() -> Row {
    let options = LlamaOptions { context: 16_384, slots: 4, ..LlamaOptions::default() };
    let mut engines =
        [LlamaServer::start_with("m", options.clone()).await, LlamaServer::start_with("m", options).await];
    let stand = Stand::new().await;
    let _agents = (stand.machine("one", &engines[0].url()).await, stand.machine("two", &engines[1].url()).await);
    let ours = second_questions(&stand.server.api_url(), &stand.token).await;
    for engine in &mut engines {
        engine.restart().await;
    }
    let directory = tempfile::tempdir().unwrap();
    let addresses = engines.each_ref().map(|engine| engine.url().replace("http://", ""));
    let turns = proxy::nginx(directory.path(), "turns", |address| {
        let [one, two] = &addresses;
        format!(
            "upstream engines {{ server {one}; server {two}; }} server {{ listen {address}; location / {{ \
             proxy_pass http://engines; proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 600; }} }}"
        )
    });
    let theirs = second_questions(&format!("http://{}", turns.address), "none").await;
    let (ours, theirs) = (median(ours), median(theirs));
    Row {
        what: format!(
            "first token of a second question after 1.5k tokens that one of two llama.cpp servers has read, median of {CONVERSATIONS} \
             conversations, beside nginx that takes turns"
        ),
        value: format!("{ours:.2} s, nginx {theirs:.2} s: {:.1} × sooner", theirs / ours),
        budget: "",
    }
}

/// Seconds until the first token of each conversation's second answer.
async fn second_questions(url: &str, token: &str) -> Vec<f64> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut talks = (0..CONVERSATIONS).map(|number| vec![said("user", &text(number))]).collect::<Vec<_>>();
    for talk in &mut talks {
        first_token(&client, url, token, talk).await;
        talk.extend([said("assistant", "Yes."), said("user", "And what follows from that?")]);
    }
    let mut took = Vec::new();
    for talk in &talks {
        took.push(first_token(&client, url, token, talk).await);
    }
    took
}

fn said(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}

async fn first_token(client: &reqwest::Client, url: &str, token: &str, talk: &[Value]) -> f64 {
    let body = json!({ "model": "m", "stream": true, "max_tokens": 2, "cache_prompt": true, "messages": talk });
    let began = Instant::now();
    let request = client.post(format!("{url}/v1/chat/completions")).bearer_auth(token).json(&body);
    let mut answer = request.send().await.unwrap().error_for_status().unwrap();
    while !answer.chunk().await.unwrap().unwrap().windows(5).any(|part| part == b"data:") {}
    let took = began.elapsed().as_secs_f64();
    answer.bytes().await.unwrap();
    took
}

/// Words that differ from the first one on.
fn text(number: usize) -> String {
    const SOME: [&str; 12] = [
        "river", "stone", "night", "garden", "letter", "winter", "bridge", "window", "silver", "forest", "market",
        "story",
    ];
    let words = (0..WORDS).map(|at| SOME[(at * (number + 3) + at / 7 + number) % SOME.len()]);
    format!("Text {number}: {}", words.collect::<Vec<_>>().join(" "))
}
