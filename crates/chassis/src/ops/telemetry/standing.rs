//! How a replica stands, for those who cannot ask `/readyz`: whether it is ready, which parts wait, and the
//! connections on which it reads for callers. Looked at when somebody asks: nothing is recorded meanwhile, and what
//! has recovered is not shown any more.

use std::sync::{Arc, OnceLock};

use opentelemetry::KeyValue;
use sqlx::PgPool;

use super::maker::Maker;
use crate::ops::health::Health;

/// What is looked at.
struct Shown {
    health: Arc<Health>,
    readers: PgPool,
}

/// Instruments are made before there is anything to look at.
#[derive(Clone, Default)]
pub(crate) struct Standing(Arc<OnceLock<Shown>>);

impl Standing {
    pub(super) fn shown_by(make: &Maker<'_>) -> Self {
        let standing = Standing::default();
        let shown = standing.clone();
        make.looked_at("flotilla_ready", "1 where callers may be sent here", move |show| {
            if let Some(Shown { health, .. }) = shown.0.get() {
                show(None, u64::from(health.is_ready()));
            }
        });
        let shown = standing.clone();
        make.looked_at("flotilla_waits_for", "1 for each part that waits", move |show| {
            for part in
                shown.0.get().into_iter().flat_map(|shown| shown.health.conditions().into_keys())
            {
                show(Some(KeyValue::new("part", part)), 1);
            }
        });
        let shown = standing.clone();
        make.looked_at(
            "flotilla_reader_connections",
            "Connections to the database that read for callers, by state",
            move |show| {
                if let Some(Shown { readers, .. }) = shown.0.get() {
                    let idle = readers.num_idle() as u64;
                    let busy = u64::from(readers.size()).saturating_sub(idle);
                    show(Some(KeyValue::new("state", "idle")), idle);
                    show(Some(KeyValue::new("state", "busy")), busy);
                }
            },
        );
        standing
    }

    /// What they show from now on.
    pub(crate) fn show(&self, health: Arc<Health>, readers: PgPool) {
        // A service has one of each: a second call has nothing to add.
        _ = self.0.set(Shown { health, readers });
    }
}
