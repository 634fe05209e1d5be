#!/usr/bin/env bash
# The two roles of a service in its own database server, as docs/operating.md says: an owner that creates tables, and
# an application that reads and writes rows. Postgres' image runs this once, when the folder is still empty.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --set name="$FLOTILLA_DATABASE" --set secret="$POSTGRES_PASSWORD" \
    --username postgres --dbname postgres <<'SQL'
select :'name' || '_owner' as owner, :'name' || '_app' as app \gset
create role :"owner" login password :'secret';
create role :"app" login password :'secret';
create database :"name" owner :"owner";
revoke all on database :"name" from public;
grant connect on database :"name" to :"app";
SQL
