//! Following an order to its end, even through restarts of its service: a stream that is cut is resumed
//! where it broke off.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{entry_line, reason};
use crate::commands::http::{Call, Http, body};
use crate::commands::{IS_IT_UP, text};
use crate::exit::{Exit, coded};
use crate::output::Output;

/// How often a stream that brings nothing new is resumed, and how long after the one before:
/// together longer than a service takes to stop, start and be ready.
const RETRIES_MAX: u32 = 60;
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How long there may be nothing at all; the service sends a heartbeat every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// The longest line that is read: an entry is far shorter.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Prints the order's entries as they happen, until its end, and how it ended. Returns a failure if
/// that is not what its customer ordered it for.
pub(crate) async fn watch(http: &Http, base: &str, order: &str, out: &Output) -> Result<ExitCode> {
    let mut watch = Watch { http, base, order, seen: None };
    out.end_with_reader();
    let mut retries = 0;
    loop {
        let seen = watch.seen.clone();
        let why = match watch.follow(out).await? {
            Broke::Ended(ended) => return Ok(show_end(&ended, out)),
            Broke::Off(why) => why,
        };
        retries = if watch.seen == seen { retries + 1 } else { 0 };
        if retries > RETRIES_MAX {
            let silent = anyhow!(
                "the order service at {base} does not tell how {order} goes on: {why}; {IS_IT_UP}; \
                 then `flotilla order watch {order}` shows all of it"
            );
            return Err(coded(Exit::Away, silent));
        }
        // A stream that brought something ended for a reason: usually the order's end.
        if retries > 0 {
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}

fn show_end(ended: &Value, out: &Output) -> ExitCode {
    let is_cancelled = ended["state"] == "cancelled";
    let state = format!("{}{}", text(&ended["state"]), reason(ended));
    out.line(format_args!("  {}", if is_cancelled { out.bad(state) } else { out.good(state) }));
    let (order, state, reason) = (&ended["order_id"], &ended["state"], &ended["reason"]);
    out.document(&json!({ "order_id": order, "state": state, "reason": reason }));
    if is_cancelled { Exit::No.into() } else { ExitCode::SUCCESS }
}

/// Why a stream is over.
enum Broke {
    /// The order has ended like this, and all of it was shown.
    Ended(Value),
    /// The service, or the way to it, went away.
    Off(String),
}

struct Watch<'a> {
    http: &'a Http,
    base: &'a str,
    order: &'a str,
    /// The id of the last entry shown.
    seen: Option<String>,
}

impl Watch<'_> {
    /// Shows what one stream brings. A stream that ends says nothing about the order: a service that
    /// stops also ends its streams. Only the answer to the next request shows.
    async fn follow(&mut self, out: &Output) -> Result<Broke> {
        let mut call = Call::get(self.base, &["orders", self.order, "events"])?;
        if let Some(seen) = &self.seen {
            call = call.header("Last-Event-ID", seen)?;
        }
        let response = match timeout(SILENCE_MAX, self.http.send(call)).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) | Err(_) => return Ok(Broke::Off("no answer".to_owned())),
        };
        match response.status() {
            StatusCode::NO_CONTENT => return self.end().await,
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Broke::Off(status.to_string()));
            }
            status if status.is_success() => {}
            _refused => return body(response).await.map(|_| Broke::Off("no stream".to_owned())),
        }
        let mut stream = response.bytes_stream();
        let (mut buffer, mut entry) = (Vec::new(), Entry::default());
        while let Ok(Some(Ok(chunk))) = timeout(SILENCE_MAX, stream.next()).await {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                if let Some((id, data)) = entry.line(String::from_utf8_lossy(&line).trim_end()) {
                    let data: Value = serde_json::from_str(&data)
                        .with_context(|| format!("{} sent no JSON", self.base))?;
                    out.line(format_args!("  {}", entry_line(&data)));
                    out.document(&data);
                    self.seen = id.or(self.seen.take());
                }
            }
            if buffer.len() > LINE_BYTES_MAX {
                bail!("{} sent a line without an end", self.base);
            }
        }
        Ok(Broke::Off("the stream ends at once".to_owned()))
    }

    /// How it ended: the stream says what happened, not how it turned out.
    async fn end(&self) -> Result<Broke> {
        let found = self.http.ask(Call::get(self.base, &["orders", self.order])?).await;
        Ok(found.map_or_else(|error| Broke::Off(format!("{error:#}")), Broke::Ended))
    }
}

/// A server-sent event as far as it was read.
#[derive(Default)]
struct Entry {
    id: Option<String>,
    data: Option<String>,
}

impl Entry {
    /// Takes a line; returns id and data of an event that an empty line completes. One that was cut off
    /// is not shown, and is requested again.
    fn line(&mut self, line: &str) -> Option<(Option<String>, String)> {
        match line.split_once(':') {
            Some(("id", id)) => self.id = Some(id.trim().to_owned()),
            Some(("data", data)) => self.data = Some(data.trim().to_owned()),
            _other if line.is_empty() => {
                let Entry { id, data } = std::mem::take(self);
                return data.map(|data| (id, data));
            }
            _other => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn an_event_counts_when_its_empty_line_has_come() {
        let mut entry = Entry::default();
        for line in [": heartbeat", "id: 3", "event: OrderPlaced", "data: {\"a\":1}"] {
            assert_eq!(entry.line(line), None, "{line}");
        }
        let complete = Some((Some("3".to_owned()), "{\"a\":1}".to_owned()));
        assert_eq!(entry.line(""), complete);
        assert_eq!(entry.line(""), None, "the end of a heartbeat is no event");
    }
}
