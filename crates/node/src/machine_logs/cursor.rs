//! Cursors as clients carry them: opaque, and only those that this node gave out.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::docker;
use super::journal::JournalCursor;
use super::{Filter, Place, Stream};
use crate::layout::Layout;

/// Characters of the longest cursor.
const LONGEST: usize = 512;
const VERSION: u8 = 1;
const MAC: usize = 16;
const FINGERPRINT: usize = 8;

/// A text that is no cursor of this node for this query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoCursor;

/// Tells a cursor of this node from others.
pub(super) struct Key([u8; 32]);

/// Where a reader stands in each stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) since_us: Option<i64>,
    pub(super) places: Vec<(Stream, Place)>,
}

impl Key {
    /// Made of the node's key, so that cursors survive its restarts.
    pub(super) fn load(layout: &Layout) -> io::Result<Self> {
        let key = std::fs::read(layout.key())?;
        Ok(Self(Sha256::new().chain_update(b"machine logs").chain_update(key).finalize().into()))
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        mac.unwrap_or_else(|_| unreachable!("a key of any length will do")).chain_update(bytes)
    }
}

impl Cursor {
    pub(super) fn seal(&self, key: &Key, filter: &Filter) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(fingerprint(filter));
        bytes.extend(self.since_us.unwrap_or(i64::MIN).to_be_bytes());
        for (stream, place) in &self.places {
            bytes.push(*stream as u8);
            put(&mut bytes, place);
        }
        let mac = key.mac(&bytes).finalize().into_bytes();
        bytes.extend(&mac[..MAC]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(super) fn open(text: &str, key: &Key, filter: &Filter) -> Result<Self, NoCursor> {
        if text.len() > LONGEST {
            return Err(NoCursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoCursor)?;
        let (bytes, mac) = bytes.split_last_chunk::<MAC>().ok_or(NoCursor)?;
        key.mac(bytes).verify_truncated_left(mac).map_err(|_| NoCursor)?;
        Self::parse(bytes, filter).ok_or(NoCursor)
    }

    fn parse(mut bytes: &[u8], filter: &Filter) -> Option<Self> {
        let bytes = &mut bytes;
        if take::<1>(bytes)? != [VERSION] || take::<FINGERPRINT>(bytes)? != fingerprint(filter) {
            return None;
        }
        let since_us = i64::from_be_bytes(take(bytes)?);
        let mut places = Vec::new();
        while !bytes.is_empty() {
            let stream = *Stream::ALL.get(usize::from(take::<1>(bytes)?[0]))?;
            places.push((stream, get(bytes)?));
        }
        Some(Self { since_us: Some(since_us).filter(|since| *since != i64::MIN), places })
    }
}

/// What a cursor goes on with: whoever asks for something else with it would miss lines.
fn fingerprint(filter: &Filter) -> [u8; FINGERPRINT] {
    let Filter { source, level, container, unit, search, since_us: _, until_us: _ } = filter;
    let digest = Sha256::digest(format!("{source:?}\n{level:?}\n{container:?}\n{unit:?}\n{search:?}"));
    std::array::from_fn(|index| digest[index])
}

fn put(bytes: &mut Vec<u8>, place: &Place) {
    match place {
        Place::Start => bytes.push(0),
        Place::Line(line) => {
            bytes.push(1);
            bytes.extend(line.to_be_bytes());
        }
        Place::Journal { cursor, after } => {
            bytes.push(if *after { 3 } else { 2 });
            bytes.extend(cursor.seqnum_id);
            bytes.extend(cursor.seqnum.to_be_bytes());
            bytes.extend(cursor.boot_id);
            bytes.extend(cursor.monotonic.to_be_bytes());
            bytes.extend(cursor.realtime.to_be_bytes());
            bytes.extend(cursor.xor_hash.to_be_bytes());
        }
        Place::Since(at_us) => {
            bytes.push(4);
            bytes.extend(at_us.to_be_bytes());
        }
        Place::Docker(key) => {
            bytes.push(5);
            bytes.extend(key.at_ns.to_be_bytes());
            bytes.extend(key.container);
            bytes.extend(key.ordinal.to_be_bytes());
        }
    }
}

fn get(bytes: &mut &[u8]) -> Option<Place> {
    Some(match take::<1>(bytes)?[0] {
        0 => Place::Start,
        1 => Place::Line(u64::from_be_bytes(take(bytes)?)),
        tag @ (2 | 3) => Place::Journal {
            cursor: JournalCursor {
                seqnum_id: take(bytes)?,
                seqnum: u64::from_be_bytes(take(bytes)?),
                boot_id: take(bytes)?,
                monotonic: u64::from_be_bytes(take(bytes)?),
                realtime: u64::from_be_bytes(take(bytes)?),
                xor_hash: u64::from_be_bytes(take(bytes)?),
            },
            after: tag == 3,
        },
        4 => Place::Since(i64::from_be_bytes(take(bytes)?)),
        5 => Place::Docker(docker::Key {
            at_ns: i64::from_be_bytes(take(bytes)?),
            container: take(bytes)?,
            ordinal: u32::from_be_bytes(take(bytes)?),
        }),
        _ => return None,
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter() -> Filter {
        Filter::new(&wire::MachineLogQuery::default())
    }

    fn full() -> Cursor {
        let journal = JournalCursor {
            seqnum_id: [255; 16],
            seqnum: u64::MAX,
            boot_id: [255; 16],
            monotonic: u64::MAX,
            realtime: u64::MAX,
            xor_hash: u64::MAX,
        };
        let places = vec![
            (Stream::Agent, Place::Line(u64::MAX)),
            (Stream::CloudInit, Place::Line(7)),
            (Stream::CloudInitOutput, Place::Start),
            (Stream::Docker, Place::Journal { cursor: journal.clone(), after: true }),
            (Stream::Systemd, Place::Journal { cursor: journal, after: false }),
        ];
        Cursor { since_us: Some(-1), places }
    }

    #[test]
    fn a_cursor_is_short_and_comes_back_as_it_was() {
        let key = Key([7; 32]);
        let docker = docker::Key { at_ns: -5, container: [1; 6], ordinal: 9 };
        let small = Cursor {
            since_us: None,
            places: vec![(Stream::Docker, Place::Docker(docker)), (Stream::Systemd, Place::Since(5))],
        };
        for cursor in [full(), small] {
            let text = cursor.seal(&key, &filter());
            assert!(text.len() <= LONGEST, "{}", text.len());
            assert_eq!(Cursor::open(&text, &key, &filter()), Ok(cursor));
        }
    }

    #[test]
    fn nobody_makes_one() {
        let key = Key([7; 32]);
        let text = full().seal(&key, &filter());
        for index in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(Cursor::open(&changed, &key, &filter()), Err(NoCursor), "{index}");
        }
        let other = Filter { search: Some("x".into()), ..filter() };
        assert_eq!(Cursor::open(&text, &key, &other), Err(NoCursor), "of another query");
        assert_eq!(Cursor::open(&text, &Key([8; 32]), &filter()), Err(NoCursor), "of another node");
        for odd in ["", "A", "\0", &text[1..], &"A".repeat(LONGEST + 1)] {
            assert_eq!(Cursor::open(odd, &key, &filter()), Err(NoCursor));
        }
    }
}
