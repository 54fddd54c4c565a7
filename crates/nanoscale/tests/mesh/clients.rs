//! The programs that people have: OpenAI's, Anthropic's and Ollama's own packages for Python.

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
        .env("OLLAMA", stand.server.mesh_url("ollama"))
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

const OLLAMA: &str = r#"
import ollama
client = ollama.Client(host=os.environ["OLLAMA"], headers={"Authorization": "Bearer " + key})
assert [m.model for m in client.list().models] == [model]
assert [m.model for m in client.ps().models] == [model]
shown = client.show(model)
assert shown.modelinfo["mesh.context_length"] > 0 and "completion" in shown.capabilities, shown
ask = dict(model=model, messages=[{"role": "user", "content": "Which city is the capital of France? Answer with one word."}], options={"num_predict": 8, "temperature": 0})
whole = client.chat(**ask)
assert whole.done and "Paris" in whole.message.content, whole
assert whole.prompt_eval_count > 0 and whole.eval_count > 0 and whole.total_duration > 0, whole
parts = list(client.chat(stream=True, **ask))
assert "".join(part.message.content or "" for part in parts) == whole.message.content, parts
assert not parts[0].done and parts[-1].done and parts[-1].eval_count == whole.eval_count, parts
assert parts[-1].done_reason in ("stop", "length"), parts
# A stream that is left early.
stream = client.chat(stream=True, **{**ask, "options": {"num_predict": 500}})
next(iter(stream)); stream.close()
shaped = client.chat(**{**ask, "format": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}, "options": {"num_predict": 60, "temperature": 0}})
assert "city" in json.loads(shaped.message.content), shaped
tool = {"type": "function", "function": {"name": "weather", "description": "Weather of a city", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
# So small a model calls nothing; that it may, and what a tool answered, is passed on.
talk = [*ask["messages"], {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Paris"}}}]}, {"role": "tool", "tool_name": "weather", "content": "sunny"}]
assert client.chat(**{**ask, "messages": talk, "tools": [tool]}).prompt_eval_count > whole.prompt_eval_count
said = client.generate(model=model, prompt="Say hello.", system="Be short.", options={"num_predict": 8})
assert said.done and said.response and said.eval_count > 0, said
said = "".join(part.response for part in client.generate(model=model, prompt="One, two, three,", raw=True, stream=True, options={"num_predict": 8}))
assert said, said
assert client.generate(model=model, prompt="").done_reason == "load"
assert client.generate(model=model + ":latest", prompt="").model == model
vectors = client.embed(model=model, input=["hello", "world"])
assert len(vectors.embeddings) == 2 and len(vectors.embeddings[0]) == 576 and vectors.prompt_eval_count > 0
assert len(client.embeddings(model=model, prompt="hello").embedding) == 576
assert client.pull(model).status == "success"
for status, call in [
    (404, lambda: client.chat(**{**ask, "model": "nobody"})),
    (404, lambda: list(client.chat(**{**ask, "model": "nobody"}, stream=True))),
    (404, lambda: client.show("nobody")),
    (404, lambda: client.pull("nobody")),
    (400, lambda: client.generate(model=model, prompt="x", context=[1, 2])),
    (403, lambda: client.delete(model)),
    (401, lambda: ollama.Client(host=os.environ["OLLAMA"], headers={"Authorization": "Bearer nobody"}).list()),
    (401, lambda: ollama.Client(host=os.environ["OLLAMA"]).chat(**ask)),
]:
    try:
        call()
    except ollama.ResponseError as raised:
        assert raised.status_code == status and raised.error, raised
    else:
        sys.exit("no %d" % status)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_packages_work_unchanged() {
    let stand = Stand::new().await;
    let llama = LlamaServer::start_with(MODEL, LlamaOptions { embeddings: true, ..LlamaOptions::default() }).await;
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 5).await;
    python(&stand, &bob.token, OPENAI).await;
    python(&stand, &bob.token, ANTHROPIC).await;
    python(&stand, &bob.token, OLLAMA).await;
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
