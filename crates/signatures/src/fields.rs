//! The three headers, as structured fields (RFC 9651).

use http::{HeaderMap, HeaderName};
use sfv::{
    BareItem, DictSerializer, Dictionary, FieldType, InnerList, KeyRef, ListEntry, ListSerializer, Parser, RefBareItem,
    StringRef, key_ref,
};
use sha2::{Digest, Sha256};

use crate::Refusal;

pub(crate) const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("signature");
/// RFC 9530.
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// What the only signature is called.
pub(crate) const LABEL: &KeyRef = key_ref("sig1");
/// What the only digest is called.
pub(crate) const SHA_256: &KeyRef = key_ref("sha-256");

/// The only line of a header.
pub(crate) fn line<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Refusal> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().ok_or(Refusal::Missing)?;
    if lines.next().is_some() {
        return Err(Refusal::Malformed("send each of Signature-Input, Signature and Content-Digest once"));
    }
    line.to_str().map_err(|_| Refusal::Malformed("send headers of visible ASCII"))
}

/// The only member of a dictionary, which has a given key and is serialised as RFC 9651 has it.
///
/// Other texts may mean the same: spaces, a member or parameter that a later one overrides, spare bits of base64. Where
/// there is one text only, nobody on the way can change any of it, and nobody can read it otherwise than we do.
pub(crate) fn member(text: &str, key: &KeyRef) -> Option<ListEntry> {
    let mut dictionary: Dictionary = Parser::new(text).parse().ok()?;
    if dictionary.len() != 1 || dictionary.serialize().as_deref() != Some(text) {
        return None;
    }
    dictionary.swap_remove(key)
}

/// As [`member`], of a list and its parameters; also the text of it.
pub(crate) fn inner_list<'a>(text: &'a str, key: &KeyRef) -> Option<(InnerList, &'a str)> {
    let ListEntry::InnerList(list) = member(text, key)? else { return None };
    Some((list, text.strip_prefix(key.as_str())?.strip_prefix('=')?))
}

/// As [`member`], of so many bytes and nothing else.
pub(crate) fn bytes<const N: usize>(text: &str, key: &KeyRef) -> Option<[u8; N]> {
    let ListEntry::Item(item) = member(text, key)? else { return None };
    if !item.params.is_empty() {
        return None;
    }
    item.bare_item.as_byte_sequence()?.try_into().ok()
}

/// What [`inner_list`] reads.
pub(crate) fn list_text<'a>(
    names: impl IntoIterator<Item = &'a StringRef>,
    parameters: impl IntoIterator<Item = (&'a KeyRef, RefBareItem<'a>)>,
) -> String {
    let mut list = ListSerializer::new();
    let mut inner = list.inner_list();
    for name in names {
        inner.bare_item(name);
    }
    inner.finish().parameters(parameters);
    list.finish().unwrap_or_default()
}

/// What [`bytes`] reads.
pub(crate) fn bytes_text(key: &KeyRef, bytes: &[u8]) -> String {
    let mut dictionary = DictSerializer::new();
    dictionary.bare_item(key, bytes);
    dictionary.finish().unwrap_or_default()
}

/// A parameter that is a string.
pub(crate) fn string(list: &InnerList, name: &str) -> Option<String> {
    list.params.get(name).and_then(BareItem::as_string).map(|text| text.as_str().to_owned())
}

/// A parameter that is an integer.
pub(crate) fn integer(list: &InnerList, name: &str) -> Option<i64> {
    list.params.get(name).and_then(BareItem::as_integer).map(i64::from)
}

/// Short enough to be remembered.
pub(crate) fn is_keyid(text: &str) -> bool {
    (1..=128).contains(&text.len())
}

/// Short enough to be remembered, and long enough for 128 bits of base64url.
pub(crate) fn is_nonce(text: &str) -> bool {
    (22..=86).contains(&text.len())
}

pub(crate) fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use link::{KeyPair, PublicKey};

    use super::*;
    use crate::message::base;

    /// RFC 9421 appendix B.2.6: a request that covers other components than ours, and has a label of its own.
    #[test]
    fn the_example_of_rfc_9421_is_read_written_signed_and_verified() {
        let input = concat!(
            r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")"#,
            r#";created=1618884473;keyid="test-key-ed25519""#
        );
        let signature = concat!(
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WP",
            "pBKRCw==:"
        );
        let label = key_ref("sig-b26");

        let (list, params) = inner_list(input, label).unwrap();
        let names: Vec<&StringRef> = list.items.iter().map(|item| item.bare_item.as_string().unwrap()).collect();
        let parameters = list.params.iter().map(|(name, value)| (name.as_ref(), value.into()));
        assert_eq!(list_text(names.iter().copied(), parameters), params);
        assert_eq!(integer(&list, "created"), Some(1_618_884_473));
        assert_eq!(string(&list, "keyid").unwrap(), "test-key-ed25519");

        let values = ["Tue, 20 Apr 2021 02:07:55 GMT", "POST", "/foo", "example.com", "application/json", "18"];
        let base = base(names.iter().map(|name| name.as_str()).zip(values), params);
        let expected = concat!(
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n\"@path\": /foo\n",
            "\"@authority\": example.com\n\"content-type\": application/json\n\"content-length\": 18\n",
            "\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" ",
            "\"content-length\");created=1618884473;keyid=\"test-key-ed25519\""
        );
        assert_eq!(base, expected);

        let signature_bytes: [u8; 64] = bytes(signature, label).unwrap();
        let (key, public) = rfc_key();
        assert!(public.has_signed(base.as_bytes(), &signature_bytes));
        assert!(!public.has_signed(base.replace("POST", "PUT").as_bytes(), &signature_bytes));
        assert_eq!(bytes_text(label, &key.sign(base.as_bytes())), signature);
    }

    /// RFC 9421 appendix B.1.4, as PKCS #8 version 2.
    fn rfc_key() -> (KeyPair, PublicKey) {
        let public: PublicKey = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs".parse().unwrap();
        let secret = URL_SAFE_NO_PAD.decode("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU").unwrap();
        let head = [0x30, 0x51, 2, 1, 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let der = [&head[..], &secret, &[0x81, 0x21, 0], public.as_bytes()].concat();
        let key = KeyPair::from_pkcs8(&der).unwrap();
        assert_eq!(key.public(), public);
        (key, public)
    }

    /// With and without the line feed of RFC 9530 appendix B.1, and of nothing.
    #[test]
    fn digests_are_those_of_the_rfcs() {
        for (body, expected) in [
            ("{\"hello\": \"world\"}\n", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
            ("{\"hello\": \"world\"}", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
            ("", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
        ] {
            assert_eq!(bytes_text(SHA_256, &digest(body.as_bytes())), expected);
            assert_eq!(bytes(expected, SHA_256), Some(digest(body.as_bytes())));
        }
    }

    #[test]
    fn only_one_text_is_read() {
        assert_eq!(bytes(r"sig1=:AAA=:", LABEL), Some([0, 0]));
        for text in [
            "",
            "sig1",
            "sig1=AAA=",
            "sig1=(:AAA=:)",
            "sig1=:AAA:",
            "sig1=:AAB=:",
            "sig1=:AAAA:",
            "sig1=:AAA=:;a",
            "sig1=:AAA=: ",
            "sig1=:AAA=:, ",
            "sig1=:AAA=:, sig2=:AAA=:",
            "sig1=:AAAA:, sig1=:AAA=:",
            "sig2=:AAA=:",
        ] {
            assert_eq!(bytes::<2>(text, LABEL), None, "{text}");
        }
        for text in
            ["sig1=( \"a\")", "sig1=(\"a\"  \"b\")", "sig1=(\"a\"); b=1", "sig1=(\"a\");b=1;b=1", "sig1=(\"a\");b=01"]
        {
            assert!(inner_list(text, LABEL).is_none(), "{text}");
        }
        assert!(inner_list("sig1=(\"a\" \"b\");b=1", LABEL).is_some());
    }
}
