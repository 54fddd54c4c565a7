//! What a signed request must be, seen from both ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Method};
use link::{KeyPair, PublicKey};
use signatures::{Message, Nonces, Refusal, SignError, parse, sign};

const TAG: &str = "mesh";
const HEADERS: [&str; 3] = ["content-digest", "signature-input", "signature"];
const MESSAGE: Message<'_> = Message {
    method: &Method::POST,
    authority: "two.example:8443",
    path: "/run/a%20b",
    query: Some("x=1&y=2"),
    body: b"{\"command\":\"true\"}",
};

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn check(headers: &HeaderMap, message: &Message<'_>, key: &PublicKey, now: SystemTime) -> Result<(), Refusal> {
    parse(headers)?.verify(message, key, TAG, now).map(drop)
}

fn code(result: Result<(), Refusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.code(), |()| "taken")
}

/// A signed request, and a way to change one of its headers.
struct Sent {
    key: KeyPair,
    headers: HeaderMap,
}

impl Sent {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let headers = sign(&MESSAGE, &key.public().to_string(), &key, TAG, now()).unwrap();
        Self { key, headers }
    }

    fn text(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn check(&self, headers: &HeaderMap) -> &'static str {
        code(check(headers, &MESSAGE, &self.key.public(), now()))
    }

    /// What becomes of it if a part of a header is another.
    fn check_with(&self, name: &'static str, from: &str, to: &str) -> &'static str {
        let text = self.text(name);
        assert!(text.contains(from), "{from} in {text}");
        let mut headers = self.headers.clone();
        headers.insert(name, text.replace(from, to).parse().unwrap());
        self.check(&headers)
    }

    /// As if it had been signed with other components or parameters: by who has the key, and is no `sign` of ours.
    fn check_signed_with(&self, from: &str, to: &str) -> &'static str {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;

        let input = self.text("signature-input");
        assert!(input.contains(from), "{from} in {input}");
        let input = input.replace(from, to);
        let base = format!(
            "\"@method\": POST\n\"@authority\": two.example:8443\n\"@path\": /run/a%20b\n\"@query\": ?x=1&y=2\n\
             \"content-digest\": {}\n\"@signature-params\": {}",
            self.text("content-digest"),
            input.strip_prefix("sig1=").unwrap()
        );
        let mut headers = self.headers.clone();
        let signature = format!("sig1=:{}:", STANDARD.encode(self.key.sign(base.as_bytes())));
        headers.insert("signature-input", input.parse().unwrap());
        headers.insert("signature", signature.parse().unwrap());
        self.check(&headers)
    }
}

#[test]
fn a_signed_request_is_taken_as_it_was_sent() {
    let sent = Sent::new();
    assert_eq!(sent.headers.len(), 3);
    let input = sent.text("signature-input");
    let parameters = input
        .strip_prefix("sig1=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\")")
        .and_then(|rest| rest.strip_prefix(";created=1700000000;expires=1700000060;nonce=\""));
    let rest = parameters.unwrap_or_else(|| panic!("{input}")).get(43..).unwrap();
    assert_eq!(rest, format!("\";keyid=\"{}\";alg=\"ed25519\";tag=\"mesh\"", sent.key.public()));

    assert_eq!(parse(&sent.headers).unwrap().keyid(), sent.key.public().to_string());
    assert_eq!(sent.check(&sent.headers), "taken");
    // So that the other tests see what they are about.
    assert_eq!(sent.check_signed_with("", ""), "taken");
}

#[test]
fn every_request_has_its_own_nonce() {
    let key = KeyPair::generate().unwrap();
    let [one, two] = [(); 2].map(|()| sign(&MESSAGE, "one", &key, TAG, now()).unwrap());
    assert_ne!(one["signature-input"], two["signature-input"]);
}

#[test]
fn an_empty_request_is_signed_too() {
    let key = KeyPair::generate().unwrap();
    let empty = Message { method: &Method::GET, path: "", query: None, body: b"", ..MESSAGE };
    let headers = sign(&empty, "one", &key, TAG, now()).unwrap();
    assert_eq!(headers["content-digest"], "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    assert_eq!(code(check(&headers, &empty, &key.public(), now())), "taken");
    let same = Message { authority: "TWO.example:8443", path: "/", query: Some(""), ..empty };
    assert_eq!(code(check(&headers, &same, &key.public(), now())), "taken");
}

#[test]
fn another_request_is_refused() {
    let sent = Sent::new();
    let key = sent.key.public();
    for (message, expected) in [
        (Message { method: &Method::PUT, ..MESSAGE }, "signature_invalid"),
        (Message { authority: "three.example:8443", ..MESSAGE }, "signature_invalid"),
        (Message { authority: "two.example", ..MESSAGE }, "signature_invalid"),
        (Message { path: "/run/a%20c", ..MESSAGE }, "signature_invalid"),
        (Message { path: "/run/a b", ..MESSAGE }, "signature_malformed"),
        (Message { query: Some("x=1&y=3"), ..MESSAGE }, "signature_invalid"),
        (Message { query: None, ..MESSAGE }, "signature_invalid"),
        (Message { body: b"{\"command\":\"false\"}", ..MESSAGE }, "signature_digest"),
        (Message { body: b"", ..MESSAGE }, "signature_digest"),
    ] {
        assert_eq!(code(check(&sent.headers, &message, &key, now())), expected, "{message:?}");
    }
}

#[test]
fn a_digest_that_fits_another_body_is_refused() {
    let sent = Sent::new();
    let body = b"{\"command\":\"false\"}";
    let other = sign(&Message { body, ..MESSAGE }, "x", &sent.key, TAG, now()).unwrap();
    let mut headers = sent.headers.clone();
    headers.insert("content-digest", other["content-digest"].clone());
    let changed = Message { body, ..MESSAGE };
    assert_eq!(code(check(&headers, &changed, &sent.key.public(), now())), "signature_invalid");
}

#[test]
fn another_key_or_tag_is_refused() {
    let sent = Sent::new();
    let other = KeyPair::generate().unwrap().public();
    assert_eq!(code(check(&sent.headers, &MESSAGE, &other, now())), "signature_invalid");
    let signed = parse(&sent.headers).unwrap();
    assert_eq!(signed.verify(&MESSAGE, &sent.key.public(), "other", now()).unwrap_err(), Refusal::Tag);
    assert_eq!(
        sent.check_with("signature-input", &sent.key.public().to_string(), &other.to_string()),
        "signature_invalid"
    );
}

#[test]
fn clocks_may_differ_by_a_minute() {
    let sent = Sent::new();
    let key = sent.key.public();
    for (offset, expected) in [
        (-61, "signature_not_yet_valid"),
        (-60, "taken"),
        (0, "taken"),
        (60, "taken"),
        (61, "signature_expired"),
        (1_000_000, "signature_expired"),
    ] {
        let offset_now = UNIX_EPOCH + Duration::from_secs(1_700_000_000_u64.checked_add_signed(offset).unwrap());
        assert_eq!(code(check(&sent.headers, &MESSAGE, &key, offset_now)), expected, "{offset}");
    }
    assert_eq!(code(check(&sent.headers, &MESSAGE, &key, UNIX_EPOCH)), "signature_not_yet_valid");
}

#[test]
fn a_signature_of_another_form_is_refused_whoever_made_it() {
    let sent = Sent::new();
    for (from, to, expected) in [
        ("\"@method\" \"@authority\"", "\"@authority\" \"@method\"", "signature_components"),
        (" \"content-digest\"", "", "signature_components"),
        (" \"content-digest\"", " \"content-digest\" \"date\"", "signature_components"),
        (" \"content-digest\"", " \"content-digest\" \"content-digest\"", "signature_components"),
        ("\"@path\"", "\"@target-uri\"", "signature_components"),
        ("\"@path\"", "\"@path\";req", "signature_components"),
        ("\"content-digest\"", "\"content-digest\";sf", "signature_components"),
        ("\"content-digest\"", "content-digest", "signature_components"),
        ("ed25519", "hmac-sha256", "signature_algorithm"),
        ("\"ed25519\"", "ed25519", "signature_algorithm"),
        (";alg=\"ed25519\"", "", "taken"),
        (";alg=\"ed25519\"", ";alg=\"ed25519\";other=1", "signature_malformed"),
        (";created=1700000000", "", "signature_malformed"),
        ("created=1700000000", "created=@1700000000", "signature_malformed"),
        ("created=1700000000", "created=\"1700000000\"", "signature_malformed"),
        (";created=1700000000", ";created=1699999999;created=1700000000", "signature_malformed"),
        (";expires=1700000060", "", "signature_malformed"),
        (";nonce=", ";tag=", "signature_malformed"),
        (";keyid=", ";tag=", "signature_malformed"),
        (";tag=\"mesh\"", "", "signature_malformed"),
        ("\"mesh\"", "\"mesh2\"", "signature_tag"),
        ("1700000060", "1700000061", "signature_lifetime"),
        ("1700000060", "1700000000", "signature_lifetime"),
        ("1700000060", "-999999999999999", "signature_lifetime"),
        ("1700000060", "1700000001", "taken"),
        (";created=1700000000;expires=1700000060", ";expires=1700000060;created=1700000000", "taken"),
    ] {
        assert_eq!(sent.check_signed_with(from, to), expected, "{from} -> {to}");
    }
    let nonce = sent.text("signature-input").split('"').find(|part| part.len() == 43).unwrap().to_owned();
    for short in ["", "x", &nonce[..21]] {
        assert_eq!(sent.check_signed_with(&nonce, short), "signature_malformed", "{short}");
    }
    assert_eq!(sent.check_signed_with(&nonce, &nonce[..22]), "taken");
}

#[test]
fn headers_that_are_absent_or_forged_are_refused() {
    let sent = Sent::new();
    assert_eq!(sent.check(&HeaderMap::new()), "signature_missing");
    for name in HEADERS {
        let mut headers = sent.headers.clone();
        headers.remove(name);
        assert_eq!(sent.check(&headers), "signature_missing", "{name}");
        let mut headers = sent.headers.clone();
        headers.append(name, sent.headers[name].clone());
        assert_eq!(sent.check(&headers), "signature_malformed", "{name}");
        let mut headers = sent.headers.clone();
        headers.append(name, HeaderValue::from_static(""));
        assert_eq!(sent.check(&headers), "signature_malformed", "{name}");

        let text = sent.text(name);
        assert_eq!(sent.check_with(name, text, &format!("{text}, {text}")), "signature_malformed", "{name}");
        let (_, value) = text.split_once('=').unwrap();
        assert_eq!(sent.check_with(name, text, &format!("{text}, more={value}")), "signature_malformed", "{name}");
        assert_eq!(sent.check_with(name, text, &format!("more={value}")), "signature_malformed", "{name}");
        assert_eq!(sent.check_with(name, text, &format!("{text} ")), "signature_malformed", "{name}");
    }
    let mut headers = sent.headers.clone();
    headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
    assert_eq!(sent.check(&headers), "taken");
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let sent = Sent::new();
    for name in HEADERS {
        let bytes = sent.headers[name].as_bytes();
        for (at, bit) in (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << bit;
            let Ok(value) = HeaderValue::from_bytes(&changed) else { continue };
            let mut headers = sent.headers.clone();
            headers.insert(name, value);
            assert_ne!(sent.check(&headers), "taken", "{name}: {}", String::from_utf8_lossy(&changed));
        }
        for length in 0..bytes.len() {
            let mut headers = sent.headers.clone();
            headers.insert(name, HeaderValue::from_bytes(&bytes[..length]).unwrap());
            assert_ne!(sent.check(&headers), "taken", "{name}: {length}");
        }
    }
}

#[test]
fn a_request_is_taken_once_and_by_no_later_process() {
    let sent = Sent::new();
    let verify = || parse(&sent.headers).unwrap().verify(&MESSAGE, &sent.key.public(), TAG, now()).unwrap();
    let nonces = Nonces::new(now() - Duration::from_secs(1));
    assert_eq!(nonces.admit(verify()).unwrap().wait(), Duration::ZERO);
    assert_eq!(nonces.admit(verify()).unwrap_err(), Refusal::Replayed);
    let restarted = Nonces::new(now() + Duration::from_millis(1));
    assert_eq!(restarted.admit(verify()).unwrap_err(), Refusal::BeforeStart);
}

#[test]
fn what_could_not_be_verified_is_not_signed() {
    let key = KeyPair::generate().unwrap();
    let refused = |message: Message<'_>, keyid: &str, tag: &str| sign(&message, keyid, &key, tag, now()).unwrap_err();
    assert_eq!(refused(Message { path: "/\n\"@query\": ?", ..MESSAGE }, "one", TAG), SignError::Message);
    assert_eq!(refused(Message { authority: "", ..MESSAGE }, "one", TAG), SignError::Message);
    assert_eq!(refused(MESSAGE, "", TAG), SignError::KeyId);
    assert_eq!(refused(MESSAGE, "ö", TAG), SignError::KeyId);
    assert_eq!(refused(MESSAGE, &"x".repeat(129), TAG), SignError::KeyId);
    assert_eq!(refused(MESSAGE, "one", "a\nb"), SignError::Tag);
    let quoted = "a \"b\" \\ c";
    let headers = sign(&MESSAGE, quoted, &key, TAG, now()).unwrap();
    assert_eq!(parse(&headers).unwrap().keyid(), quoted);
    assert_eq!(code(check(&headers, &MESSAGE, &key.public(), now())), "taken");
}
