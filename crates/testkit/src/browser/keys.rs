use serde_json::{Value, json};

/// A key press in the terms of `Input.dispatchKeyEvent`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    key: String,
    code: String,
    virtual_key: u32,
    /// What it types; nothing with Control, Alt or Meta.
    text: Option<String>,
    modifiers: u32,
}

/// Name, virtual key code and text of the keys that have names.
const NAMED: [(&str, u32, Option<&str>); 13] = [
    ("Backspace", 8, None),
    ("Tab", 9, None),
    ("Enter", 13, Some("\r")),
    ("Escape", 27, None),
    ("PageUp", 33, None),
    ("PageDown", 34, None),
    ("End", 35, None),
    ("Home", 36, None),
    ("ArrowLeft", 37, None),
    ("ArrowUp", 38, None),
    ("ArrowRight", 39, None),
    ("ArrowDown", 40, None),
    ("Delete", 46, None),
];

const MODIFIERS: [(&str, u32); 4] = [("Alt", 1), ("Control", 2), ("Meta", 4), ("Shift", 8)];

// === impl Key ===

impl Key {
    /// `Control+Shift+k` and the like.
    pub(super) fn parse(text: &str) -> Self {
        let (mut modifiers, mut rest) = (0, text);
        while let Some((name, after)) = rest.split_once('+').filter(|(name, _)| !name.is_empty()) {
            let found = MODIFIERS.iter().find(|(known, _)| *known == name);
            modifiers |= found.unwrap_or_else(|| panic!("there is no modifier {name}")).1;
            rest = after;
        }
        let mut key = Self::plain(rest);
        key.modifiers = modifiers;
        if modifiers & !8 != 0 {
            key.text = None;
        }
        key
    }

    fn plain(name: &str) -> Self {
        if let Some(&(name, virtual_key, text)) = NAMED.iter().find(|(known, ..)| *known == name) {
            let text = text.map(str::to_owned);
            return Self { key: name.into(), code: name.into(), virtual_key, text, modifiers: 0 };
        }
        let mut characters = name.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else { panic!("there is no key {name}") };
        let upper = character.to_ascii_uppercase();
        let (code, virtual_key) = match upper {
            'A'..='Z' => (format!("Key{upper}"), upper.into()),
            '0'..='9' => (format!("Digit{upper}"), upper.into()),
            ' ' => ("Space".into(), 32),
            '/' => ("Slash".into(), 191),
            _ => (String::new(), 0),
        };
        Self { key: name.into(), code, virtual_key, text: Some(name.into()), modifiers: 0 }
    }

    pub(super) fn down(&self) -> Value {
        let mut event = self.event(if self.text.is_some() { "keyDown" } else { "rawKeyDown" });
        if let Some(text) = &self.text {
            event["text"] = json!(text);
        }
        event
    }

    pub(super) fn up(&self) -> Value {
        self.event("keyUp")
    }

    fn event(&self, kind: &str) -> Value {
        json!({ "type": kind, "key": self.key, "code": self.code, "windowsVirtualKeyCode": self.virtual_key,
            "modifiers": self.modifiers })
    }
}
