//! Terminal engines beside ours: how fast each reads, and what a screen of each takes.
//! `cargo xtask bench --only screen` prints the table that docs/BENCHMARKS.md has.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on stops")]

#[path = "../../tests/it/cases.rs"]
mod cases;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::term::test::TermSize;
use alacritty_terminal::term::{Config, Term};
use alacritty_terminal::vte::ansi::Processor;

/// Counts what is allocated.
struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system's allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

trait Engine {
    fn feed(&mut self, bytes: &[u8]);

    /// The text of its rows, and where the cursor is.
    fn shown(&self) -> String;
}

struct Ours(screen::Screen);
struct Alacritty(Term<VoidListener>, Processor);
struct Rio(rio_vt::crosswords::Crosswords<rio_vt::event::VoidListener>, rio_vt::performer::handler::Processor);
struct Vt100(vt100::Parser);
/// It takes text, so that somebody has to cut it at characters.
struct Avt(avt::Terminal, Vec<u8>);

impl Engine for Ours {
    fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.0.snapshot()).into_owned()
    }
}

impl Engine for Alacritty {
    fn feed(&mut self, bytes: &[u8]) {
        self.1.advance(&mut self.0, bytes);
    }

    fn shown(&self) -> String {
        let grid = self.0.grid();
        let text = grid.display_iter().map(|cell| cell.c).collect::<String>();
        let point = grid.cursor.point;
        format!("{text} {} {}", point.line.0, point.column.0)
    }
}

impl Engine for Rio {
    fn feed(&mut self, bytes: &[u8]) {
        self.1.advance(&mut self.0, bytes);
    }

    fn shown(&self) -> String {
        let rows = self.0.visible_rows();
        let columns = self.0.columns();
        let cell =
            |row: usize, column| rows[row][rio_vt::crosswords::pos::Column(column)].c().to_string().replace('\0', " ");
        let text = (0..rows.len()).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let text = text.map(|(row, column)| cell(row, column)).collect::<String>();
        let pos = self.0.cursor().pos;
        format!("{text} {} {}", pos.row.0, pos.col.0)
    }
}

impl Engine for Vt100 {
    fn feed(&mut self, bytes: &[u8]) {
        self.0.process(bytes);
    }

    fn shown(&self) -> String {
        let (row, column) = self.0.screen().cursor_position();
        format!("{} {row} {column}", self.0.screen().contents())
    }
}

impl Engine for Avt {
    fn feed(&mut self, bytes: &[u8]) {
        self.1.extend_from_slice(bytes);
        let valid = std::str::from_utf8(&self.1).map_or_else(|error| error.valid_up_to(), str::len);
        self.0.feed(std::str::from_utf8(&self.1[..valid]).unwrap());
        self.1.drain(..valid);
    }

    fn shown(&self) -> String {
        let text = self.0.screen().visible_lines().map(|line| format!("{:200}", line.text())).collect::<String>();
        let cursor = self.0.cursor();
        format!("{text} {} {}", cursor.row, cursor.col.min(39))
    }
}

const ENGINES: [&str; 5] = ["ours", "rio-vt 0.5.29", "alacritty_terminal 0.26", "avt 0.19", "vt100 0.18"];

fn make(name: &str, rows: u16, columns: u16) -> Box<dyn Engine> {
    match name {
        "ours" => Box::new(Ours(screen::Screen::new(rows, columns))),
        "rio-vt 0.5.29" => {
            let size = rio_vt::crosswords::CrosswordsSize::new(columns.into(), rows.into());
            let (shape, window) = (rio_vt::ansi::CursorShape::Block, rio_vt::event::WindowId::from(0));
            let term = rio_vt::crosswords::Crosswords::new(size, shape, rio_vt::event::VoidListener, window, 0, 0);
            Box::new(Rio(term, rio_vt::performer::handler::Processor::default()))
        }
        "alacritty_terminal 0.26" => {
            let config = Config { scrolling_history: 0, ..Config::default() };
            let term = Term::new(config, &TermSize::new(columns.into(), rows.into()), VoidListener);
            Box::new(Alacritty(term, Processor::new()))
        }
        "avt 0.19" => Box::new(Avt(avt::Terminal::new(columns.into(), rows.into()).unwrap(), Vec::new())),
        _ => {
            let (rows, columns) = (NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap());
            Box::new(Vt100(vt100::Parser::new(rows, columns, 0)))
        }
    }
}

/// 8 MB each: lines of ASCII; full screens of colours and cursor movements as vim and htop draw them; text of other scripts.
fn streams() -> [Vec<u8>; 3] {
    const SIZE: usize = 8 << 20;
    let (mut plain, mut drawn, mut scripts) = (String::new(), String::new(), String::new());
    let mut number = 0;
    while plain.len() < SIZE {
        number += 1;
        plain.push_str(&format!("{number:>8} -rw-r--r-- 1 root root 40960 Nov 21 23:34 some_file_{number}.rs\r\n"));
    }
    while drawn.len() < SIZE {
        for row in 1..=48 {
            drawn.push_str(&format!("\x1b[{row};1H\x1b[38;5;{}m{row:>4} \x1b[0;1m", row * 5));
            for column in 0..12 {
                drawn.push_str(&format!(
                    "\x1b[{}m{:<6}\x1b[48;2;{row};{column};9m \x1b[49m",
                    31 + column % 7,
                    number + column
                ));
            }
            drawn.push_str("\x1b[K");
        }
        drawn.push_str("\x1b[10;40r\x1b[10;1H\x1bM\x1b[2L\x1b[M\x1b[r\x1b[?25l\x1b[?25h");
    }
    while scripts.len() < SIZE {
        scripts
            .push_str("世界こんにちは 한글 émigré naïve ─┼│ 🙂🚀 Ελληνικά русский текст e\u{301} mixed with ASCII\r\n");
    }
    [plain.into_bytes(), drawn.into_bytes(), scripts.into_bytes()]
}

/// MB of a stream per second, the best of five.
fn throughput(name: &str, stream: &[u8]) -> f64 {
    let run = || {
        let mut engine = make(name, 50, 160);
        let start = Instant::now();
        stream.chunks(4096).for_each(|chunk| engine.feed(chunk));
        black_box(engine);
        stream.len() as f64 / 1e6 / start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| run()).fold(0.0, f64::max)
}

/// Bytes on the heap of a screen with this in it.
fn memory(name: &str, rows: u16, columns: u16, shown: &[u8]) -> usize {
    let before = BYTES.load(Ordering::Relaxed);
    let mut engine = make(name, rows, columns);
    engine.feed(shown);
    let taken = BYTES.load(Ordering::Relaxed) - before;
    black_box(engine);
    taken
}

/// What an engine shows otherwise than xterm.js does, as which ours draws every case: it shows one thing when it reads the case,
/// and another when it reads what draws the outcome.
fn differs(name: &str) -> Vec<&'static str> {
    let mut differing = Vec::new();
    for (about, pieces) in cases::CASES {
        let mut reads = make(name, 10, 40);
        let mut ours = screen::Screen::new(10, 40);
        let same = pieces.iter().all(|piece| {
            reads.feed(piece.as_bytes());
            ours.feed(piece.as_bytes());
            let mut drawn = make(name, 10, 40);
            // Not all of them know the mode that leaves the cursor alone, which does not matter here.
            let snapshot = String::from_utf8_lossy(&ours.snapshot()).replace("?1047", "?1049");
            drawn.feed(snapshot.as_bytes());
            reads.shown() == drawn.shown()
        });
        if !same {
            differing.push(*about);
        }
    }
    differing
}

fn main() {
    let prompt = b"Last login: today\r\nroot@machine:~/project# ls\r\nCargo.toml  crates  docs  README.md\r\nroot@machine:~/project# ";
    let full = |columns: usize, rows: usize| vec![b'x'; columns * rows - 1];
    println!(
        "| engine | lines of ASCII | drawn screens | other scripts | 80x24, a prompt | 80x24, full | 200x50, full |"
    );
    println!("|---|---|---|---|---|---|---|");
    let streams = streams();
    for name in ENGINES {
        let [plain, drawn, scripts] = streams.each_ref().map(|stream| throughput(name, stream));
        let sizes =
            [memory(name, 24, 80, prompt), memory(name, 24, 80, &full(80, 24)), memory(name, 50, 200, &full(200, 50))];
        let [idle, small, large] = sizes.map(|bytes| format!("{:.1} KiB", bytes as f64 / 1024.0));
        println!("| {name} | {plain:.0} MB/s | {drawn:.0} MB/s | {scripts:.0} MB/s | {idle} | {small} | {large} |");
    }
    println!();
    for name in &ENGINES[1..] {
        let differing = differs(name);
        println!("{name}: {} of {} otherwise: {}", differing.len(), cases::CASES.len(), differing.join(", "));
    }
}
