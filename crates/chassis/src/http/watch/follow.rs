//! A row's history as server-sent events: so far, then each entry as it happens, until the end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use tokio::time::timeout;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Hub, Watched, Watcher};
use crate::executor::handle::Handle;
use crate::http::problem::Problem;
use crate::service::Service;

/// Often enough that no proxy takes silence for the end.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the first reading may take.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);

/// The header that says how far a client got.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Describes the header that says how far a client got; [`Hub::follow`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header; it is read by itself")]
pub struct LastEventId {
    /// The id of the last event received, a number; empty counts as none.
    #[param(rename = "Last-Event-ID", pattern = "^[0-9]{0,9}$", nullable = false, example = "3")]
    id: Option<String>,
}

impl<W: Watched> Hub<W> {
    /// Streams the history of a row, from where the client got to. An entry's id is its number; 204 when the
    /// row has ended and the client has seen all of it. `None` when there is no such row.
    pub async fn follow<S: Service>(
        self: &Arc<Self>,
        handle: &Handle<S>,
        key: Uuid,
        headers: &HeaderMap,
    ) -> Result<Option<Response>, Problem> {
        let sent = last_event_id(headers)?;
        let mut watcher = self.watch(key)?;
        let first = timeout(FIRST_TIMEOUT, watcher.first()).await;
        let Some(row) = first.map_err(|_elapsed| Problem::not_read_in_time())? else {
            return Ok(None);
        };
        if row.has_ended() && row.entry(sent).is_none() {
            // To a client that reconnects by itself, only this says "do not come back".
            return Ok(Some(StatusCode::NO_CONTENT.into_response()));
        }
        let tail = Tail { handle: handle.clone(), watcher, row, sent };
        let heartbeat = KeepAlive::new().interval(HEARTBEAT);
        Ok(Some(Sse::new(tail.stream()).keep_alive(heartbeat).into_response()))
    }
}

/// Empty means none, as browsers and their stand-ins send it before they have received anything.
fn last_event_id(headers: &HeaderMap) -> Result<usize, Problem> {
    let value = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty());
    let Some(value) = value else { return Ok(0) };
    value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
        let rule = "must be the id of an event of this stream, a number";
        Problem::invalid_header(LAST_EVENT_ID, rule)
    })
}

/// A stream's place in the history.
struct Tail<W: Watched, S: Service> {
    handle: Handle<S>,
    watcher: Watcher<W>,
    row: Arc<W>,
    sent: usize,
}

impl<W: Watched, S: Service> Tail<W, S> {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut tail| async move {
            let event = tail.next().await?;
            Some((Ok(event), tail))
        })
    }

    /// The next entry, when it happens; `None` at the row's end or when the service stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((name, entry)) = self.row.entry(self.sent) {
                self.sent += 1;
                let event = Event::default().id(self.sent.to_string()).event(name);
                return Some(event.json_data(entry).expect("an entry is plain data"));
            }
            if self.row.has_ended() {
                return None;
            }
            tokio::select! {
                row = self.watcher.next() => self.row = row,
                () = self.handle.shutting_down() => return None,
            }
        }
    }
}
