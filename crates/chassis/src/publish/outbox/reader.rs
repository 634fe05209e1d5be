//! Reads a row back into its messages. Separate from writing, as it trusts nothing: the row may be from another
//! build. What it returns borrows from the row.

use super::{EVENT, NO_TRACE, NONE, RAW, TRACE, TRACE_WITH_STATE, VERSION};
use crate::wire::trace::TraceContext;

/// One message of a packed batch, borrowed from the row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packed<'a> {
    Event {
        topic: &'a str,
        event_type: &'a str,
        key: &'a str,
        sequence: i64,
        time_micros: i64,
        cause: Option<&'a str>,
        trace: Option<TraceContext>,
        payload: &'a [u8],
    },
    Raw {
        topic: &'a str,
        key: Option<&'a [u8]>,
        headers: Vec<(&'a str, Option<&'a [u8]>)>,
        payload: Option<&'a [u8]>,
    },
}

impl<'a> Packed<'a> {
    pub(crate) fn topic(&self) -> &'a str {
        match self {
            Packed::Event { topic, .. } | Packed::Raw { topic, .. } => topic,
        }
    }

    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        match self {
            Packed::Event { key, .. } => Some(key.as_bytes()),
            Packed::Raw { key, .. } => *key,
        }
    }
}

/// An outbox row that this version cannot read. Publishing past it would lose events, so the relay
/// stops and says so.
#[derive(Debug, thiserror::Error)]
#[error("the outbox row is not a packed batch of a version that this build reads")]
pub(crate) struct Unreadable;

/// Reads a whole row. Nothing is published from a row that cannot be read to its last byte.
pub(crate) fn unpack(row: &[u8]) -> Result<Vec<Packed<'_>>, Unreadable> {
    let mut cursor = Cursor { rest: row };
    if cursor.take(1)? != [VERSION] {
        return Err(Unreadable);
    }
    let mut names = Vec::new();
    for _ in 0..u16::from_le_bytes(cursor.array()?) {
        let length = u16::from_le_bytes(cursor.array()?);
        names.push(text(cursor.take(length as usize)?)?);
    }
    let count = u32::from_le_bytes(cursor.array()?);
    let mut messages = Vec::with_capacity(count.min(65_536) as usize);
    for _ in 0..count {
        messages.push(cursor.message(&names)?);
    }
    if cursor.rest.is_empty() { Ok(messages) } else { Err(Unreadable) }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn message(&mut self, names: &[&'a str]) -> Result<Packed<'a>, Unreadable> {
        let kind = self.take(1)?[0];
        let topic = self.name(names)?;
        match kind {
            EVENT => Ok(Packed::Event {
                topic,
                event_type: self.name(names)?,
                sequence: i64::from_le_bytes(self.array()?),
                time_micros: i64::from_le_bytes(self.array()?),
                key: text(self.bytes()?.ok_or(Unreadable)?)?,
                cause: self.bytes()?.map(text).transpose()?,
                trace: self.trace()?,
                payload: self.bytes()?.ok_or(Unreadable)?,
            }),
            RAW => {
                let key = self.bytes()?;
                let mut headers = Vec::new();
                for _ in 0..u32::from_le_bytes(self.array()?) {
                    headers.push((text(self.bytes()?.ok_or(Unreadable)?)?, self.bytes()?));
                }
                Ok(Packed::Raw { topic, key, headers, payload: self.bytes()? })
            }
            _unknown => Err(Unreadable),
        }
    }

    fn trace(&mut self) -> Result<Option<TraceContext>, Unreadable> {
        let has_state = match self.take(1)?[0] {
            NO_TRACE => return Ok(None),
            TRACE => false,
            TRACE_WITH_STATE => true,
            _unknown => return Err(Unreadable),
        };
        Ok(Some(TraceContext {
            trace_id: u128::from_le_bytes(self.array()?),
            span_id: u64::from_le_bytes(self.array()?),
            flags: self.take(1)?[0],
            state: match has_state {
                true => Some(text(self.bytes()?.ok_or(Unreadable)?)?.into()),
                false => None,
            },
        }))
    }

    fn name(&mut self, names: &[&'a str]) -> Result<&'a str, Unreadable> {
        names.get(u16::from_le_bytes(self.array()?) as usize).copied().ok_or(Unreadable)
    }

    fn bytes(&mut self) -> Result<Option<&'a [u8]>, Unreadable> {
        match u32::from_le_bytes(self.array()?) {
            NONE => Ok(None),
            length => self.take(length as usize).map(Some),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        self.take(N).map(|bytes| bytes.try_into().expect("took as many bytes as it holds"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Unreadable)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|_not_utf8| Unreadable)
}
