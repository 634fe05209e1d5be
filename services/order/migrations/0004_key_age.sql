-- Keys are no longer kept as long as their orders, but for FLOTILLA_IDEMPOTENCY_KEYS_KEEP_DAYS (docs/retention.md).
-- Those that are older are found by this index. Requests wait while it is made: two seconds for a million keys.
create index idempotency_keys_by_age on idempotency_keys (created_at);
