//! Placeholders of statements about several rows.

/// Values in one statement.
pub(crate) const MOST: usize = 500;

/// `$2, $3`, as for two values after a first one.
pub(crate) fn binds(first: usize, count: usize) -> String {
    (first..first + count).map(|bind| format!("${bind}")).collect::<Vec<_>>().join(", ")
}

/// `($1, $2), ($3, $4)`, as for two rows of two columns.
pub(crate) fn rows(count: usize, columns: usize) -> String {
    (0..count).map(|row| format!("({})", binds(row * columns + 1, columns))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_counted_on() {
        assert_eq!(binds(2, 2), "$2, $3");
        assert_eq!(rows(2, 2), "($1, $2), ($3, $4)");
    }
}
