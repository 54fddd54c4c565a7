//! The name a request is for, as the route table knows it.

use std::borrow::Cow;

/// The host of a `Host` field or authority (RFC 9110 section 7.2) in lower case, without port and trailing dot.
/// `None` when it is not one: empty, with user information, or with characters no host name has.
pub(crate) fn parse(authority: &str) -> Option<Cow<'_, str>> {
    let (host, port) = split(authority)?;
    let port_ok = port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    if !port_ok {
        return None;
    }
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some(Cow::Owned(host.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(host))
}

fn split(authority: &str) -> Option<(&str, &str)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        let host = &authority[..address.len() + 2];
        return match after.strip_prefix(':') {
            Some(port) => Some((host, port)),
            None => after.is_empty().then_some((host, "")),
        };
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let host = host.strip_suffix('.').unwrap_or(host);
    let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    (!host.is_empty() && host.bytes().all(named)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (authority, host) in [
            ("example.com", Some("example.com")),
            ("Example.COM:8080", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("example.com:", Some("example.com")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("[::1]:80", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("a_b.example", Some("a_b.example")),
            ("", None),
            (":80", None),
            ("a b", None),
            ("user@example.com", None),
            ("example.com/x", None),
            ("example.com:8o", None),
            ("example.com:123456", None),
            ("a:80:90", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[zz]", None),
            ("a,b", None),
        ] {
            assert_eq!(parse(authority).as_deref(), host, "{authority}");
        }
    }
}
