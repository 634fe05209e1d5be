//! How lists are read page by page, the same for every list: `limit` says how many, `cursor` where to go on,
//! `next_cursor` of the answer is the next cursor and is missing on the last page. A list's query repeats the
//! two parameters, as a query string has no nesting.

use serde::Deserialize;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// How many entries a page has at most: 1 to 500; 50 when the request does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Limit(u32);

impl Limit {
    /// A page that a person looks at.
    const DEFAULT: u32 = 50;
    /// A page for programs: at a few hundred bytes an entry still a small answer.
    pub const MAX: u32 = 500;

    /// The number.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for Limit {
    fn default() -> Self {
        Limit(Self::DEFAULT)
    }
}

impl TryFrom<u32> for Limit {
    type Error = String;

    fn try_from(limit: u32) -> Result<Self, String> {
        match limit {
            1..=Self::MAX => Ok(Limit(limit)),
            _ => Err(format!("must be 1 to {}", Self::MAX)),
        }
    }
}

impl PartialSchema for Limit {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(1))
            .maximum(Some(Self::MAX))
            .default(Some(Self::DEFAULT.into()));
        RefOr::T(schema.into())
    }
}

impl ToSchema for Limit {}

/// The entries of one page, and whether there are more.
#[derive(Debug)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of what a query found when asked for as many as the page may have: if it found as many,
    /// there may be more, after the last one's cursor.
    pub fn of(entries: Vec<T>, limit: Limit, cursor: impl FnOnce(&T) -> String) -> Self {
        let next_cursor = entries.last().filter(|_| entries.len() >= limit.get()).map(cursor);
        Page { entries, next_cursor }
    }
}
