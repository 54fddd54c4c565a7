use super::*;

/// Each frame as a server sends it, from its payload.
fn stream(payloads: &[&str]) -> Vec<u8> {
    payloads.iter().flat_map(|payload| format!("data: {payload}\n\n").into_bytes()).collect()
}

/// Reads a stream that arrives in these pieces.
fn read(dialect: Dialect, pieces: &[&[u8]]) -> (Meter, Vec<Frame>) {
    let (mut meter, mut frames, mut seen) = (Meter::new(dialect, true), sse::Frames::new(), Vec::new());
    for piece in pieces {
        frames.push(piece);
        while let Some(frame) = frames.pop() {
            seen.push(meter.frame(&frame));
        }
    }
    (meter, seen)
}

fn whole(dialect: Dialect, body: &str) -> Meter {
    let mut meter = Meter::new(dialect, false);
    meter.body(body.as_bytes());
    meter
}

fn usage(input_tokens: u64, cached_tokens: u64, output_tokens: u64, source: UsageSource) -> Usage {
    Usage { input_tokens, cached_tokens, output_tokens, source }
}

const CHAT: [&str; 5] = [
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"object":"chat.completion.chunk"}"#,
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hel"}}]}"#,
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"reasoning_content":"lo"}}],"usage":null}"#,
    r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{}}]}"#,
    r#"{"choices":[],"usage":{"completion_tokens":7,"prompt_tokens":31,"total_tokens":38,"prompt_tokens_details":{"cached_tokens":30}}}"#,
];

#[test]
fn a_chat_is_metered_wherever_its_stream_is_cut() {
    use Frame::{OnlyUsage, Other, Output};
    let stream = [stream(&CHAT), b"data: [DONE]\n\n".to_vec()].concat();
    for cut in 0..=stream.len() {
        let (head, tail) = stream.split_at(cut);
        let (meter, seen) = read(Dialect::ChatCompletions, &[head, tail]);
        assert_eq!(seen, [Other, Output, Output, Other, OnlyUsage, Other], "cut at {cut}");
        assert_eq!(meter.usage(), usage(31, 30, 7, UsageSource::Engine));
        assert!(meter.is_complete() && meter.has_output() && !meter.has_tool_call());
        // And what there is when nothing follows the cut.
        let (cut_off, seen) = read(Dialect::ChatCompletions, &[head]);
        assert_eq!(cut_off.is_complete(), cut == stream.len());
        let counted = seen.iter().filter(|frame| **frame == Output).count();
        if !seen.contains(&OnlyUsage) {
            assert_eq!(cut_off.usage(), usage(0, 0, u64::try_from(counted).unwrap(), UsageSource::Counted));
        }
    }
}

/// As llama.cpp's server sends it, without what is not looked at.
const ON_THE_WAY: [&str; 6] = [
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"timings":{"cache_n":42,"prompt_n":0,"prompt_ms":0.0,"predicted_n":0},"prompt_progress":{"total":43,"cache":42,"processed":42,"time_ms":0}}"#,
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}]}"#,
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Paris"}}],"timings":{"cache_n":42,"prompt_n":1,"prompt_ms":16.389,"predicted_n":2}}"#,
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":" is"}}]}"#,
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":" the"}}]}"#,
    r#"{"choices":[{"finish_reason":"length","index":0,"delta":{}}],"timings":{"cache_n":42,"prompt_n":1,"predicted_n":4}}"#,
];

#[test]
fn what_an_engine_says_on_the_way_holds_when_the_answer_is_cut_off() {
    use UsageSource::{Counted, Engine};
    let expected = [(0, Engine), (0, Engine), (2, Engine), (2, Engine), (3, Counted), (4, Engine)];
    for (count, (output_tokens, source)) in (1..).zip(expected) {
        let (meter, _) = read(Dialect::ChatCompletions, &[&stream(&ON_THE_WAY[..count])]);
        assert_eq!(meter.usage(), usage(43, 42, output_tokens, source), "after {count}");
    }
}

#[test]
fn zero_is_a_count() {
    let said = stream(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
        r#"{"choices":[],"usage":{"completion_tokens":0,"prompt_tokens":0}}"#,
    ]);
    let (meter, _) = read(Dialect::ChatCompletions, &[&said]);
    assert_eq!(meter.usage(), usage(0, 0, 0, UsageSource::Engine));
    let unsaid = stream(&[r#"{"choices":[{"text":"a"}]}"#, r#"{"choices":[],"usage":{"prompt_tokens":4}}"#]);
    let (meter, _) = read(Dialect::Completions, &[&unsaid]);
    assert_eq!(meter.usage(), usage(4, 0, 1, UsageSource::Counted));
}

#[test]
fn a_tool_call_is_noticed() {
    let cases = [
        (
            Dialect::ChatCompletions,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}"#,
        ),
        (Dialect::Responses, r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#),
        (Dialect::Responses, r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"x"}}"#),
        (Dialect::Messages, r#"{"type":"content_block_start","content_block":{"type":"tool_use","name":"x"}}"#),
        (Dialect::Messages, r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#),
    ];
    for (dialect, payload) in cases {
        let (meter, _) = read(dialect, &[&stream(&[payload])]);
        assert!(meter.has_tool_call() && meter.has_output() && !meter.is_complete(), "{payload}");
    }
}

#[test]
fn a_completion_is_metered() {
    let (meter, seen) = read(
        Dialect::Completions,
        &[&stream(&[
            r#"{"choices":[{"text":"a","index":0,"finish_reason":null}],"object":"text_completion"}"#,
            r#"{"choices":[{"text":"","index":0,"finish_reason":"stop"}],"usage":{"completion_tokens":2,"prompt_tokens":3}}"#,
            "[DONE]",
        ])],
    );
    assert_eq!(seen, [Frame::Output, Frame::Other, Frame::Other]);
    assert_eq!(meter.usage(), usage(3, 0, 2, UsageSource::Engine));
    assert!(meter.is_complete());
}

#[test]
fn a_response_is_metered() {
    let payloads = [
        r#"{"type":"response.created","response":{"status":"in_progress"}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#,
        r#"{"type":"response.reasoning_text.delta","delta":"hm"}"#,
        r#"{"type":"response.output_text.delta","item_id":"msg_1","delta":"Hi"}"#,
        r#"{"type":"response.output_text.done","text":"Hi"}"#,
        r#"{"type":"response.completed","response":{"usage":{"input_tokens":31,"output_tokens":5,"input_tokens_details":{"cached_tokens":2}}}}"#,
    ];
    let (meter, _) = read(Dialect::Responses, &[&stream(&payloads[..5])]);
    assert_eq!(meter.usage(), usage(0, 0, 2, UsageSource::Counted));
    assert!(!meter.is_complete() && !meter.has_tool_call());
    let (meter, _) = read(Dialect::Responses, &[&stream(&payloads)]);
    assert_eq!(meter.usage(), usage(31, 2, 5, UsageSource::Engine));
    assert!(meter.is_complete());
}

#[test]
fn messages_are_metered() {
    let payloads = [
        r#"{"type":"message_start","message":{"usage":{"cache_read_input_tokens":20,"input_tokens":11,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let (meter, _) = read(Dialect::Messages, &[&stream(&payloads[..5])]);
    assert_eq!(meter.usage(), usage(31, 20, 2, UsageSource::Counted));
    let (meter, _) = read(Dialect::Messages, &[&stream(&payloads)]);
    assert_eq!(meter.usage(), usage(31, 20, 5, UsageSource::Engine));
    assert!(meter.is_complete() && meter.has_output());
}

#[test]
fn whole_bodies_are_metered() {
    let cases = [
        (
            Dialect::ChatCompletions,
            r#"{"choices":[{"message":{"content":"Hi"}}],"usage":{"completion_tokens":2,"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":8}}}"#,
            usage(9, 8, 2, UsageSource::Engine),
        ),
        (
            Dialect::Completions,
            r#"{"choices":[{"text":"Hi"}],"usage":{"completion_tokens":2,"prompt_tokens":9}}"#,
            usage(9, 0, 2, UsageSource::Engine),
        ),
        (
            Dialect::Responses,
            r#"{"status":"completed","output":[{"type":"message"}],"usage":{"input_tokens":9,"output_tokens":2}}"#,
            usage(9, 0, 2, UsageSource::Engine),
        ),
        (
            Dialect::Messages,
            r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"usage":{"input_tokens":9,"output_tokens":2}}"#,
            usage(9, 0, 2, UsageSource::Engine),
        ),
        (
            Dialect::Embeddings,
            r#"{"object":"list","data":[{"embedding":[0.5,-1e3]}],"usage":{"prompt_tokens":9,"total_tokens":9}}"#,
            usage(9, 0, 0, UsageSource::Engine),
        ),
        (
            Dialect::ChatCompletions,
            r#"{"choices":[{"message":{"content":"Hi"}}]}"#,
            usage(0, 0, 0, UsageSource::Counted),
        ),
    ];
    for (dialect, body, expected) in cases {
        let meter = whole(dialect, body);
        assert_eq!(meter.usage(), expected, "{body}");
        assert!(meter.is_complete() && meter.has_output() && !meter.has_tool_call(), "{body}");
    }
    let called = r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"1"}]}}]}"#;
    assert!(whole(Dialect::ChatCompletions, called).has_tool_call());
}

#[test]
fn failures_and_nonsense_count_nothing() {
    let nothing = usage(0, 0, 0, UsageSource::Counted);
    let nonsense = [
        r#"{"error":{"code":500,"message":"context exceeded","type":"server_error"},"usage":{"prompt_tokens":1}}"#,
        r#"{"type":"error","error":{"message":"x"}}"#,
        r#"{"choices":{"0":1},"content":"x","output":7,"usage":[1],"data":{}}"#,
        r#"{"choices":[{"delta":{"content":""}},null,3],"usage":{"completion_tokens":-1,"prompt_tokens":"9"}}"#,
        "[]",
        "7",
        "{",
        "",
        "\u{0}",
        &"[".repeat(100_000),
    ];
    for dialect in Dialect::ALL {
        let (meter, seen) = read(dialect, &[&stream(&nonsense)]);
        assert!(!seen.contains(&Frame::Output), "{dialect:?}");
        assert_eq!((meter.usage(), meter.has_output(), meter.is_complete()), (nothing, false, false), "{dialect:?}");
        for body in &nonsense {
            let meter = whole(dialect, body);
            assert!(!meter.has_output(), "{dialect:?} {body}");
            assert_eq!(meter.usage(), nothing, "{dialect:?} {body}");
        }
    }
}
