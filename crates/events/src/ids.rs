//! What events are about: orders and stock items. Types of their own, so that an order id never
//! stands where another id belongs and a SKU that exists has been checked.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// The id of an order, a UUIDv7: ids that are close in time are close in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub Uuid);

impl From<Uuid> for OrderId {
    fn from(id: Uuid) -> Self {
        OrderId(id)
    }
}

impl From<OrderId> for Uuid {
    fn from(OrderId(id): OrderId) -> Self {
        id
    }
}

impl OrderId {
    /// A new id with this time in it, in microseconds since the Unix epoch. Of two ids made by one clock
    /// the later one is greater, to the microsecond.
    pub fn made_at(micros: i64) -> Self {
        let micros = u64::try_from(micros).unwrap_or_default();
        // The twelve bits beside the version tell parts of a millisecond, as RFC 9562 suggests.
        let fraction = micros % 1_000 * 4_096 / 1_000;
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&(fraction as u16).to_be_bytes());
        rest[2..].copy_from_slice(&Uuid::new_v4().as_bytes()[8..]);
        Self(uuid::Builder::from_unix_timestamp_millis(micros / 1_000, &rest).into_uuid())
    }

    /// A new id with the time of this machine in it, for tests and tools. A service makes ids by the
    /// database's clock.
    #[allow(clippy::disallowed_methods, reason = "it says so")]
    pub fn now() -> Self {
        Self(Uuid::now_v7())
    }

    /// When the id was made, to the millisecond; `None` for an id that is not a UUIDv7.
    pub fn created_at_micros(self) -> Option<i64> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        let seconds = i64::try_from(seconds).ok()?;
        (self.0.get_version_num() == 7).then(|| seconds * 1_000_000 + i64::from(nanos / 1_000))
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OrderId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The code of a stock item: 1 to 64 letters, digits, dots, underscores or hyphens (ASCII), not dots alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Sku(String);

/// A text that is not a SKU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSku {
    /// The text has no characters.
    #[error("a SKU must not be empty")]
    Empty,
    /// The text has too many characters.
    #[error("a SKU has at most {max} characters, not {length}", max = Sku::MAX_LENGTH)]
    TooLong {
        /// How many bytes the text has.
        length: usize,
    },
    /// The text holds something that a SKU cannot hold.
    #[error("a SKU is made of letters, digits, '.', '_' and '-', not {character:?}")]
    Character {
        /// The first such character.
        character: char,
    },
    /// The text is `.`, `..` or more dots.
    #[error("a SKU is not made of dots alone: URLs take '.' and '..' for folders")]
    OnlyDots,
}

impl Sku {
    /// The longest SKU, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Checks a text and makes it a SKU.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidSku> {
        let text = text.into();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() {
            return Err(InvalidSku::Empty);
        }
        if let Some(character) = text.chars().find(|c| !allowed(*c)) {
            return Err(InvalidSku::Character { character });
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(InvalidSku::TooLong { length: text.len() });
        }
        if text.bytes().all(|byte| byte == b'.') {
            return Err(InvalidSku::OnlyDots);
        }
        Ok(Self(text))
    }

    /// The SKU as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The SKU's text, without copying it.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl TryFrom<String> for Sku {
    type Error = InvalidSku;

    fn try_from(text: String) -> Result<Self, InvalidSku> {
        Self::new(text)
    }
}

impl FromStr for Sku {
    type Err = InvalidSku;

    fn from_str(text: &str) -> Result<Self, InvalidSku> {
        Self::new(text)
    }
}

// Written by hand because serde forbids `transparent` beside `try_from`, and a newtype that is not
// transparent would be a record to Avro.
impl Serialize for Sku {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsRef<str> for Sku {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Sku {
    fn borrow(&self) -> &str {
        &self.0
    }
}
