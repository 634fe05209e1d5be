-- What operators said became of a call whose outcome the provider would not tell. Kept for good, and never
-- changed: it is why a payment is where no answer of the provider led it.
create table settlements (
    settlement_id    bigint generated always as identity primary key,
    order_id         uuid        not null,
    outcome          text        not null
                     check (outcome in ('authorized', 'declined', 'voided', 'captured', 'refunded')),
    authorization_id text,
    settled_by       text        not null check (settled_by <> ''),
    reason           text        not null check (reason <> ''),
    settled_at       timestamptz not null,

    constraint a_hold_has_an_authorization
        check ((authorization_id is not null) = (outcome = 'authorized'))
);
create index settlements_of_an_order on settlements (order_id);

create function settlements_are_kept() returns trigger language plpgsql as $$
begin
    raise exception 'settlements are only ever added';
end
$$;
create trigger settlements_are_kept before update or delete or truncate on settlements
    for each statement execute function settlements_are_kept();
