//! The programs that people have: OpenAI's and Anthropic's own packages for Python.

use testkit::{LlamaOptions, LlamaServer, sdk_python};

use super::{MODEL, Stand};

/// Runs a script whose `base`, `key` and `model` are set. What it prints is for the reader of a failure.
async fn python(stand: &Stand, token: &str, script: &str) {
    let head =
        "import os, sys, json\nbase = os.environ['BASE']; key = os.environ['KEY']; model = os.environ['MODEL']\n";
    let output = tokio::process::Command::new(sdk_python())
        .arg("-c")
        .arg(format!("{head}{script}"))
        .env_clear()
        .env("BASE", stand.server.api_url())
        .env("KEY", token)
        .env("MODEL", MODEL)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{failed}");
}

const OPENAI: &str = r#"
import openai
client = openai.OpenAI(base_url=base + "/v1", api_key=key, max_retries=0)
assert [m.id for m in client.models.list().data] == [model]
ask = dict(model=model, messages=[{"role": "user", "content": "Which city is the capital of France? Answer with one word."}], max_tokens=8, temperature=0)
whole = client.chat.completions.create(**ask)
assert "Paris" in whole.choices[0].message.content, whole
assert whole.usage.completion_tokens > 0
text, usage = "", None
for chunk in client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **ask):
    usage = chunk.usage or usage
    text += "".join(choice.delta.content or "" for choice in chunk.choices)
assert text == whole.choices[0].message.content, text
assert usage.completion_tokens == whole.usage.completion_tokens
# A stream that is left early.
stream = client.chat.completions.create(stream=True, **{**ask, "max_tokens": 500})
next(iter(stream)); stream.close()
tools = [{"type": "function", "function": {"name": "weather", "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
# So small a model calls nothing; that it may is passed on.
assert client.chat.completions.create(tools=tools, **ask).usage.prompt_tokens > whole.usage.prompt_tokens - 1
answered = client.responses.create(model=model, input="Say hello.", max_output_tokens=8)
assert answered.output_text and answered.usage.output_tokens > 0, answered
kinds = [event.type for event in client.responses.create(model=model, input="Say hello.", max_output_tokens=8, stream=True)]
assert "response.output_text.delta" in kinds and kinds[-1] == "response.completed", kinds
vector = client.embeddings.create(model=model, input=["hello", "world"])
assert len(vector.data) == 2 and len(vector.data[0].embedding) == 576
for wrong, error, code in [
    (dict(model="nobody"), openai.NotFoundError, "model_not_found"),
    (dict(max_tokens=-5), openai.BadRequestError, "invalid_request"),
]:
    try:
        client.chat.completions.create(**{**ask, **wrong})
        sys.exit("no error for %r" % wrong)
    except error as raised:
        assert raised.code == code, raised.code
try:
    openai.OpenAI(base_url=base + "/v1", api_key="sk-nobody", max_retries=0).models.list()
    sys.exit("a stranger is let in")
except openai.AuthenticationError as raised:
    assert raised.code == "unauthenticated", raised.code
"#;

const ANTHROPIC: &str = r#"
import anthropic
client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0)
ask = dict(model=model, max_tokens=8, messages=[{"role": "user", "content": "Which city is the capital of France? Answer with one word."}], extra_body={"temperature": 0})
whole = client.messages.create(**ask)
assert whole.type == "message" and "Paris" in whole.content[0].text, whole
assert whole.usage.output_tokens > 0
with client.messages.stream(**ask) as stream:
    text = "".join(stream.text_stream)
    last = stream.get_final_message()
assert text == whole.content[0].text and last.usage.output_tokens == whole.usage.output_tokens, (text, last)
try:
    client.messages.create(**{**ask, "model": "nobody"})
    sys.exit("no error")
except anthropic.NotFoundError as raised:
    assert raised.body["error"]["type"] == "not_found_error", raised.body
try:
    anthropic.Anthropic(base_url=base, api_key="sk-nobody", max_retries=0).messages.create(**ask)
    sys.exit("a stranger is let in")
except anthropic.AuthenticationError as raised:
    assert raised.body["error"]["type"] == "authentication_error", raised.body
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_packages_work_unchanged() {
    let stand = Stand::new().await;
    let llama = LlamaServer::start_with(MODEL, LlamaOptions { embeddings: true, ..LlamaOptions::default() }).await;
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 5).await;
    python(&stand, &bob.token, OPENAI).await;
    python(&stand, &bob.token, ANTHROPIC).await;
    stand.adds_up().await;
}

/// The coordinator's own port serves them as well.
#[tokio::test(flavor = "multi_thread")]
async fn the_coordinators_port_serves_models_too() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let url = format!("{}/v1/chat/completions", stand.server.mesh_url("coordinator"));
    let asked = reqwest::Client::new().post(&url).json(&super::question(4));
    assert_eq!(asked.try_clone().unwrap().send().await.unwrap().status(), 401);
    assert_eq!(asked.bearer_auth(&bob.token).send().await.unwrap().status(), 200);
    stand.adds_up().await;
}
