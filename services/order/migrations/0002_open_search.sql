-- Orders before this one are completed or cancelled: where a new replica begins to look for open ones.
-- Written about once a minute.
create table open_search (
    one_row  boolean primary key default true check (one_row),
    ended    uuid    not null
);
insert into open_search (ended) values ('00000000-0000-0000-0000-000000000000');
