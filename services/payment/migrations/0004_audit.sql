-- What an audit reads of payments (the schema is the chassis'). Words, not numbers: the numbers of states are this
-- service's own, and a state without a word here fails a test.
create function audit.money(state smallint) returns text immutable language sql as $$
    select case
        when state in (1, 4, 5, 7, 9) then 'moving'     -- a call to the provider is open
        when state = 2 then 'authorized'
        when state in (3, 6) then 'nothing'             -- never set aside, or given back
        when state = 8 then 'captured'
        when state = 10 then 'refunded'
    end
$$;

create view audit.payments as
select order_id, audit.money(state) as money, coalesce(amount_minor, 0) as amount_minor from payments;

-- Payments of which an operator said what the provider did not.
create view audit.settled as
select distinct order_id from settlements;

create view audit.published as
select 'payment.events' as topic, order_id::text as key, order_id, sequence from payments;
