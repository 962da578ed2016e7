#!/bin/sh
# Runs once, when the database is made: a login that owns the schema, for migrations, and one for the server, which can add to the
# books and cannot rewrite them. Neither can do anything else on this PostgreSQL.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set=owner_password="$OWNER_PASSWORD" --set=app_password="$APP_PASSWORD" <<'SQL'
CREATE ROLE bank_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE bank_app LOGIN PASSWORD :'app_password';
GRANT pg_read_all_stats TO bank_app;
CREATE DATABASE bank OWNER bank_owner ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE bank FROM PUBLIC;
GRANT CONNECT ON DATABASE bank TO bank_owner, bank_app;
SQL
