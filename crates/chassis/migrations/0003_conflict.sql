-- Ends a batch's one statement when a row that it was to change is no longer as it was read. Volatile,
-- so that no planner calls it ahead of time; an SQLSTATE of its own, so that nothing else is taken
-- for it.
create function conflict(what text) returns boolean volatile language plpgsql as $$
begin
    raise exception using errcode = 'FL001', message = what;
end
$$;
