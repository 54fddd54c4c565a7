//! Which header fields pass and which are this proxy's own.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, SET_COOKIE, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, Request, Uri};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What a connection says about its client.
pub(crate) struct Peer {
    pub(crate) address: HeaderValue,
    pub(crate) port: HeaderValue,
    pub(crate) proto: HeaderValue,
}

impl Peer {
    /// One that says itself who its clients are.
    pub(crate) fn unknown() -> Self {
        let unknown = HeaderValue::from_static("unknown");
        Self { address: unknown.clone(), port: HeaderValue::from(0), proto: HeaderValue::from_static("http") }
    }

    /// The client of another edge, as that edge describes it.
    pub(crate) fn told(headers: &HeaderMap) -> Self {
        let told = |name: &HeaderName, or: HeaderValue| headers.get(name).cloned().unwrap_or(or);
        let Self { address, port, proto } = Self::unknown();
        Self {
            address: told(&FORWARDED_FOR, address),
            port: told(&FORWARDED_PORT, port),
            proto: told(&FORWARDED_PROTO, proto),
        }
    }
}

/// Brings the request's target to origin-form and gives its host. RFC 9112 section 3.2: exactly one `Host`, which an
/// absolute-form target overrides.
pub(crate) fn target<B>(request: &mut Request<B>) -> Result<HeaderValue, &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.clone(),
        (None, _) => return Err("The request has no Host field."),
        (Some(_), Some(_)) => return Err("The request has more than one Host field."),
    };
    if request.method() == Method::CONNECT {
        return Err("CONNECT is not served here.");
    }
    let Some(authority) = request.uri().authority() else { return Ok(host) };
    if !matches!(request.uri().scheme_str(), Some("http" | "https")) {
        return Err("The request's target is not one of HTTP.");
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| "The request's host is not valid.")?;
    let path = request.uri().path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
    *request.uri_mut() = path;
    request.headers_mut().insert(HOST, host.clone());
    Ok(host)
}

/// Makes a client's fields those that go upstream: without hop-by-hop fields (RFC 9110 section 7.6.1), without what a
/// client claims about its origin, without private cookies, and with this proxy's own word on the origin. Returns the
/// protocol to upgrade to, when the client asks for one; its fields are set again.
///
/// `chunked` says that a body of unknown length follows.
pub(crate) fn request(
    headers: &mut HeaderMap,
    peer: &Peer,
    host: HeaderValue,
    chunked: bool,
    private_cookies: &[String],
) -> Option<HeaderValue> {
    let mut doomed = Vec::new();
    let (mut connection, mut cookie, mut te, mut upgrade) = (false, false, false, false);
    for name in headers.keys() {
        match name.as_str() {
            "connection" => connection = true,
            "cookie" => cookie = true,
            "te" => te = true,
            "upgrade" => upgrade = true,
            text if is_dropped(text) => doomed.push(name.clone()),
            _ => {}
        }
    }
    let wants_upgrade = connection && options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"));
    if connection {
        drop_connection(headers);
    }
    for name in doomed {
        headers.remove(name);
    }
    if cookie {
        drop_cookies(headers, private_cookies);
    }
    if chunked {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if te {
        let trailers = tokens(headers, &TE).any(|coding| coding.eq_ignore_ascii_case("trailers"));
        headers.remove(TE);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
    }
    headers.insert(FORWARDED_FOR, peer.address.clone());
    headers.insert(FORWARDED_HOST, host);
    headers.insert(FORWARDED_PORT, peer.port.clone());
    headers.insert(FORWARDED_PROTO, peer.proto.clone());
    let protocol = if upgrade { headers.remove(UPGRADE) } else { None };
    // Behind an upgrade to h2c requests would pass that nobody here has looked at.
    let protocol = protocol.filter(|protocol| wants_upgrade && !names_h2c(protocol))?;
    set_upgrade(headers, protocol.clone());
    Some(protocol)
}

/// Makes an upstream's fields those that go to the client.
pub(crate) fn response(headers: &mut HeaderMap, private_cookies: &[String]) {
    if headers.contains_key(SET_COOKIE) {
        refuse_cookies(headers, private_cookies);
    }
    if headers.contains_key(CONNECTION) {
        drop_connection(headers);
    }
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, UPGRADE] {
        headers.remove(name);
    }
}

/// The fields by which both sides agree to change the protocol (RFC 9110 section 7.8).
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Whether `protocol` is the one whose frames can be told apart.
pub(crate) fn is_websocket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

fn names_h2c(protocol: &HeaderValue) -> bool {
    protocol
        .as_bytes()
        .split(|b| *b == b',')
        .any(|name| name.trim_ascii().get(..3).is_some_and(|head| head.eq_ignore_ascii_case(b"h2c")))
}

/// Request fields that end here. `_` counts as `-`, since CGI-like interfaces make one of the two.
fn is_dropped(name: &str) -> bool {
    match name {
        "transfer-encoding" | "keep-alive" | "proxy-connection" | "proxy-authorization" | "expect" => true,
        // Most names are neither long nor begin with these letters.
        _ if !name.starts_with(['x', 'f']) => false,
        "forwarded" => true,
        _ => {
            let is = |wanted: &str| like(name, wanted) && name.len() == wanted.len();
            is("x-real-ip") || like(name, "x-forwarded-")
        }
    }
}

fn like(name: &str, start: &str) -> bool {
    name.len() >= start.len() && name.bytes().zip(start.bytes()).all(|(a, b)| a == b || (a == b'_' && b == b'-'))
}

/// Removes `Connection` and what it names. `Host` and `Content-Length` stay whatever it says: they are not for one
/// hop, and naming them is an attack.
fn drop_connection(headers: &mut HeaderMap) {
    let standard = |option: &str| {
        ["close", "keep-alive", "upgrade", "te", "host", "content-length"]
            .iter()
            .any(|known| option.eq_ignore_ascii_case(known))
    };
    let named: Vec<HeaderName> = options(headers).filter(|option| !standard(option)).flat_map(str::parse).collect();
    for name in named {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}

fn options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, &CONNECTION)
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().flat_map(|value| value.to_str()).flat_map(|value| value.split(',')).map(str::trim)
}

/// A site below ours could set a cookie for the domain above it, and with it sign a person in as somebody else.
fn refuse_cookies(headers: &mut HeaderMap, private: &[String]) {
    let is_private = |line: &HeaderValue| {
        let name = line.as_bytes().split(|b| matches!(b, b'=' | b';')).next().unwrap_or_default().trim_ascii();
        private.iter().any(|start| name.starts_with(start.as_bytes()))
    };
    if !headers.get_all(SET_COOKIE).iter().any(is_private) {
        return;
    }
    let kept = headers.get_all(SET_COOKIE).iter().filter(|line| !is_private(line)).cloned().collect::<Vec<_>>();
    headers.remove(SET_COOKIE);
    for line in kept {
        headers.append(SET_COOKIE, line);
    }
}

fn drop_cookies(headers: &mut HeaderMap, private: &[String]) {
    let name = |pair: &[u8]| pair.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii().to_owned();
    let is_private = |pair: &[u8]| private.iter().any(|start| name(pair).starts_with(start.as_bytes()));
    let mentions = |value: &HeaderValue| {
        private.iter().any(|start| memchr::memmem::find(value.as_bytes(), start.as_bytes()).is_some())
    };
    if !headers.get_all(COOKIE).iter().any(mentions) {
        return;
    }
    let lines: Vec<Vec<u8>> = headers
        .get_all(COOKIE)
        .iter()
        .map(|line| {
            let pairs = line.as_bytes().split(|b| *b == b';').filter(|pair| !is_private(pair));
            pairs.map(<[u8]>::trim_ascii).collect::<Vec<_>>().join(&b"; "[..])
        })
        .collect();
    headers.remove(COOKIE);
    for line in lines.iter().filter(|line| !line.is_empty()) {
        // Parts of a valid value make a valid value.
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn cookies(line: &'static str) -> Option<String> {
        let mut headers = map(&[("cookie", line)]);
        drop_cookies(&mut headers, &["session".to_owned(), "__Host-session".to_owned()]);
        headers.get(COOKIE).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn private_cookies() {
        assert_eq!(cookies("a=1; session=x; b=2").as_deref(), Some("a=1; b=2"));
        assert_eq!(cookies("session=x;__Host-session=y"), None);
        assert_eq!(cookies("mysession=1;  a=session=2").as_deref(), Some("mysession=1; a=session=2"));
        assert_eq!(cookies(" session = x; a=1").as_deref(), Some("a=1"));
        assert_eq!(cookies("session").as_deref(), None);
        assert_eq!(cookies("session_of_a_port=x; a=1").as_deref(), Some("a=1"));
        assert_eq!(cookies("a=1;;  b").as_deref(), Some("a=1;;  b"));
    }

    #[test]
    fn fields_that_end_here() {
        for name in ["x-forwarded-for", "x_forwarded_for", "x-forwarded-prefix", "x-real-ip", "x_real-ip", "forwarded"]
        {
            assert!(is_dropped(name), "{name}");
        }
        for name in ["x-request-id", "x-real-ipx", "from", "x-forward", "host", "content-length"] {
            assert!(!is_dropped(name), "{name}");
        }
    }

    #[test]
    fn named_fields_go_but_not_those_that_frame_the_message() {
        let mut headers = map(&[
            ("connection", "X-Hop, host, Content-Length"),
            ("x-hop", "1"),
            ("host", "a"),
            ("content-length", "1"),
        ]);
        drop_connection(&mut headers);
        assert_eq!(headers, map(&[("host", "a"), ("content-length", "1")]));
    }

    #[test]
    fn a_response_with_two_lengths_keeps_neither() {
        let mut headers = map(&[("transfer-encoding", "chunked"), ("content-length", "5"), ("trailer", "x")]);
        response(&mut headers, &[]);
        assert_eq!(headers, map(&[("trailer", "x")]));
    }

    #[test]
    fn an_app_cannot_set_a_private_cookie() {
        let mut headers = map(&[
            ("set-cookie", "a=1"),
            ("set-cookie", " session=x; Domain=example.com"),
            ("set-cookie", "b=2; Path=/"),
        ]);
        response(&mut headers, &["session".to_owned()]);
        assert_eq!(headers, map(&[("set-cookie", "a=1"), ("set-cookie", "b=2; Path=/")]));
    }
}
