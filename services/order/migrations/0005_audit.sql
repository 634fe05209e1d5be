-- What an audit reads of orders (the schema is the chassis'). Words, not numbers: the numbers of states are this
-- service's own, and a state without a word here fails a test.
create function audit.outcome(state smallint) returns text immutable language sql as $$
    select case
        when state in (1, 2, 3, 4, 5, 6, 8, 10, 11, 12) then 'open'
        when state = 7 then 'completed'
        when state = 9 then 'cancelled'
        when state = 13 then 'returned'
    end
$$;

create view audit.orders as
select order_id, audit.outcome(state) as outcome, total_minor, sequence from orders;

-- What order charges.
create view audit.prices as
select sku, unit_price_minor, currency, sequence from prices;

create view audit.published as
select 'order.events' as topic, order_id::text as key, order_id, sequence from orders;
