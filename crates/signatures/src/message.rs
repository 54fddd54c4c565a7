//! What is signed: a request, as the signature base of RFC 9421 section 2.5.

use http::Method;
use sfv::{StringRef, string_ref};

/// What a signature covers, in this order.
pub(crate) const COMPONENTS: [&StringRef; 5] = [
    string_ref("@method"),
    string_ref("@authority"),
    string_ref("@path"),
    string_ref("@query"),
    string_ref("content-digest"),
];

/// A request as it is on the wire: its parts with their percent-encoding, neither decoded nor normalised.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub method: &'a Method,
    /// The target's host, with the port if there is one. Case does not matter, nor whether a port of 443 or 80 is
    /// given: who receives a request behind a proxy that ends TLS cannot tell which one was the scheme's own.
    pub authority: &'a str,
    pub path: &'a str,
    /// Without its question mark.
    pub query: Option<&'a str>,
    pub body: &'a [u8],
}

// === impl Message ===

impl Message<'_> {
    /// The bytes to sign, given the Content-Digest and the signature's parameters. None if this is no message that can
    /// be on the wire.
    pub(crate) fn base(&self, digest: &str, params: &str) -> Option<String> {
        let authority = authority(self.authority);
        let path = if self.path.is_empty() { "/" } else { self.path };
        let query = format!("?{}", self.query.unwrap_or_default());
        let values = [self.method.as_str(), &authority, path, &query, digest];
        // A line break in a value could pass for the next component.
        if values.iter().any(|value| value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic())) {
            return None;
        }
        Some(base(COMPONENTS.iter().map(|name| name.as_str()).zip(values), params))
    }
}

/// A signature base: a line for each component, and one for the parameters, which name the components again.
pub(crate) fn base<'a>(components: impl IntoIterator<Item = (&'a str, &'a str)>, params: &str) -> String {
    let lines = components.into_iter().map(|(name, value)| format!("\"{name}\": {value}\n"));
    lines.chain([format!("\"@signature-params\": {params}")]).collect()
}

fn authority(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    [":443", ":80", ":"].iter().find_map(|port| text.strip_suffix(port)).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: Message<'_> =
        Message { method: &Method::GET, authority: "Two.Example", path: "", query: None, body: b"" };

    #[test]
    fn a_base_has_a_line_for_each_component() {
        let message = Message { method: &Method::PUT, path: "/a%20b", query: Some("x=1&y"), ..MESSAGE };
        let expected = "\"@method\": PUT\n\"@authority\": two.example\n\"@path\": /a%20b\n\"@query\": ?x=1&y\n\
                        \"content-digest\": D\n\"@signature-params\": P";
        assert_eq!(message.base("D", "P").unwrap(), expected);
        let expected = "\"@method\": GET\n\"@authority\": two.example\n\"@path\": /\n\"@query\": ?\n\
                        \"content-digest\": D\n\"@signature-params\": P";
        assert_eq!(MESSAGE.base("D", "P").unwrap(), expected);
        assert_eq!(Message { query: Some(""), ..MESSAGE }.base("D", "P").unwrap(), expected);
    }

    #[test]
    fn an_authority_loses_its_case_and_its_default_port() {
        for (given, expected) in [
            ("Two.Example:443", "two.example"),
            ("two.example:80", "two.example"),
            ("two.example:", "two.example"),
            ("two.example:8443", "two.example:8443"),
            ("two.example:4430", "two.example:4430"),
            ("[FE80::443]", "[fe80::443]"),
            ("[fe80::1]:443", "[fe80::1]"),
        ] {
            assert_eq!(authority(given), expected, "{given}");
        }
    }

    #[test]
    fn what_cannot_be_on_the_wire_has_no_base() {
        for message in [
            Message { authority: "", ..MESSAGE },
            Message { authority: "two example", ..MESSAGE },
            Message { path: "/\n\"@query\": ?", ..MESSAGE },
            Message { path: "/ä", ..MESSAGE },
            Message { query: Some("a\rb"), ..MESSAGE },
        ] {
            assert_eq!(message.base("D", "P"), None, "{message:?}");
        }
    }
}
