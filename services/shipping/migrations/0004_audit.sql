-- What an audit reads of shipments (the schema is the chassis'). Words, not numbers: the numbers of states are this
-- service's own, and a state without a word here fails a test.
create function audit.parcel(state smallint) returns text immutable language sql as $$
    select case
        when state in (1, 2) then 'asked'               -- a call to the carrier is open
        when state = 3 then 'dispatched'
        when state in (4, 5) then 'kept'
    end
$$;

create view audit.shipments as
select order_id, audit.parcel(state) as parcel from shipments;

-- Shipments of which an operator said what the carrier did not.
create view audit.settled as
select distinct order_id from settlements;

create view audit.published as
select 'shipping.events' as topic, order_id::text as key, order_id, sequence from shipments;
