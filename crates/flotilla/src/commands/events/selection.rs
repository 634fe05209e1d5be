//! Which events are meant: by key, type and time, as `tail` and `replay` ask for them.

use chassis::tail::Record;
use chrono::{DateTime, Duration, Utc};
use clap::Args;

use crate::commands::now;

/// Which events are meant.
#[derive(Args, Clone)]
pub(super) struct Selection {
    /// Only events with this key: an order's id or a SKU
    #[arg(long)]
    pub(super) key: Option<String>,
    /// Only events whose type ends like this, such as OrderPlaced; may be given several times
    #[arg(long)]
    pub(super) r#type: Vec<String>,
    /// Only events from then on: a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90s, 10m, 2h, 3d
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(super) since: Option<Instant>,
    /// Only events before then, written like --since
    #[arg(long, value_name = "TIME", value_parser = past)]
    pub(super) until: Option<Instant>,
}

/// An instant, with the words that it was given by.
#[derive(Clone)]
pub(super) struct Instant {
    pub(super) text: String,
    pub(super) at: DateTime<Utc>,
}

impl Instant {
    pub(super) fn millis(&self) -> i64 {
        self.at.timestamp_millis()
    }
}

impl Selection {
    /// Whether a record is meant.
    pub(super) fn wants(&self, record: &Record) -> bool {
        let is_since = |since: &Instant| record.timestamp_ms >= since.millis();
        let is_before = |until: &Instant| record.timestamp_ms < until.millis();
        self.is_of(record)
            && self.since.as_ref().is_none_or(is_since)
            && self.until.as_ref().is_none_or(is_before)
    }

    /// Whether it is by its key and type.
    pub(super) fn is_of(&self, record: &Record) -> bool {
        let is_type = |name: &String| record.event_type().ends_with(name.as_str());
        self.key.as_ref().is_none_or(|key| *key == record.key)
            && (self.r#type.is_empty() || self.r#type.iter().any(is_type))
    }
}

fn instant(text: &str) -> Result<Instant, String> {
    let at = match text.parse::<DateTime<Utc>>() {
        Ok(at) => at,
        Err(_no_time) => ago(text).and_then(|ago| now().checked_sub_signed(ago)).ok_or(
            "write a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90s, 10m, 2h, 3d",
        )?,
    };
    Ok(Instant { text: text.to_owned(), at })
}

/// The end of a selection: what is still to come cannot be read to its end.
fn past(text: &str) -> Result<Instant, String> {
    let instant = instant(text)?;
    match instant.at <= now() {
        true => Ok(instant),
        false => Err("that is still to come; --idle-seconds ends what has no end".to_owned()),
    }
}

fn ago(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number = number.parse::<u32>().ok()?.into();
    match unit {
        "s" => Duration::try_seconds(number),
        "m" => Duration::try_minutes(number),
        "h" => Duration::try_hours(number),
        "d" => Duration::try_days(number),
        _unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_one_or_how_long_ago_and_nothing_else() {
        let at = |text: &str| instant(text).map(|instant| instant.at);
        assert_eq!(at("2026-01-31T12:00:00Z").unwrap().timestamp(), 1_769_860_800);
        let ago = (now() - at("2h").unwrap()).num_minutes();
        assert!((119..=120).contains(&ago), "{ago}");
        for wrong in ["", "2", "h", "-2h", "2w", "yesterday", "ü"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
        assert!(past("2999-01-01T00:00:00Z").is_err());
    }
}
