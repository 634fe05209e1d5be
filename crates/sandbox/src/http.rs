//! The HTTP surface: routes, keys, bounds, and how an answer is given. What each route means is in
//! its own file; what the calls mean together is in the crate's documentation.

mod error;
mod form;
mod intent;
mod operator;
mod payments;
mod shipments;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use self::error::ApiError;
use crate::conduct::Fate;
use crate::manner::Manner;
use crate::simulator::{Act, Simulator, Unsettled};

/// The largest body that is read. The largest sensible body has a few hundred bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What every test key starts with.
const TEST_KEY: &str = "sk_test_";

/// Says that an answer was given before, by the public convention.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Serves until `shutdown`, or until the journal can no longer be written, which is an error.
pub async fn serve(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // Without it an answer waits for the acknowledgement of the previous one.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "the connection is gone already");
        }
    });
    let app = router(Arc::clone(&simulator));
    let server = axum::serve(listener, app).with_graceful_shutdown(shutdown);
    tokio::select! {
        ended = server.into_future() => ended,
        () = simulator.failed() => Err(std::io::Error::other("the journal cannot be written")),
    }
}

/// All routes.
pub fn router(simulator: Arc<Simulator>) -> Router {
    let provider_and_carrier = Router::new()
        .route("/v1/payment_intents", post(payments::create))
        .route("/v1/payment_intents/search", get(payments::search))
        .route("/v1/payment_intents/{id}", get(payments::show))
        .route("/v1/payment_intents/{id}/capture", post(payments::capture))
        .route("/v1/payment_intents/{id}/cancel", post(payments::cancel))
        .route("/v1/refunds", get(payments::list_refunds).post(payments::refund))
        .route("/v1/refunds/{id}", get(payments::show_refund))
        .route("/v1/shipments/{order_id}", get(shipments::show).put(shipments::book))
        .route("/v1/shipments/{order_id}/cancel", post(shipments::cancel))
        .layer(middleware::from_fn(require_test_key));
    Router::new()
        .merge(provider_and_carrier)
        .route("/ledger", get(operator::ledger))
        .route("/ledger/{order_id}", get(operator::order))
        .route("/control", get(operator::settings).post(operator::control))
        .route("/healthz", get(|| async { "ok" }))
        .fallback(|| async { ApiError::unknown_url() })
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(simulator)
}

async fn require_test_key(request: Request, next: Next) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    let key = authorization
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(|key| key.strip_prefix(TEST_KEY));
    match key {
        Some(secret) if !secret.is_empty() => next.run(request).await,
        Some(_) | None => ApiError::unauthorized().into_response(),
    }
}

/// Carries out an act as the settings and the act's own test input say, and answers it.
async fn carry_out<A: Act>(
    simulator: &Arc<Simulator>,
    act: A,
    render: impl FnOnce(A::Answer) -> Response,
) -> Response
where
    ApiError: From<A::Refusal>,
{
    let settings = simulator.conduct.settings();
    let fate = simulator.conduct.draw(&settings);
    if fate == Fate::Refused {
        return ApiError::unavailable().into_response();
    }
    if !settings.latency().is_zero() {
        tokio::time::sleep(settings.latency()).await;
    }
    let applied = match simulator.settle(act).await {
        Ok(applied) => applied,
        Err(Unsettled::Refused(refusal)) => {
            let replayed = A::is_replay(&refusal);
            return mark(ApiError::from(refusal).into_response(), replayed);
        }
        Err(Unsettled::NotRecorded) => return ApiError::not_recorded().into_response(),
    };
    let lost = applied.first && applied.manner == Manner::LosesAnswer;
    if lost || fate == Fate::Unanswered {
        // A caller that gives up closes the connection, which ends this wait.
        tokio::time::sleep(settings.hold()).await;
        return ApiError::lost().into_response();
    }
    if applied.first && applied.manner == Manner::FailsAfter {
        return ApiError::failed_after().into_response();
    }
    let response = match applied.broken {
        true => ApiError::failed_after().into_response(),
        false => render(applied.answer),
    };
    mark(response, !applied.first)
}

/// Marks an answer that was given before.
fn mark(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
