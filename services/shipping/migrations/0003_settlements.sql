-- What operators said became of a call whose outcome the carrier would not tell. Kept for good, and never
-- changed: it is why a shipment is where no answer of the carrier led it.
create table settlements (
    settlement_id  bigint generated always as identity primary key,
    order_id       uuid        not null,
    outcome        text        not null
                   check (outcome in ('dispatched', 'refused', 'cancelled')),
    tracking_code  text,
    refusal_reason text
                   check (refusal_reason in ('unknown', 'destination_not_served', 'goods_not_accepted')),
    settled_by     text        not null check (settled_by <> ''),
    reason         text        not null check (reason <> ''),
    settled_at     timestamptz not null,

    constraint a_parcel_under_way_is_tracked
        check ((tracking_code is not null) = (outcome = 'dispatched')),
    constraint a_reason_belongs_to_a_refusal
        check ((refusal_reason is not null) = (outcome = 'refused'))
);
create index settlements_of_an_order on settlements (order_id);

create function settlements_are_kept() returns trigger language plpgsql as $$
begin
    raise exception 'settlements are only ever added';
end
$$;
create trigger settlements_are_kept before update or delete or truncate on settlements
    for each statement execute function settlements_are_kept();
