//! Which machine serves a completion: the one from which the whole answer is expected soonest.

use ids::MeshNodeId;

/// What a machine is expected to read of a prompt a second until it was measured, and to write of an answer.
const READ_SPEED: f64 = 200.0;
const WRITE_SPEED: f64 = 20.0;
/// How long a model takes into memory until that was measured.
const LOAD_SECONDS: f64 = 15.0;
/// Whose answer's length is not known is expected to write so much.
const USUAL_ANSWER: u64 = 256;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Of the prompt, as estimated.
    pub prompt_tokens: u64,
    /// It has no fewer than these. Whether it really fits, the engine says.
    pub prompt_tokens_min: u64,
    /// At most, of the answer, where that was said.
    pub answer_tokens: Option<u64>,
}

/// A machine that has the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub node_id: MeshNodeId,
    pub loaded: bool,
    /// Tokens that fit into a request with its answer.
    pub context: u64,
    pub slots: u32,
    pub busy: u32,
    /// Tokens a second, as measured.
    pub read_speed: Option<f64>,
    pub write_speed: Option<f64>,
    /// Of the prompt, those that it is expected to remember.
    pub cached_tokens: u64,
    pub paused: bool,
    /// So much waits for it that one more would wait for ever.
    pub full: bool,
    /// It failed lately.
    pub ejected: bool,
    /// It failed at this very completion.
    pub tried: bool,
}

impl Candidate {
    /// It remembers a share of the prompt, from 0 to 1.
    pub fn remembers(&mut self, share: f64, prompt_tokens: u64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a forecast"
        )]
        let cached_tokens = (share.clamp(0.0, 1.0) * prompt_tokens as f64) as u64;
        self.cached_tokens = cached_tokens;
    }
}

impl AsRef<Self> for Candidate {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Why a machine is out of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    Paused,
    Tried,
    ContextTooSmall,
    Full,
    Ejected,
}

impl Unfit {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Tried => "tried",
            Self::ContextTooSmall => "context_too_small",
            Self::Full => "full",
            Self::Ejected => "ejected",
        }
    }
}

/// What is expected of a machine, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    pub queue: f64,
    pub load: f64,
    pub prompt: f64,
    pub answer: f64,
}

impl Forecast {
    pub fn total(self) -> f64 {
        self.queue + self.load + self.prompt + self.answer
    }
}

/// One machine as it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    pub forecast: Forecast,
    pub unfit: Option<Unfit>,
}

/// The index of the best candidate, if any is fit, and how each was looked at. Where most machines failed lately that says more
/// about the requests than about them, and none of them is out for it.
pub fn choose(wish: Wish, candidates: &[impl AsRef<Candidate>]) -> (Option<usize>, Vec<Look>) {
    let each = || candidates.iter().map(AsRef::as_ref);
    let fit = each().filter(|candidate| unfit(wish, candidate, true).is_none()).collect::<Vec<_>>();
    let panic = fit.iter().filter(|candidate| candidate.ejected).count() * 2 > fit.len();
    let looks = each()
        .map(|candidate| Look { forecast: forecast(wish, candidate), unfit: unfit(wish, candidate, panic) })
        .collect::<Vec<_>>();
    let fit = looks.iter().enumerate().filter(|(_, look)| look.unfit.is_none());
    let best = fit.min_by(|(a, left), (b, right)| {
        let by_time = left.forecast.total().total_cmp(&right.forecast.total());
        by_time.then_with(|| candidates[*a].as_ref().busy.cmp(&candidates[*b].as_ref().busy))
    });
    (best.map(|(index, _)| index), looks)
}

fn unfit(wish: Wish, candidate: &Candidate, panic: bool) -> Option<Unfit> {
    [
        (candidate.paused, Unfit::Paused),
        (candidate.tried, Unfit::Tried),
        (wish.prompt_tokens_min >= candidate.context, Unfit::ContextTooSmall),
        (candidate.full, Unfit::Full),
        (candidate.ejected && !panic, Unfit::Ejected),
    ]
    .into_iter()
    .find_map(|(is_so, unfit)| is_so.then_some(unfit))
}

fn forecast(wish: Wish, candidate: &Candidate) -> Forecast {
    let seconds = |tokens: u64, speed: Option<f64>, usual: f64| {
        #[expect(clippy::cast_precision_loss, reason = "a forecast")]
        let tokens = tokens as f64;
        tokens / speed.filter(|speed| *speed > 0.0).unwrap_or(usual)
    };
    let prompt = seconds(wish.prompt_tokens.saturating_sub(candidate.cached_tokens), candidate.read_speed, READ_SPEED);
    let answer =
        seconds(wish.answer_tokens.unwrap_or(USUAL_ANSWER).min(USUAL_ANSWER), candidate.write_speed, WRITE_SPEED);
    // Others at work share the machine with it, or are before it.
    let queue = f64::from(candidate.busy) / f64::from(candidate.slots.max(1)) * (prompt + answer);
    Forecast { queue, load: if candidate.loaded { 0.0 } else { LOAD_SECONDS }, prompt, answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { prompt_tokens: 1000, prompt_tokens_min: 500, answer_tokens: Some(100) };

    fn machine(name: &str) -> Candidate {
        Candidate {
            node_id: name.parse().unwrap(),
            loaded: true,
            context: 4096,
            slots: 1,
            busy: 0,
            read_speed: Some(1000.0),
            write_speed: Some(50.0),
            cached_tokens: 0,
            paused: false,
            full: false,
            ejected: false,
            tried: false,
        }
    }

    #[test]
    fn the_soonest_answer_wins() {
        let fast = Candidate { write_speed: Some(100.0), ..machine("fast") };
        let busy = Candidate { busy: 3, ..fast.clone() };
        let cold = Candidate { loaded: false, ..fast.clone() };
        let remembers = Candidate { cached_tokens: 900, ..machine("remembers") };
        assert_eq!(choose(WISH, &[machine("slow"), fast.clone()]).0, Some(1));
        assert_eq!(choose(WISH, &[machine("slow"), busy]).0, Some(0));
        assert_eq!(choose(WISH, &[cold, machine("slow")]).0, Some(1));
        // 1 s less of reading against 1 s less of writing and a tenth.
        assert_eq!(choose(WISH, &[remembers.clone(), machine("slow")]).0, Some(0));
        assert_eq!(choose(Wish { prompt_tokens: 3000, ..WISH }, &[fast, remembers]).0, Some(0));
    }

    #[test]
    fn who_cannot_is_out_and_says_why() {
        let small = Candidate { context: 500, ..machine("small") };
        let full = Candidate { full: true, ..machine("full") };
        let paused = Candidate { paused: true, ..machine("paused") };
        let tried = Candidate { tried: true, ..machine("tried") };
        let ejected = Candidate { ejected: true, ..machine("ejected") };
        let (chosen, looks) = choose(WISH, &[small, paused, tried, ejected, full, machine("good")]);
        assert_eq!(chosen, Some(5));
        let why = looks.iter().map(|look| look.unfit.map_or("", Unfit::as_str)).collect::<Vec<_>>();
        assert_eq!(why, ["context_too_small", "paused", "tried", "ejected", "full", ""]);
        assert_eq!(choose(WISH, &[] as &[Candidate]), (None, Vec::new()));
    }

    #[test]
    fn when_most_have_failed_none_is_out_for_it() {
        let ejected = |name| Candidate { ejected: true, ..machine(name) };
        assert!(choose(WISH, &[ejected("one"), ejected("two"), machine("three")]).1[0].unfit.is_none());
        assert_eq!(choose(WISH, &[ejected("one")]).0, Some(0));
        // Those that could not serve it anyway say nothing of the others.
        let small = Candidate { context: 1, ..machine("small") };
        assert_eq!(choose(WISH, &[ejected("one"), small.clone(), small]).0, Some(0));
    }
}
