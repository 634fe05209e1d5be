-- Calls to the outside that were asked for: one row for all that a batch asks, in its transaction, gone
-- when all of them are answered. What falls due lost its answer in a crash, and is asked for again.
-- Apart from the services' tables, so that opening or closing a call changes no index of theirs.
create table intents (
    id      uuid        primary key,
    -- By these keys the service knows whether the calls are still open.
    keys    uuid[]      not null check (cardinality(keys) > 0),
    due_at  timestamptz not null
);
alter table intents alter column keys set storage external;
create index intents_due on intents (due_at);
