use std::time::Duration;

use futures_util::StreamExt;
use ids::CompletionState;
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{LlamaOptions, LlamaServer, PATIENCE, wait_some, wait_until};

use super::{MODEL, Stand, User, question, server};

/// The newest completion, once it has ended.
async fn ended(user: &User) -> api::Completion {
    wait_some("the completion has ended", PATIENCE, async || {
        let newest = user.client.completion_list().await.unwrap().into_iter().next()?;
        (newest.state != CompletionState::Held).then_some(newest)
    })
    .await
}

/// Waits until an engine works at nothing. It looks whether somebody still waits only when it was asked nothing for a second.
async fn freed(llama: &LlamaServer) {
    let is_free = async || (llama.slots_busy().await == 0).then_some(());
    testkit::wait_some_every(Duration::from_millis(2500), "the slot is free", PATIENCE, is_free).await;
}

fn frames(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_streamed_counted_and_paid() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let whole = bob.chat(&question(12)).await;
    let request = whole.headers()["x-request-id"].to_str().unwrap().to_owned();
    let whole: Value = whole.json().await.unwrap();
    let (input, output) = (&whole["usage"]["prompt_tokens"], &whole["usage"]["completion_tokens"]);
    let done = ended(&bob).await;
    assert_eq!((done.id.as_str(), done.state), (request.as_str(), CompletionState::Done));
    assert_eq!((json!(done.input_tokens), json!(done.output_tokens)), (input.clone(), output.clone()));
    assert_eq!(done.cost, done.input_tokens * 10 + done.output_tokens * 30);
    assert_eq!(bob.balance().await, 1_000_000 - done.cost);

    let mut streamed = question(12);
    streamed["stream"] = true.into();
    let answer = bob.chat(&streamed).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let said = frames(&text).iter().filter_map(|it| it["choices"][0]["delta"]["content"].as_str()).collect::<String>();
    assert_eq!(said, whole["choices"][0]["message"]["content"].as_str().unwrap());
    // Who did not ask for usage gets none; it was counted all the same.
    assert!(frames(&text).iter().all(|frame| frame["usage"].is_null() && !frame["choices"][0].is_null()), "{text}");
    let counted = ended(&bob).await;
    assert_eq!((counted.input_tokens, counted.output_tokens), (done.input_tokens, done.output_tokens));
    assert!(counted.first_byte_ms.is_some());
    streamed["stream_options"] = json!({ "include_usage": true });
    let text = bob.chat(&streamed).await.text().await.unwrap();
    assert_eq!(frames(&text).last().unwrap()["usage"]["completion_tokens"], json!(done.output_tokens));

    // Why it went there.
    let explained = bob.client.explain(&done.id).await.unwrap();
    assert_eq!(explained.choices[0].chosen.as_ref().unwrap().as_str(), "ada-desk");
    assert_eq!(stand.ada.explain(&done.id).await.unwrap_err().status, 404);
    // Ada earned all but the fee, which is the coordinator's.
    let ledger = stand.adds_up().await;
    let paid = 1_000_000 - bob.balance().await;
    let earned = stand.ada.mesh().await.unwrap();
    assert_eq!(earned.balance + super::balance(&ledger, "fee"), paid);
    assert_eq!(earned.earned, earned.balance);
    assert!(super::balance(&ledger, "fee") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dialect_is_answered_in_its_own_words() {
    let stand = Stand::new().await;
    let llama = LlamaServer::start_with(MODEL, LlamaOptions { embeddings: true, ..LlamaOptions::default() }).await;
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let ask = async |path: &str, body: Value| {
        let response = bob.asks.raw(Method::POST, path).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, text) = ask("/v1/embeddings", json!({ "model": MODEL, "input": "hello" })).await;
    assert_eq!(status, 200, "{text}");
    let embedded: Value = serde_json::from_str(&text).unwrap();
    assert!(embedded["data"][0]["embedding"].as_array().unwrap().len() > 100);
    assert!(ended(&bob).await.input_tokens > 0 && ended(&bob).await.output_tokens == 0);
    let said = json!([{ "role": "user", "content": "Say hello." }]);
    let (status, text) = ask("/v1/messages", json!({ "model": MODEL, "max_tokens": 6, "messages": said })).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["type"], "message");
    assert!(ended(&bob).await.output_tokens > 0);
    let (status, text) =
        ask("/v1/responses", json!({ "model": MODEL, "max_output_tokens": 6, "input": "Say hello." })).await;
    assert_eq!(status, 200, "{text}");
    assert!(ended(&bob).await.output_tokens > 0);
    for (path, kind) in [("/v1/chat/completions", "invalid_request_error"), ("/v1/messages", "not_found_error")] {
        let (status, text) = ask(path, json!({ "model": "nobody-has-it", "max_tokens": 5, "messages": said })).await;
        assert_eq!(status, 404, "{text}");
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&told["error"]["type"], &told["error"]["code"]), (&json!(kind), &json!("model_not_found")));
        assert_eq!(ask(path, json!({ "model": "", "messages": said })).await.0, 400);
    }
    // Anthropic's programs show their token elsewhere.
    let plain = stand.server.client();
    let asked = plain.raw(Method::POST, "/v1/messages").header("x-api-key", &bob.token);
    let body = json!({ "model": MODEL, "max_tokens": 4, "messages": said });
    assert_eq!(asked.json(&body).send().await.unwrap().status(), 200);
    let refused = plain.raw(Method::POST, "/v1/messages").json(&body).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["type"], "authentication_error");
    // A token for something else is not one for models.
    let other = bob.client.token_create("deploys").await.unwrap().token;
    let refused = plain.with_token(other).raw(Method::POST, "/v1/chat/completions").json(&question(4));
    assert_eq!(refused.send().await.unwrap().status(), 403);
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_frees_the_machine_and_pays_for_what_was_said() {
    let stand = Stand::new().await;
    let llama = LlamaServer::start_with(MODEL, LlamaOptions { slots: 1, ..LlamaOptions::default() }).await;
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let mut long = json!({ "model": MODEL, "stream": true, "max_tokens": 2000, "ignore_eos": true,
        "messages": [{ "role": "user", "content": "Count from one to a thousand." }] });
    let mut answer = bob.chat(&long).await.bytes_stream();
    let mut heard = String::new();
    while frames(heard.rsplit_once("\n\n").map_or("", |(whole, _)| whole)).len() < 5 {
        heard.push_str(std::str::from_utf8(&answer.next().await.unwrap().unwrap()).unwrap());
    }
    assert_eq!(llama.slots_busy().await, 1);
    drop(answer);
    freed(&llama).await;
    let cancelled = ended(&bob).await;
    assert_eq!(cancelled.state, CompletionState::Cancelled);
    assert!((4..2000).contains(&cancelled.output_tokens), "{cancelled:?}");
    assert_eq!(bob.balance().await, 1_000_000 - cancelled.cost);
    // Also while nothing has been said yet.
    long["stream"] = false.into();
    let waiting = tokio::spawn({
        let request = bob.asks.raw(Method::POST, "/v1/chat/completions").json(&long);
        async move { request.send().await }
    });
    wait_until("it is worked at", PATIENCE, async || llama.slots_busy().await == 1).await;
    waiting.abort();
    freed(&llama).await;
    assert_eq!(ended(&bob).await.state, CompletionState::Failed);
    assert_eq!(bob.balance().await, 1_000_000 - cancelled.cost);
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_goes_on_where_one_breaks_off() {
    let (stand, first, second) = (Stand::new().await, LlamaServer::start(MODEL).await, LlamaServer::start(MODEL).await);
    let mut agents = [stand.machine("ada-desk", &first).await, stand.machine("ada-rack", &second).await];
    let bob = stand.user("bob", 1).await;
    let asked = json!({ "model": MODEL, "stream": true, "max_tokens": 400, "ignore_eos": true, "temperature": 0,
        "messages": [{ "role": "user", "content": "Count from one to a thousand." }] });
    let mut answer = bob.chat(&asked).await.bytes_stream();
    let mut heard = String::new();
    let texts = |heard: &str| {
        let whole = heard.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let texts =
            frames(whole).into_iter().filter_map(|it| it["choices"][0]["delta"]["content"].as_str().map(str::to_owned));
        texts.collect::<Vec<_>>()
    };
    while texts(&heard).len() < 10 {
        heard.push_str(std::str::from_utf8(&answer.next().await.unwrap().unwrap()).unwrap());
    }
    let busy = first.slots_busy().await > 0;
    agents[usize::from(!busy)].kill();
    while let Some(Ok(more)) = answer.next().await {
        heard.push_str(std::str::from_utf8(&more).unwrap());
    }
    assert!(
        heard.contains(": the machine broke off; another one goes on from here") && heard.ends_with("data: [DONE]\n\n"),
        "{heard}"
    );
    assert!(!heard.contains("machine_broke_off"), "{heard}");
    // Who did not ask for usage gets none, of either.
    assert!(frames(&heard).iter().all(|it| it["usage"].is_null() && !it["choices"][0].is_null()), "{heard}");
    // Who speaks is said once, and no more is said than was asked for.
    let said = texts(&heard).len();
    assert!((200..=400).contains(&said), "{said}: {heard}");
    assert_eq!(frames(&heard).iter().filter(|it| it["choices"][0]["delta"]["role"].is_string()).count(), 1, "{heard}");
    stand.adds_up().await;
    let asked = bob.client.completion_list().await.unwrap();
    let ends = asked.iter().map(|it| (it.state, it.node_id.as_ref().unwrap().as_str())).collect::<Vec<_>>();
    let (broke, went_on) = if busy { ("ada-desk", "ada-rack") } else { ("ada-rack", "ada-desk") };
    assert_eq!(ends, [(CompletionState::Done, went_on), (CompletionState::Broken, broke)]);
    assert!(asked.iter().map(|it| it.output_tokens).sum::<i64>() <= 400, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_sent_at_once_on_every_hop() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let long = json!({ "model": MODEL, "stream": true, "max_tokens": 2000, "ignore_eos": true,
        "messages": [{ "role": "user", "content": "Count from one to a thousand." }] });
    let mut answer = bob.chat(&long).await.bytes_stream();
    answer.next().await.unwrap().unwrap();
    let (server, agent) = (stand.server.pid().unwrap(), agent.pid().unwrap());
    let connections = [server, agent].map(testkit::tcp_connections).concat();
    // Of the server to the client and to the machine; of the machine to the server and to its engine.
    assert!(connections.len() >= 4, "{connections:?}");
    let waits = connections.iter().filter(|(_, at_once)| !at_once).collect::<Vec<_>>();
    assert!(waits.is_empty(), "these wait for what was sent before to arrive: {waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_fails_is_passed_over_and_comes_back() {
    let stand = Stand::new().await;
    let (mut first, second) = (LlamaServer::start(MODEL).await, LlamaServer::start(MODEL).await);
    let _agents = (stand.machine("ada-desk", &first).await, stand.machine("ada-rack", &second).await);
    let bob = stand.user("bob", 1).await;
    // Whichever it asks first: one of them is not there, and its mesh agent may not know that yet.
    first.kill();
    for _ in 0..4 {
        let answer = bob.chat(&question(4)).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        assert_eq!(ended(&bob).await.node_id.unwrap().as_str(), "ada-rack");
    }
    first.restart().await;
    drop(second);
    wait_until("the other machine answers", PATIENCE, async || bob.chat(&question(4)).await.status() == 200).await;
    assert_eq!(ended(&bob).await.node_id.unwrap().as_str(), "ada-desk");
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_or_goes_where_it_fits() {
    let stand = Stand::new().await;
    let small =
        LlamaServer::start_with(MODEL, LlamaOptions { context: 512, slots: 1, ..LlamaOptions::default() }).await;
    let _small = stand.machine("ada-small", &small).await;
    let bob = stand.user("bob", 1).await;
    let mut long = question(4);
    long["messages"][0]["content"] = "all work and no play makes jack a dull boy ".repeat(120).into();
    let refused = bob.chat(&long).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "context_length_exceeded");
    assert_eq!(bob.balance().await, 1_000_000);
    let large =
        LlamaServer::start_with(MODEL, LlamaOptions { context: 4096, slots: 1, ..LlamaOptions::default() }).await;
    let _large = stand.machine("ada-large", &large).await;
    let answer = bob.chat(&long).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let done = ended(&bob).await;
    assert_eq!(done.node_id.as_ref().unwrap().as_str(), "ada-large");
    assert!(done.input_tokens > 512, "nothing was left out: {done:?}");
    // Where the estimate lets it through, the engine's word counts.
    let mut dense = question(4);
    dense["messages"][0]["content"] = "1 2 3 4 5 6 7 8 9 ".repeat(60).into();
    let answer = bob.chat(&dense).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    assert_eq!(ended(&bob).await.node_id.unwrap().as_str(), "ada-large");
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_frame_is_not_held_up() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let mut body = question(24);
    (body["stream"], body["ignore_eos"]) = (true.into(), true.into());
    // Frames come one by one, as the engine says them, and not as a lump at the end.
    let mut answer = bob.chat(&body).await.bytes_stream();
    let mut pieces = 0;
    while let Some(piece) = tokio::time::timeout(Duration::from_secs(30), answer.next()).await.unwrap() {
        piece.unwrap();
        pieces += 1;
    }
    assert!(pieces >= 8, "{pieces}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_long_hears_that_there_is_nothing_yet() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    llama.signal(Signal::SIGSTOP);
    let mut body = question(8);
    body["stream"] = true.into();
    let mut answer = bob.chat(&body).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b": "), "{first:?}");
    llama.signal(Signal::SIGCONT);
    let rest = answer.text().await.unwrap();
    assert!(rest.contains("Paris") && rest.trim_end().ends_with("data: [DONE]"), "{rest}");
    assert_eq!(ended(&bob).await.state, CompletionState::Done);
    // What goes wrong by then is said within the stream.
    llama.signal(Signal::SIGSTOP);
    let mut answer = bob.asks.raw(Method::POST, "/v1/messages").json(&body).send().await.unwrap();
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: ping"), "{first:?}");
    drop(llama);
    let rest = answer.text().await.unwrap();
    assert!(rest.contains("event: error"), "{rest}");
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_asks_what_it_may_as_often_and_for_as_much_as_it_may() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let _agent = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let token = async |limits: api::ModelLimits| {
        let create = api::TokenCreate {
            name: "limited".into(),
            scopes: Some(vec!["models".into()]),
            model_limits: Some(limits),
            ..api::TokenCreate::default()
        };
        let created = bob.client.token_create_with(&create).await.unwrap();
        User { client: bob.client.clone(), asks: bob.client.with_token(&created.token), token: created.token }
    };
    let told = async |response: reqwest::Response| {
        let (status, told) = (response.status().as_u16(), response.json::<Value>().await.unwrap());
        (status, told["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    // Others are neither listed nor asked.
    let other = token(api::ModelLimits { models: Some(vec!["another".into()]), ..Default::default() }).await;
    assert!(other.asks.models().await.unwrap().data.is_empty());
    assert_eq!(told(other.chat(&question(4)).await).await, (403, "model_not_allowed".into()));
    let same = token(api::ModelLimits { models: Some(vec![MODEL.into()]), ..Default::default() }).await;
    assert_eq!(
        (same.asks.models().await.unwrap().data.len(), same.chat(&question(4)).await.status().as_u16()),
        (1, 200)
    );
    // Twice a minute.
    let seldom = token(api::ModelLimits { requests_per_minute: Some(2), ..Default::default() }).await;
    for _ in 0..2 {
        assert_eq!(seldom.chat(&question(1)).await.status(), 200);
    }
    let refused = seldom.chat(&question(1)).await;
    let wait = refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
    assert!((1..=31).contains(&wait), "{wait}");
    assert_eq!(told(refused).await, (429, "rate_limit_exceeded".into()));
    // What a short answer may cost fits several times, as what it did not take comes back.
    let poor = token(api::ModelLimits { credits: Some(10_000), ..Default::default() }).await;
    assert_eq!(told(poor.chat(&question(400)).await).await, (402, "token_limit_reached".into()));
    let mut answered = 0;
    while poor.chat(&question(8)).await.status() == 200 {
        answered += 1;
        assert!(answered < 50, "it spends without end");
    }
    assert!(answered >= 2, "{answered}");
    assert_eq!(told(poor.chat(&question(8)).await).await, (402, "token_limit_reached".into()));
    let id = bob.client.completion_list().await.unwrap()[0].token_id.clone().unwrap();
    let list = bob.client.token_list().await.unwrap().tokens;
    let shown = list.iter().find(|token| token.id == id).unwrap();
    assert_eq!(shown.model_limits.as_ref().unwrap().credits, Some(10_000));
    // Nobody gets around them by another token, and limits are of tokens that ask models.
    let create = |scopes: &[&str], credits| api::TokenCreate {
        name: "more".into(),
        scopes: Some(scopes.iter().map(ToString::to_string).collect()),
        model_limits: Some(api::ModelLimits { credits: Some(credits), ..Default::default() }),
        ..api::TokenCreate::default()
    };
    let maker = bob.client.token_create_with(&create(&["write", "models"], 5)).await.unwrap().token;
    let unlimited = api::TokenCreate { model_limits: None, ..create(&["models"], 5) };
    let refused = bob.client.with_token(&maker).token_create_with(&unlimited).await.map(drop).unwrap_err();
    assert_eq!((refused.status, refused.code()), (403, "LIMITS_EXCEEDED"));
    for wrong in [create(&["read"], 5), create(&["models"], 0)] {
        assert_eq!(bob.client.token_create_with(&wrong).await.map(drop).unwrap_err().code(), "INVALID_LIMITS");
    }
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_hears_of_completions_and_machines() {
    const TOKEN: &str = "metrics-token-of-tests";
    let (stand, llama) =
        (Stand::with(server().config(json!({ "metrics": { "token": TOKEN } }))).await, LlamaServer::start(MODEL).await);
    let _machine = stand.machine("ada-desk", &llama).await;
    let bob = stand.user("bob", 1).await;
    let answer = bob.chat(&question(4)).await.json::<Value>().await.unwrap();
    let page = reqwest::Client::new().get(format!("{}/metrics", stand.server.api_url())).bearer_auth(TOKEN);
    let page = page.send().await.unwrap().text().await.unwrap();
    let value = |series: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<f64>().ok());
        line.unwrap_or_else(|| panic!("{series} is not there: {page}"))
    };
    let tokens = |kind: &str| answer["usage"][kind].as_f64().unwrap();
    let is = |series: &str, wanted: f64| assert!((value(series) - wanted).abs() < f64::EPSILON, "{series}: {page}");
    is(&format!("nanoscale_mesh_completions_total{{model=\"{MODEL}\",state=\"done\"}}"), 1.0);
    is(&format!("nanoscale_mesh_tokens_total{{direction=\"input\",model=\"{MODEL}\"}}"), tokens("prompt_tokens"));
    is(&format!("nanoscale_mesh_tokens_total{{direction=\"output\",model=\"{MODEL}\"}}"), tokens("completion_tokens"));
    is(&format!("nanoscale_mesh_first_byte_seconds_count{{model=\"{MODEL}\"}}"), 1.0);
    let version = env!("CARGO_PKG_VERSION");
    is(&format!("nanoscale_mesh_machine_linked{{machine=\"ada-desk\",version=\"{version}\"}}"), 1.0);
    // What it reported last may be from before the answer's end.
    assert!(value(&format!("nanoscale_mesh_machine_busy{{machine=\"ada-desk\",model=\"{MODEL}\"}}")) <= 1.0);
}
