use std::time::Duration;

use serde_json::json;
use testkit::{LlamaOptions, LlamaServer, PATIENCE, sdk_python, wait_until};
use tokio::process::Command;

/// Asks each way that clients have.
const ASK: &str = r#"
import sys, openai, anthropic, ollama
url, key = sys.argv[1:]
ask = dict(model="tiny", max_tokens=8, extra_body={"temperature": 0},
           messages=[{"role": "user", "content": "Which city is the capital of France? Answer with one word."}])
client = openai.OpenAI(base_url=url + "/v1", api_key=key).chat.completions
print(client.create(**ask).choices[0].message.content)
print("".join(chunk.choices[0].delta.content or "" for chunk in client.create(stream=True, **ask)))
client = anthropic.Anthropic(base_url=url, api_key=key).messages
print(client.create(**ask).content[0].text)
with client.stream(**ask) as stream:
    print("".join(stream.text_stream))
"#;

#[tokio::test]
async fn clients_are_answered_when_they_have_the_key() {
    let options = LlamaOptions { api_key: Some("sk-tiny".into()), ..LlamaOptions::default() };
    let server = LlamaServer::start_with("tiny", options).await;
    let ask = async |key| Command::new(sdk_python()).args(["-c", ASK, &server.url(), key]).output().await.unwrap();
    let output = ask("sk-tiny").await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Paris\n".repeat(4));
    assert_eq!(server.slots_busy().await, 0);
    let output = ask("sk-other").await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("Invalid API Key"), "{output:?}");
}

#[tokio::test]
async fn a_slot_is_busy_until_who_asked_is_gone() {
    let mut server = LlamaServer::start("tiny").await;
    let url = format!("{}/v1/chat/completions", server.url());
    let body =
        json!({ "stream": true, "ignore_eos": true, "messages": [{ "role": "user", "content": "Tell a story." }] });
    let mut reply = reqwest::Client::new().post(&url).json(&body).send().await.unwrap();
    assert!(reply.chunk().await.unwrap().unwrap().starts_with(b"data: {"));
    assert_eq!(server.slots_busy().await, 1);
    drop(reply);
    wait_until("nobody is answered", PATIENCE, async || server.slots_busy().await == 0).await;

    let (url, short) = (server.url(), Duration::from_secs(1));
    server.kill();
    assert!(reqwest::Client::builder().timeout(short).build().unwrap().get(&url).send().await.is_err());
    server.restart().await;
    assert_eq!((server.url(), server.slots_busy().await), (url, 0));
}

#[tokio::test]
async fn embeddings_are_answered_where_they_are_wanted() {
    let server = LlamaServer::start_with("tiny", LlamaOptions { embeddings: true, ..LlamaOptions::default() }).await;
    let url = format!("{}/v1/embeddings", server.url());
    let reply = reqwest::Client::new().post(&url).json(&json!({ "input": "hello" })).send().await.unwrap();
    let reply = reply.json::<serde_json::Value>().await.unwrap();
    assert_eq!(reply["data"][0]["embedding"].as_array().map(Vec::len), Some(576), "{reply}");
}
