//! Keys and lifetimes of tokens that others verify.

use std::time::Duration;

use server::{SigningKey, TokenConfig};

use super::settings::Values;

const PRIVATE: &str = "tokens.private_key";
const PUBLIC: &str = "tokens.public_key";
const ID: &str = "tokens.key_id";
/// Characters of a key's id.
const ID_MAX: usize = 128;

pub(super) fn read(values: &mut Values) -> TokenConfig {
    TokenConfig {
        key: key(values),
        terminal: Duration::from_millis(values.number("tokens.terminal_expiry_ms")),
        callback: Duration::from_millis(values.number("tokens.callback_expiry_ms")),
    }
}

/// A pair that is given; its private half is enough.
fn key(values: &mut Values) -> Option<SigningKey> {
    let (private, public, id) = (values.lines(PRIVATE), values.lines(PUBLIC), values.text(ID));
    if id.as_ref().is_some_and(|id| id.chars().count() > ID_MAX) {
        values.mistake(&named(ID), format!("has more than {ID_MAX} characters"));
    }
    let Some(private) = private else {
        for path in [public.map(|_| PUBLIC), id.map(|_| ID)].into_iter().flatten() {
            values.mistake(&named(path), format!("is of no use without {}", named(PRIVATE)));
        }
        return None;
    };
    let key = SigningKey::read(private.reveal(), id.as_deref());
    let key = key.map_err(|why| values.mistake(&named(PRIVATE), why)).ok()?;
    if let Some(Err(why)) = public.map(|public| key.check_public(public.reveal())) {
        values.mistake(&named(PUBLIC), why);
    }
    Some(key)
}

/// A setting with its usual variable.
fn named(path: &str) -> String {
    let variable = path.trim_start_matches("tokens.").to_ascii_uppercase();
    format!("{path} (JWT_{variable})")
}
