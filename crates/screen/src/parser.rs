//! Characters into controls, after <https://vt100.net/emu/dec_ansi_parser>, with the transitions of xterm.js.

/// What becomes of a character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// Nothing to do, or not yet.
    None,
    Print,
    Execute,
    /// With [`Parser::collected`].
    Escape,
    /// With [`Parser::collected`] and [`Parser::params`].
    Csi,
    /// With [`Parser::payload`].
    Osc,
    /// A sequence is over that means nothing here.
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum State {
    #[default]
    Ground,
    Escape,
    EscapeIntermediate,
    CsiEntry,
    CsiParam,
    CsiIntermediate,
    CsiIgnore,
    /// Also SOS, PM and APC, which differ in what ends them.
    Ignored,
    Osc,
    DcsEntry,
    DcsParam,
    DcsIntermediate,
    DcsIgnore,
    DcsPassthrough,
}

/// More than this of a title or a link is none.
const PAYLOAD_MAX: usize = 64 * 1024;
/// Prefixes and intermediates of a sequence that anybody knows are two at most.
const COLLECTED_MAX: usize = 3;

#[derive(Default, Debug)]
pub(crate) struct Parser {
    state: State,
    /// Prefix and intermediates.
    collected: [u8; COLLECTED_MAX],
    collected_len: u8,
    params: Params,
    payload: String,
    /// There are more intermediates, or there is more payload, than anybody knows what to do with.
    overlong: bool,
    payload_overlong: bool,
    /// What has been read of a sequence that is not complete, without the controls in it that were executed.
    pending: String,
}

impl Parser {
    pub(crate) fn is_ground(&self) -> bool {
        self.state == State::Ground
    }

    pub(crate) fn params(&self) -> &Params {
        &self.params
    }

    /// Prefix and intermediates; what nobody knows where there are too many.
    pub(crate) fn collected(&self) -> &[u8] {
        if self.overlong { b"\xff" } else { &self.collected[..usize::from(self.collected_len)] }
    }

    pub(crate) fn payload(&self) -> &str {
        if self.payload_overlong { "" } else { &self.payload }
    }

    /// What a terminal has to read to be in the middle of the same sequence.
    pub(crate) fn pending(&self) -> &str {
        &self.pending
    }

    pub(crate) fn advance(&mut self, c: char) -> Event {
        let before = self.state;
        let event = self.step(c);
        match self.state {
            State::Ground => self.pending.clear(),
            _ if event == Event::Execute => {}
            _ if before == State::Ground
                || matches!(c, '\x1b' | '\u{90}' | '\u{98}' | '\u{9b}' | '\u{9d}'..='\u{9f}') =>
            {
                self.pending.clear();
                self.pending.push(c);
            }
            // Nothing of these matters but that they go on.
            State::DcsIgnore | State::DcsPassthrough | State::Ignored | State::CsiIgnore if before == self.state => {}
            _ if self.pending.len() < PAYLOAD_MAX + 16 => self.pending.push(c),
            // The rest of a title that is none is swallowed as that of something unknown.
            State::Osc => self.pending.replace_range(.., "\x1b]9999;"),
            _ => self.overlong = true,
        }
        event
    }

    fn step(&mut self, c: char) -> Event {
        match c {
            '\x18' | '\x1a' | '\u{80}'..='\u{8f}' | '\u{91}'..='\u{97}' | '\u{99}' | '\u{9a}' => return self.cancel(c),
            '\x1b' => return self.restart(State::Escape),
            '\u{9b}' => return self.restart(State::CsiEntry),
            '\u{90}' => return self.restart(State::DcsEntry),
            '\u{98}' | '\u{9e}' | '\u{9f}' => return self.enter(State::Ignored),
            '\u{9d}' => return self.start_osc(),
            '\u{9c}' => return self.finish(),
            _ => {}
        }
        match self.state {
            State::Ground => ground(c),
            State::Escape | State::EscapeIntermediate => self.escape(c),
            State::CsiEntry | State::CsiParam | State::CsiIntermediate | State::CsiIgnore => self.csi(c),
            State::Osc => self.osc(c),
            State::Ignored if c >= '\u{a0}' => self.enter(State::Ground),
            State::Ignored | State::DcsIgnore | State::DcsPassthrough => Event::None,
            State::DcsEntry | State::DcsParam | State::DcsIntermediate => self.dcs(c),
        }
    }

    fn enter(&mut self, state: State) -> Event {
        self.state = state;
        Event::None
    }

    /// Begins a sequence, and ends what there is, of which a title counts if the sequence may be its terminator.
    fn restart(&mut self, state: State) -> Event {
        let event = match self.state {
            State::Osc if state == State::Escape => Event::Osc,
            State::DcsPassthrough if state == State::Escape => Event::Ended,
            _ => Event::None,
        };
        self.params.clear();
        self.collected_len = 0;
        self.overlong = false;
        self.state = state;
        event
    }

    fn start_osc(&mut self) -> Event {
        self.payload.clear();
        self.payload_overlong = false;
        self.enter(State::Osc)
    }

    fn cancel(&mut self, c: char) -> Event {
        let ends = matches!(self.state, State::Osc | State::DcsPassthrough) && matches!(c, '\x18' | '\x1a');
        self.state = State::Ground;
        if ends { Event::Ended } else { Event::Execute }
    }

    fn finish(&mut self) -> Event {
        let event = match self.state {
            State::Osc => Event::Osc,
            State::DcsPassthrough => Event::Ended,
            _ => Event::None,
        };
        self.state = State::Ground;
        event
    }

    fn collect(&mut self, c: char, state: State) -> Event {
        if usize::from(self.collected_len) < COLLECTED_MAX {
            self.collected[usize::from(self.collected_len)] = c as u8;
            self.collected_len += 1;
        } else {
            self.overlong = true;
        }
        self.enter(state)
    }

    fn dispatch(&mut self, event: Event) -> Event {
        self.state = State::Ground;
        event
    }

    fn escape(&mut self, c: char) -> Event {
        match (self.state, c) {
            (_, '\0'..='\x1f') => Event::Execute,
            (_, '\x7f') => Event::None,
            (_, ' '..='/') => self.collect(c, State::EscapeIntermediate),
            (State::Escape, '[') => self.restart(State::CsiEntry),
            (State::Escape, ']') => self.start_osc(),
            (State::Escape, 'P') => self.restart(State::DcsEntry),
            (State::Escape, 'X' | '^' | '_') => self.enter(State::Ignored),
            (_, '0'..='~') => self.dispatch(Event::Escape),
            _ => self.enter(State::Ground),
        }
    }

    fn csi(&mut self, c: char) -> Event {
        match (self.state, c) {
            (_, '\0'..='\x1f') => Event::Execute,
            (_, '\x7f') => Event::None,
            (State::CsiIgnore, '@'..='~') => self.enter(State::Ground),
            (State::CsiIgnore, _) => Event::None,
            (_, '@'..='~') => self.dispatch(Event::Csi),
            (State::CsiEntry | State::CsiParam, '0'..=';') => {
                self.params.push(c);
                self.enter(State::CsiParam)
            }
            (State::CsiEntry, '<'..='?') => self.collect(c, State::CsiParam),
            (_, ' '..='/') => self.collect(c, State::CsiIntermediate),
            (_, '0'..='?') => self.enter(State::CsiIgnore),
            _ => self.enter(State::Ground),
        }
    }

    fn osc(&mut self, c: char) -> Event {
        match c {
            '\x07' => return self.dispatch(Event::Osc),
            '\0'..='\x1f' => {}
            _ if self.payload.len() < PAYLOAD_MAX => self.payload.push(c),
            _ => self.payload_overlong = true,
        }
        Event::None
    }

    fn dcs(&mut self, c: char) -> Event {
        match (self.state, c) {
            (_, '\0'..='\x1f' | '\x7f') => Event::None,
            (_, ' '..='/') => self.enter(State::DcsIntermediate),
            (State::DcsEntry | State::DcsParam, '0'..=';') | (State::DcsEntry, '<'..='?') => {
                self.enter(State::DcsParam)
            }
            (_, '0'..='?') => self.enter(State::DcsIgnore),
            (_, '@'..='~') => self.enter(State::DcsPassthrough),
            _ => self.enter(State::Ground),
        }
    }
}

fn ground(c: char) -> Event {
    match c {
        '\0'..='\x1f' => Event::Execute,
        '\x7f' => Event::None,
        _ => Event::Print,
    }
}

const PARAMS_MAX: usize = 32;

/// The numbers of a sequence: what is empty is 0, and -1 behind a colon.
#[derive(Debug)]
pub(crate) struct Params {
    values: [i32; PARAMS_MAX],
    len: usize,
    subs: [i32; PARAMS_MAX],
    subs_len: usize,
    /// Where those of each value begin, and end.
    spans: [(u8, u8); PARAMS_MAX],
    full: bool,
    subs_full: bool,
    in_sub: bool,
}

impl Default for Params {
    fn default() -> Self {
        let empty = [0; PARAMS_MAX];
        let spans = [(0, 0); PARAMS_MAX];
        Self { values: empty, len: 1, subs: empty, subs_len: 0, spans, full: false, subs_full: false, in_sub: false }
    }
}

impl Params {
    fn clear(&mut self) {
        self.values[0] = 0;
        self.spans[0] = (0, 0);
        self.len = 1;
        self.subs_len = 0;
        (self.full, self.subs_full, self.in_sub) = (false, false, false);
    }

    fn push(&mut self, c: char) {
        match c {
            ';' => {
                self.in_sub = false;
                if self.len == PARAMS_MAX {
                    self.full = true;
                    return;
                }
                self.values[self.len] = 0;
                self.spans[self.len] = (self.subs_len as u8, self.subs_len as u8);
                self.len += 1;
            }
            ':' => {
                self.in_sub = true;
                if self.full || self.subs_len == PARAMS_MAX {
                    self.subs_full = true;
                    return;
                }
                self.subs[self.subs_len] = -1;
                self.subs_len += 1;
                self.spans[self.len - 1].1 += 1;
            }
            _ => self.push_digit(c as i32 - '0' as i32),
        }
    }

    fn push_digit(&mut self, digit: i32) {
        if self.full || self.in_sub && (self.subs_full || self.subs_len == 0) {
            return;
        }
        let value = if self.in_sub { &mut self.subs[self.subs_len - 1] } else { &mut self.values[self.len - 1] };
        *value = if *value == -1 { digit } else { value.saturating_mul(10).saturating_add(digit) };
    }

    pub(crate) fn values(&self) -> &[i32] {
        &self.values[..self.len]
    }

    pub(crate) fn subs(&self, index: usize) -> &[i32] {
        let (from, to) = self.spans[index];
        &self.subs[usize::from(from)..usize::from(to)]
    }

    pub(crate) fn first(&self) -> usize {
        self.nth(0)
    }

    /// 0 where there is none.
    pub(crate) fn nth(&self, index: usize) -> usize {
        self.values().get(index).map_or(0, |value| usize::try_from(*value).unwrap_or(0))
    }

    /// As a count or a place, of which 0 means 1.
    pub(crate) fn count(&self, index: usize) -> usize {
        self.nth(index).max(1)
    }
}
