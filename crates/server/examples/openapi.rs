//! Prints the API's OpenAPI document, for `cargo xtask gen`.

#[expect(clippy::print_stdout, reason = "what it is for")]
fn main() -> Result<(), serde_json::Error> {
    println!("{}", server::openapi().to_pretty_json()?);
    Ok(())
}
