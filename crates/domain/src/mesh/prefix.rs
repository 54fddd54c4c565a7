//! Which machine has read the beginning of a prompt before, and most likely still remembers it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use ids::MeshNodeId;

/// Prompts are compared in pieces of so many bytes.
const PIECE: usize = 256;
/// Pieces of a prompt that are looked at: 32 KiB.
const PIECES: usize = 128;
/// Pieces that are remembered of all prompts together.
const MOST: usize = 65_536;

/// A prompt's beginnings, the shortest first: each a whole number of pieces.
#[derive(Debug, Clone)]
pub struct Prefix {
    hashes: Vec<u64>,
    bytes: usize,
}

impl Prefix {
    /// Of what the engine reads, in the order in which it does.
    pub fn of(model: &str, prompt: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        model.hash(&mut hasher);
        let hashes = prompt.chunks_exact(PIECE).take(PIECES).map(|piece| {
            piece.hash(&mut hasher);
            hasher.finish()
        });
        Self { hashes: hashes.collect(), bytes: prompt.len() }
    }
}

/// Beginnings that machines have read, as many as are worth it.
#[derive(Debug, Default)]
pub struct Prefixes {
    readers: HashMap<u64, HashSet<MeshNodeId>>,
    order: VecDeque<(u64, MeshNodeId)>,
}

/// Who remembers how much of one prompt.
#[derive(Debug)]
pub struct Readers<'a> {
    /// Of each beginning that somebody has read, the shortest first.
    of: Vec<&'a HashSet<MeshNodeId>>,
    bytes: usize,
}

impl Prefixes {
    /// A machine has read it.
    pub fn learn(&mut self, prefix: &Prefix, node: &MeshNodeId) {
        for hash in &prefix.hashes {
            if self.readers.entry(*hash).or_default().insert(node.clone()) {
                self.order.push_back((*hash, node.clone()));
            }
        }
        while self.order.len() > MOST {
            let Some((hash, node)) = self.order.pop_front() else { return };
            if let Some(readers) = self.readers.get_mut(&hash) {
                readers.remove(&node);
                if readers.is_empty() {
                    self.readers.remove(&hash);
                }
            }
        }
    }

    /// Those of a prompt.
    pub fn readers(&self, prefix: &Prefix) -> Readers<'_> {
        Readers { of: prefix.hashes.iter().map_while(|hash| self.readers.get(hash)).collect(), bytes: prefix.bytes }
    }
}

impl Readers<'_> {
    /// The part of the prompt that a machine is expected to remember, from 0 to 1.
    pub fn share(&self, node: &MeshNodeId) -> f64 {
        let known = self.of.iter().take_while(|readers| readers.contains(node)).count();
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = (known * PIECE) as f64 / self.bytes.max(1) as f64;
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_read_the_beginning_remembers_it() {
        let (ada, bob) = ("ada".parse().unwrap(), "bob".parse().unwrap());
        let mut prefixes = Prefixes::default();
        let said = vec![b'x'; 1024];
        let more = [&said[..], &[b'y'; 1024]].concat();
        prefixes.learn(&Prefix::of("m", &said), &ada);
        assert!((prefixes.readers(&Prefix::of("m", &said)).share(&ada) - 1.0).abs() < 0.01);
        assert!((prefixes.readers(&Prefix::of("m", &more)).share(&ada) - 0.5).abs() < 0.01);
        assert!(prefixes.readers(&Prefix::of("m", &more)).share(&bob) < 0.01);
        assert!(prefixes.readers(&Prefix::of("other", &said)).share(&ada) < 0.01);
        let other = [&[b'z'][..], &said].concat();
        assert!(prefixes.readers(&Prefix::of("m", &other)).share(&ada) < 0.01);
    }

    #[test]
    fn what_was_read_first_is_forgotten_first() {
        let ada: MeshNodeId = "ada".parse().unwrap();
        let mut prefixes = Prefixes::default();
        let prompt = |seed: usize| {
            (0..PIECE * PIECES)
                .map(|at| u8::try_from((at / PIECE + seed * 7) % 251).unwrap())
                .chain(seed.to_le_bytes())
                .collect::<Vec<_>>()
        };
        let distinct = |seed: usize| [&seed.to_le_bytes()[..], &prompt(seed)].concat();
        let first = Prefix::of("m", &distinct(0));
        prefixes.learn(&first, &ada);
        for seed in 1..=MOST / PIECES {
            prefixes.learn(&Prefix::of("m", &distinct(seed)), &ada);
        }
        assert!(prefixes.order.len() <= MOST);
        assert!(prefixes.readers(&first).share(&ada) < 0.01);
    }
}
