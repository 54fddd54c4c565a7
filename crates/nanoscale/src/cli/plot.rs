//! Numbers over time, as a line of text can show them.

use anyhow::Result;
use jiff::Timestamp;

use super::output::{Cell, Colour, Table};

/// Characters of a line.
const WIDTH: usize = 40;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How far back.
#[derive(clap::Args)]
pub(super) struct Range {
    /// How far back.
    #[arg(long, value_parser = ["10m", "1h", "24h", "30d"], default_value = "10m")]
    range: String,
}

/// One number at its times.
pub(super) struct Series {
    name: String,
    /// What a full bar is, where that is not the largest number there was.
    full: Option<f64>,
    show: fn(f64) -> String,
    /// Seconds since 1970, the number, and the most it was meanwhile.
    points: Vec<(f64, f64, f64)>,
}

// === impl Range ===

impl Range {
    pub(super) fn query(&self) -> [(&'static str, String); 1] {
        [("range", self.range.clone())]
    }

    fn seconds(&self) -> f64 {
        match self.range.as_str() {
            "1h" => 3600.0,
            "24h" => 86_400.0,
            "30d" => 30.0 * 86_400.0,
            _ => 600.0,
        }
    }

    /// A row for each number that there is any of.
    pub(super) fn print(&self, series: &[Series]) -> Result<()> {
        let mut table = Table::new(["", "NOW", "MEAN", "MOST", &format!("LAST {}", self.range.to_uppercase())]);
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let now = Timestamp::now().as_second() as f64;
        for series in series.iter().filter(|series| !series.points.is_empty()) {
            let shown = |value: f64| (series.show)(value);
            table.row([
                Cell::new(&series.name, Colour::Bold),
                shown(series.points.last().map_or(0.0, |point| point.1)).into(),
                shown(series.mean()).into(),
                shown(series.most()).into(),
                series.line(now, self.seconds()).into(),
            ]);
        }
        table.print()
    }
}

// === impl Series ===

impl Series {
    pub(super) fn new(name: impl Into<String>, show: fn(f64) -> String) -> Self {
        Self { name: name.into(), full: None, show, points: Vec::new() }
    }

    pub(super) fn full(self, full: f64) -> Self {
        Self { full: Some(full), ..self }
    }

    /// A number at a time, and the most it was until the next.
    pub(super) fn add(&mut self, time: &str, value: f64, most: Option<f64>) {
        if let Ok(time) = time.parse::<Timestamp>() {
            #[expect(clippy::cast_precision_loss, reason = "seconds")]
            self.points.push((time.as_second() as f64, value, most.unwrap_or(value)));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
    fn mean(&self) -> f64 {
        self.points.iter().map(|point| point.1).sum::<f64>() / self.points.len().max(1) as f64
    }

    fn most(&self) -> f64 {
        self.points.iter().map(|point| point.2).fold(0.0, f64::max)
    }

    /// A bar for each part of the time, a blank where nothing is known.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a bar has eight heights"
    )]
    fn line(&self, now: f64, seconds: f64) -> String {
        let mut parts = [(0.0, 0.0); WIDTH];
        for (time, value, _) in &self.points {
            let part = (time - (now - seconds)) / seconds * WIDTH as f64;
            if let Some((sum, count)) = parts.get_mut(part.max(0.0) as usize).filter(|_| part >= 0.0) {
                *sum += value;
                *count += 1.0;
            }
        }
        let full = self
            .full
            .unwrap_or_else(|| parts.iter().map(|(sum, count)| sum / f64::max(*count, 1.0)).fold(0.0, f64::max));
        let bar = |(sum, count): &(f64, f64)| {
            let height = sum / count / full.max(f64::MIN_POSITIVE) * BARS.len() as f64;
            if *count > 0.0 { BARS[(height as usize).min(BARS.len() - 1)] } else { ' ' }
        };
        parts.iter().map(bar).collect::<String>().trim_end().to_owned()
    }
}

pub(super) fn percent(value: f64) -> String {
    format!("{value:.1} %")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes are whole numbers")]
pub(super) fn amount(bytes: f64) -> String {
    super::output::bytes(bytes.round() as u64)
}

pub(super) fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", amount(bytes_per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_bar_for_what_is_known_and_blanks_for_the_rest() {
        let mut series = Series::new("cpu", percent).full(100.0);
        for (second, value) in [(10.0, 0.0), (300.0, 50.0), (301.0, 100.0), (599.0, 100.0)] {
            series.points.push((second, value, value));
        }
        let line = series.line(600.0, 600.0);
        assert_eq!(line.chars().count(), WIDTH);
        assert_eq!(line.trim_matches(' ').replace(' ', ""), "▁▇█");
        assert!(line.starts_with('▁') && line.ends_with('█') && line.chars().nth(20) == Some('▇'), "{line}");
        assert_eq!((series.most(), series.mean()), (100.0, 62.5));
        assert_eq!(rate(1536.0), "1.5 KB/s");
    }
}
