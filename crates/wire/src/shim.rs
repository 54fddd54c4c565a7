//! The shim's socket: one JSON request a line, one JSON answer a line. Small and frozen,
//! since a shim lives as long as its app, over many versions of the node.

use serde::{Deserialize, Serialize};

/// Version of this exchange, in every [`Answer::Status`].
pub const SHIM_PROTOCOL: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Request {
    Status,
    /// Send a signal to the process.
    Signal {
        signal: i32,
    },
    /// Answered when the process has ended.
    Wait,
    /// Look at the process's terminal, from this offset of its output on or the first one that is kept. After the
    /// answer come [`frame`]s, both ways.
    Attach {
        from: u64,
        /// Types nothing: the process waits for no such screen.
        #[serde(default)]
        watch: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Answer {
    Status {
        protocol: u32,
        pid: i32,
        started_at_ms: i64,
    },
    Ok,
    Exited(Exit),
    /// Where the output begins that is sent, and where it ends now.
    Attached {
        from: u64,
        end: u64,
    },
    Error {
        message: String,
    },
}

/// How a process ended: by its own code or by a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub at_ms: i64,
    /// Why it never started.
    pub spawn_error: Option<String>,
    /// Whether the kernel killed in its group for want of memory: the group may be gone when somebody asks.
    #[serde(default)]
    pub out_of_memory: bool,
}

/// What passes once somebody looks at a terminal: a byte that says what it is, the length of the rest in four bytes,
/// little endian, and the rest. A kind that is not known is passed over.
pub mod frame {
    /// Bytes that the terminal put out, in order. To the viewer.
    pub const OUTPUT: u8 = 0;
    /// The process has ended: an [`super::Exit`] as JSON. The last one, to the viewer.
    pub const EXIT: u8 = 1;
    /// Bytes to type. From the viewer.
    pub const INPUT: u8 = 2;
    /// Rows and columns, two bytes each, little endian. From the viewer.
    pub const RESIZE: u8 = 3;

    /// Bytes of the longest rest.
    pub const MAX: usize = 64 << 10;
    /// Bytes before the rest.
    pub const HEAD: usize = 5;

    /// A frame of at most [`MAX`] bytes.
    pub fn encode(kind: u8, payload: &[u8]) -> Vec<u8> {
        debug_assert!(payload.len() <= MAX);
        let mut frame = Vec::with_capacity(HEAD + payload.len());
        frame.push(kind);
        frame.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    pub enum Decoded<'a> {
        Frame {
            kind: u8,
            payload: &'a [u8],
            after: &'a [u8],
        },
        /// More has to come.
        Part,
        TooLong,
    }

    pub fn decode(bytes: &[u8]) -> Decoded<'_> {
        let Some((&[kind, a, b, c, d], rest)) = bytes.split_first_chunk::<HEAD>() else { return Decoded::Part };
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        match rest.split_at_checked(length) {
            _ if length > MAX => Decoded::TooLong,
            Some((payload, after)) => Decoded::Frame { kind, payload, after },
            None => Decoded::Part,
        }
    }
}
