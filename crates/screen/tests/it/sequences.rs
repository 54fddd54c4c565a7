//! Every feature, compared with the browser's terminal at every step.

use crate::cases::CASES;
use crate::xterm::Comparison;

#[test]
fn every_feature_looks_the_same_in_a_browser() {
    let mut comparison = Comparison::new(10, 40);
    for (about, pieces) in CASES {
        println!("{about}");
        comparison.start(10, 40);
        for piece in *pieces {
            comparison.feed(piece.as_bytes());
            comparison.compare();
            if piece.is_ascii() || piece.as_bytes().last().is_some_and(u8::is_ascii) {
                comparison.snapshot();
            }
        }
    }
    println!("{}", comparison.finish());
}
