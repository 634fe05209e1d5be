-- What an audit reads of reservations and items (the schema is the chassis'). Words, not numbers: the numbers of
-- states are this service's own, and a state without a word here fails a test.
create function audit.goods(state smallint) returns text immutable language sql as $$
    select case
        when state = 1 then 'reserved'
        when state in (2, 3) then 'nothing'             -- never set aside, or given back
        when state = 4 then 'deducted'
        when state = 5 then 'returned'
    end
$$;

create view audit.reservations as
select order_id, audit.goods(state) as goods, lines from reservations;

create view audit.stock as
select sku, free, reserved, shipped, adjusted,
       coalesce((select sum(delta) from adjustments a where a.sku = s.sku), 0)::bigint as ledger,
       unit_price_minor, currency, sequence
from stock s;

create view audit.published as
select 'inventory.events' as topic, order_id::text as key, order_id, sequence from reservations
union all
select 'inventory.catalogue', sku, null, sequence from stock;
