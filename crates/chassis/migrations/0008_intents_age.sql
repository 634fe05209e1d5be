-- When the oldest call of the row was first asked for, which making it again does not change. Those from
-- before are of unknown age, which is taken for a long one.
alter table intents add column asked_at timestamptz not null default 'epoch';
alter table intents alter column asked_at set default now();
