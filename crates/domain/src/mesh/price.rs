//! What completions cost. Amounts are microcredits, whole numbers; nothing is ever rounded but the coordinator's fee.

/// Microcredits for a token of the prompt, and for one of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input: i64,
    pub output: i64,
}

/// How what is paid for a completion is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// What whoever asked pays.
    pub cost: i64,
    /// The coordinator's part of it.
    pub fee: i64,
    /// The part of the machine's owner.
    pub earning: i64,
    /// What goes back of what was held.
    pub rest: i64,
}

impl Price {
    /// # Panics
    /// Never: what does not fit is the largest number.
    pub fn of(self, input_tokens: u64, output_tokens: u64) -> i64 {
        let part = |tokens: u64, price: i64| price.saturating_mul(i64::try_from(tokens).unwrap_or(i64::MAX));
        part(input_tokens, self.input).saturating_add(part(output_tokens, self.output))
    }
}

impl Shares {
    /// Never more than was held. The fee is in hundredths of a percent, rounded down.
    pub fn of(cost: i64, held: i64, fee_bps: u32) -> Self {
        let cost = cost.clamp(0, held.max(0));
        let fee = i64::try_from(i128::from(cost) * i128::from(fee_bps.min(10_000)) / 10_000).unwrap_or(cost);
        Self { cost, fee, earning: cost - fee, rest: held - cost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_what_was_held() {
        for cost in [0, 1, 66, 67, 9_999, 1_000_000, i64::MAX] {
            for held in [0, 1, 500, 1_000_000, i64::MAX] {
                for fee in [0, 150, 10_000, u32::MAX] {
                    let shares = Shares::of(cost, held, fee);
                    assert_eq!(shares.fee + shares.earning, shares.cost);
                    assert_eq!(shares.cost + shares.rest, held);
                    assert!(shares.fee >= 0 && shares.earning >= 0 && shares.rest >= 0, "{shares:?}");
                }
            }
        }
        assert_eq!(Shares::of(100_000, 100_000, 150).fee, 1500);
    }

    #[test]
    fn a_price_never_turns_over() {
        let dear = Price { input: i64::MAX, output: i64::MAX };
        assert_eq!(dear.of(u64::MAX, u64::MAX), i64::MAX);
        assert_eq!(Price { input: 10, output: 30 }.of(7, 5), 220);
    }
}
