//! Amounts of bytes as people write them.

const UNITS: [(&str, u32); 5] = [("", 0), ("k", 10), ("m", 20), ("g", 30), ("t", 40)];

/// `500M`, `1.5GB` or `1048576`, in powers of 1024.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size like `500M` or `1.5GB`");
    let lower = text.trim().to_ascii_lowercase();
    let split = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(split);
    let unit = unit.trim();
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(unit);
    let (_, shift) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().map_err(|_| wrong())?;
    let scale = 1_u64 << shift;
    let part = match part {
        "" => 0,
        digits => {
            let digits = &digits[..digits.len().min(6)];
            let tens = 10_u64.pow(u32::try_from(digits.len()).unwrap_or_default());
            let value = digits.parse::<u64>().map_err(|_| wrong())?;
            u64::try_from(u128::from(value) * u128::from(scale) / u128::from(tens)).unwrap_or(u64::MAX)
        }
    };
    whole.checked_mul(scale).and_then(|bytes| bytes.checked_add(part)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("500M", 500 << 20), ("1.5 GB", 3 << 29), ("2GiB", 2 << 30), ("1k", 1024)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "-1", "1x", "1..5G", "99999999999T", "1.5.5"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
