use testkit::{Browser, ColorScheme, PATIENCE};

const FORM: &str = "data:text/html,<title>Form</title>
    <style>body { color: rgb(1, 1, 1) } @media (prefers-color-scheme: dark) { body { color: rgb(9, 9, 9) } }</style>
    <h1>Hello</h1>
    <form><input name=who value=nobody> <select><option value=a>Apple<option value=b>Pear</select>
    <button type=button hidden>Greet</button><button type=button aria-label=Greet>G</button></form>
    <p></p>
    <script>
        const [field, told] = [document.querySelector('input'), document.querySelector('p')];
        let trusted = false;
        field.addEventListener('input', (event) => (trusted = event.isTrusted));
        document.querySelector('button:not([hidden])').onclick = () => setTimeout(() => {
            told.textContent = `${field.value} ${trusted} ${document.querySelector('select').value}`;
        }, 100);
        document.onkeydown = (event) => { if (event.key === 'k' %26%26 event.ctrlKey) told.textContent = 'palette'; };
    </script>";

#[tokio::test]
async fn a_page_is_filled_clicked_and_looked_at() {
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.goto(FORM).await;
    assert_eq!(page.text("h1").await, "Hello");
    page.fill("input[name=who]", "Ada").await;
    page.choose("select", "Pear").await;
    page.click_text("button", "Greet").await;
    page.wait_for("document.querySelector('p').textContent === 'Ada true b'", PATIENCE).await;
    page.fill("input[name=who]", "").await;
    assert_eq!(page.eval("field.value").await, "");
    page.press("Control+k").await;
    page.wait_for_text("palette", PATIENCE).await;
    assert_eq!(page.count("button").await, 2);

    let color = "getComputedStyle(document.body).color";
    assert_eq!(page.eval(color).await, "rgb(1, 1, 1)");
    page.color_scheme(ColorScheme::Dark).await;
    assert_eq!(page.eval(color).await, "rgb(9, 9, 9)");
    page.resize(390, 844).await;
    assert_eq!(page.eval("[innerWidth, innerHeight]").await, serde_json::json!([390, 844]));
    let directory = tempfile::tempdir().unwrap();
    let picture = page.screenshot(directory.path().join("form")).await;
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));

    assert_eq!(page.errors(), [""; 0]);
    page.eval("setTimeout(() => { console.error('oh', 1); nothing.there; })").await;
    page.wait_for("true", PATIENCE).await;
    testkit::wait_until("both errors are seen", PATIENCE, async || page.errors().len() == 2).await;
    assert_eq!(page.errors()[0], "oh 1");
    assert!(page.errors()[1].contains("nothing is not defined"), "{:?}", page.errors());

    let other = browser.page().await;
    other.goto("data:text/html,<p>Other").await;
    assert_eq!((other.text("p").await, page.text("h1").await), ("Other".into(), "Hello".into()));
}
