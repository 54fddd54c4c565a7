//! What a person does with what is in a page.

use std::time::Duration;

use serde_json::{Value, json};

use super::Page;
use super::keys::Key;

/// How long an element may take to appear and to hold still.
const APPEARS: Duration = Duration::from_secs(10);

/// The first visible element that fits. `text` compares what it says or is labelled, as a whole.
const FIND: &str = "(css, text) => [...document.querySelectorAll(css)].find((element) => {
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height || getComputedStyle(element).visibility !== 'visible') return false;
    const says = [element.innerText, element.getAttribute('aria-label')].map((said) => said?.trim());
    return text === null || says.includes(text);
})";

/// Its centre, if a click there would reach it.
const CENTRE: &str = "(element) => {
    if (!element || element.disabled) return null;
    element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    const box = element.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const hit = document.elementFromPoint(x, y);
    return hit && (element.contains(hit) || hit.control === element) ? [x, y] : null;
}";

/// Lets what the mouse does next through to the element, and to nothing else: what has moved in between is missed,
/// which [`RELEASE`] tells.
const GUARD: &str = "(element) => {
    const kinds = ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click'];
    const guard = (event) => {
        guard.missed ??= !element.contains(event.target) && event.target.control !== element;
        if (!guard.missed) return;
        event.preventDefault();
        event.stopImmediatePropagation();
    };
    guard.end = () => kinds.forEach((kind) => removeEventListener(kind, guard, true));
    kinds.forEach((kind) => addEventListener(kind, guard, true));
    window.clickGuard = guard;
    return true;
}";

/// Whether it missed. A page that was left by the click knows nothing of it.
const RELEASE: &str = "(() => {
    const guard = window.clickGuard;
    guard?.end();
    delete window.clickGuard;
    return guard?.missed === true;
})()";

/// Takes the focus with everything selected that it contains.
const FOCUS: &str = "(element) => {
    if (!element || element.disabled || element.readOnly) return null;
    element.scrollIntoView({ block: 'center', behavior: 'instant' });
    element.focus();
    element.select?.();
    return document.activeElement === element || null;
}";

/// Sets a `<select>` the way a person's choice does: through its own setter and with its events.
const CHOOSE: &str = "(element, value) => {
    if (!element || element.disabled) return null;
    const option = [...element.options].find((option) => option.value === value || option.text === value);
    if (!option) return null;
    Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(element, option.value);
    element.dispatchEvent(new Event('input', { bubbles: true }));
    element.dispatchEvent(new Event('change', { bubbles: true }));
    return true;
}";

fn on(action: &str, css: &str, text: Option<&str>, argument: &Value) -> String {
    format!("({action})(({FIND})({}, {}), {argument})", json!(css), json!(text))
}

fn say(css: &str, text: Option<&str>) -> String {
    text.map_or_else(|| css.to_owned(), |text| format!("{css} that says {text:?}"))
}

impl Page {
    /// Clicks the first visible element that `css` selects, once it is there and nothing covers it.
    pub async fn click(&self, css: &str) {
        self.click_where(css, None).await;
    }

    /// Clicks the element that `css` selects and that says, or is labelled, exactly `text`.
    pub async fn click_text(&self, css: &str, text: &str) {
        self.click_where(css, Some(text)).await;
    }

    async fn click_where(&self, css: &str, text: Option<&str>) {
        let js = on(CENTRE, css, text, &Value::Null);
        let what = format!("{} can be clicked", say(css, text));
        let deadline = tokio::time::Instant::now() + APPEARS;
        while !self.clicks_once(&js, &what, css, text).await {
            if tokio::time::Instant::now() > deadline {
                self.fail(&format!("{what}, were it to hold still")).await;
            }
        }
    }

    /// False if it moved.
    async fn clicks_once(&self, js: &str, what: &str, css: &str, text: Option<&str>) -> bool {
        let place = self.wait_value(js, what, APPEARS).await;
        if place != self.wait_value(js, what, APPEARS).await
            || self.try_eval(&on(GUARD, css, text, &Value::Null)).await != Ok(Value::Bool(true))
        {
            return false;
        }
        self.mouse_click(&place).await;
        self.try_eval(RELEASE).await != Ok(Value::Bool(true))
    }

    async fn mouse_click(&self, place: &Value) {
        for (kind, buttons) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": button, "buttons": buttons,
                "clickCount": i32::from(kind != "mouseMoved") });
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Replaces what is in a field, as by typing.
    pub async fn fill(&self, css: &str, text: &str) {
        self.wait_value(&on(FOCUS, css, None, &Value::Null), &format!("{css} can be filled"), APPEARS).await;
        if text.is_empty() {
            self.press("Delete").await;
        } else {
            self.call("Input.insertText", json!({ "text": text })).await;
        }
    }

    /// Signs in on the dashboard of the server at this address, and waits for its first page.
    pub async fn sign_in(&self, server: &str, username: &str, password: &str) {
        self.sign_in_to(server, username, password, "document.querySelector('[data-testid=new-project]')").await;
    }

    /// The same, and waits until something holds of its first page.
    pub async fn sign_in_to(&self, server: &str, username: &str, password: &str, holds: &str) {
        self.goto(&format!("{server}/login")).await;
        self.fill("input[name=username]", username).await;
        self.fill("input[name=password]", password).await;
        self.click("form button[type=submit]").await;
        self.wait_for(holds, APPEARS).await;
    }

    /// Types into the field with this label, instead of what is there.
    pub async fn fill_field(&self, label: &str, text: &str) {
        let mark = format!(
            "(() => {{ const found = [...document.querySelectorAll('label')].find((it) => it.innerText.trim() === {}); \
             if (!found?.control) return false; found.control.setAttribute('data-filling', ''); return true; }})()",
            json!(label)
        );
        self.wait_for(&mark, APPEARS).await;
        self.fill("[data-filling]", text).await;
        self.eval("document.querySelector('[data-filling]')?.removeAttribute('data-filling')").await;
    }

    /// Chooses an option of a `<select>` by its value or text.
    pub async fn choose(&self, css: &str, option: &str) {
        let js = on(CHOOSE, css, None, &json!(option));
        self.wait_value(&js, &format!("{css} has the choice {option}"), APPEARS).await;
    }

    /// Types into what has the focus, key by key.
    pub async fn type_text(&self, text: &str) {
        for key in text.chars() {
            self.press(&key.to_string()).await;
        }
    }

    /// Presses a key, like `Enter`, `Escape`, `a` or `Control+k`.
    pub async fn press(&self, key: &str) {
        let key = Key::parse(key);
        for event in [key.down(), key.up()] {
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// What the first visible element that `css` selects says, once it is there.
    pub async fn text(&self, css: &str) -> String {
        let js = on("(element) => element ? element.innerText : null", css, None, &Value::Null);
        let text = self.wait_value(&js, &format!("{css} is there"), APPEARS).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says `text` somewhere.
    pub async fn wait_for_text(&self, text: &str, within: Duration) {
        self.wait_for(&format!("document.body.innerText.includes({})", json!(text)), within).await;
    }

    /// How many elements `css` selects now, visible or not.
    pub async fn count(&self, css: &str) -> u64 {
        self.eval(&format!("document.querySelectorAll({}).length", json!(css))).await.as_u64().unwrap_or_default()
    }
}
