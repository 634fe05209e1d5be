//! `GET /orders/{order_id}/events`: what happens to an order, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chassis::{AnyProblem, Handle, Path, Problem};
use futures::stream::{self, Stream};
use tokio::time::timeout;
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::EntryView;
use super::{Api, no_such_order};
use crate::history;
use crate::service::Orders;
use crate::store::OrderRow;
use crate::watch::Watcher;

/// Often enough that no proxy takes the silence for the end.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the first reading may take.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);

/// The header that says how far a client got.
const LAST_EVENT_ID: &str = "Last-Event-ID";

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header; it is read by itself")]
pub(super) struct LastEventId {
    /// The id of the last event received, a number; empty counts as none.
    #[param(rename = "Last-Event-ID", pattern = "^[0-9]{0,9}$", nullable = false, example = "3")]
    id: Option<String>,
}

/// Follow an order
///
/// A stream of server-sent events: the history so far, then each entry as it happens, until the order
/// is completed, cancelled or returned. An entry's id is its number; a client that reconnects with
/// `Last-Event-ID` gets what it missed, and 204 when the order has ended and nothing was missed.
#[utoipa::path(
    get,
    path = "/orders/{order_id}/events",
    tag = "orders",
    params(("order_id" = Uuid, Path), LastEventId),
    responses(
        (status = 200, description = "the stream: each event is named after its entry, and its data is \
         a `HistoryEntry` as JSON",
         body = String, content_type = "text/event-stream",
         example = "id: 1\nevent: OrderPlaced\ndata: {\"at\":\"2026-11-29T08:00:00Z\",\"event\":\"OrderPlaced\"}\n\n"),
        (status = 204, description = "the order has ended and the client has seen all of it"),
        (status = 404, description = "there is no such order", body = Problem,
         content_type = "application/problem+json"),
        AnyProblem,
    )
)]
pub(super) async fn order_events(
    State(api): State<Api>,
    Path(order): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sent = last_event_id(&headers)?;
    let mut watcher = api.hub.watch(order)?;
    let first = timeout(FIRST_TIMEOUT, watcher.first()).await;
    let first = first.map_err(|_| Problem::unavailable("the order could not be read in time"))?;
    let row = first.ok_or_else(no_such_order)?;
    if row.state.is_terminal() && sent >= history::entries(&row.history).count() {
        // To a client that reconnects by itself this is the only word for "do not come back".
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let tail = Tail { handle: api.handle, watcher, row, sent };
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(tail.stream()).keep_alive(heartbeat).into_response())
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
struct Tail {
    handle: Handle<Orders>,
    watcher: Watcher,
    row: Arc<OrderRow>,
    sent: usize,
}

impl Tail {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut tail| async move {
            let event = tail.next().await?;
            Some((Ok(event), tail))
        })
    }

    /// The next entry, when it happens; `None` at the order's end or when the service stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(entry) = history::entries(&self.row.history).nth(self.sent) {
                self.sent += 1;
                let view = EntryView::of(entry, &self.row);
                let event = Event::default().id(self.sent.to_string()).event(view.event);
                return Some(event.json_data(view).expect("an entry is plain data"));
            }
            if self.row.state.is_terminal() {
                return None;
            }
            tokio::select! {
                row = self.watcher.next() => self.row = row,
                () = self.handle.shutting_down() => return None,
            }
        }
    }
}
