//! What an owner lets others use of a machine, when, and for what.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use wire::MeshPrice;

/// The owner's word. Without any of it all models are offered at all times.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Of a model that has no price of its own.
    pub price: MeshPrice,
    pub prices: HashMap<String, MeshPrice>,
    /// Only these are offered; all of them where there are none.
    pub models: BTreeSet<String>,
    /// Only then, by this machine's clock; always where there are none.
    pub hours: Vec<Hours>,
    /// Whether administrators of the mesh may choose models that are fetched.
    pub allows_pulls: bool,
}

/// A part of each day, as `22:00-08:00`: its end is not in it, and it goes past midnight where it ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: Time,
    to: Time,
}

/// What is no part of a day.
#[derive(Debug, thiserror::Error)]
#[error("it is not like 22:00-08:00")]
pub struct InvalidHours;

// === impl Terms ===

impl Terms {
    pub(crate) fn offers(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.contains(model)
    }

    pub(crate) fn price(&self, model: &str) -> MeshPrice {
        self.prices.get(model).copied().unwrap_or(self.price)
    }

    /// Why nothing is offered at this time of the day.
    pub(crate) fn closed(&self, now: Time) -> Option<String> {
        let is_open = self.hours.is_empty() || self.hours.iter().any(|hours| hours.contain(now));
        (!is_open).then(|| {
            let hours = self.hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!("its owner offers it {hours} only, by its own clock")
        })
    }
}

// === impl Hours ===

impl Hours {
    fn contain(self, time: Time) -> bool {
        match self.from <= self.to {
            true => (self.from..self.to).contains(&time),
            false => time >= self.from || time < self.to,
        }
    }
}

impl FromStr for Hours {
    type Err = InvalidHours;

    fn from_str(text: &str) -> Result<Self, InvalidHours> {
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).map_err(|_| InvalidHours);
        let (from, to) = text.split_once('-').ok_or(InvalidHours)?;
        let hours = Self { from: time(from)?, to: time(to)? };
        if hours.from == hours.to { Err(InvalidHours) } else { Ok(hours) }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.strftime("%H:%M"), self.to.strftime("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Vec<Hours> {
        text.split(' ').map(|text| text.parse().unwrap()).collect()
    }

    fn at(hour: i8, minute: i8) -> Time {
        Time::constant(hour, minute, 0, 0)
    }

    #[test]
    fn hours_begin_end_and_go_past_midnight() {
        let terms = Terms { hours: hours("22:00-08:00 12:30-13:00"), ..Terms::default() };
        for (time, is_open) in [
            (at(22, 0), true),
            (at(23, 59), true),
            (at(0, 0), true),
            (at(7, 59), true),
            (at(8, 0), false),
            (at(12, 29), false),
            (at(12, 30), true),
            (at(13, 0), false),
            (at(21, 59), false),
        ] {
            assert_eq!(terms.closed(time).is_none(), is_open, "{time}");
        }
        assert!(terms.closed(at(9, 0)).unwrap().contains("22:00-08:00, 12:30-13:00"));
        assert_eq!(Terms::default().closed(at(9, 0)), None);
        for wrong in ["", "22-8", "22:00", "22:00-22:00", "24:00-08:00", "22:00-08:00-09:00"] {
            assert!(wrong.parse::<Hours>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_model_has_the_price_that_is_its_own() {
        let (usual, own) = (MeshPrice { input: 1, output: 2 }, MeshPrice { input: 5, output: 9 });
        let terms = Terms { price: usual, prices: HashMap::from([("big".into(), own)]), ..Terms::default() };
        assert_eq!((terms.price("big"), terms.price("small")), (own, usual));
        assert!(terms.offers("small"));
        let terms = Terms { models: BTreeSet::from(["big".into()]), ..terms };
        assert!(terms.offers("big") && !terms.offers("small"));
    }
}
