//! What a screen draws, against the terminal of the browser and against itself.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails")]

mod cases;
mod properties;
mod recorded;
mod sequences;
mod streams;
mod text;
mod xterm;
