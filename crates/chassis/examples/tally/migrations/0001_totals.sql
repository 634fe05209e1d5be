-- One total per key. A total below zero is refused by the database itself, so that the tests can see
-- what becomes of an input that makes its transaction fail.
create table totals (
    key text primary key,
    total bigint not null check (total >= 0),
    additions bigint not null,
    sequence bigint not null,
    version bigint not null default 0
) with (fillfactor = 50);
