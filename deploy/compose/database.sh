#!/bin/sh
# Makes the two roles and the database, when the image of PostgreSQL starts over an empty volume. docs/how-to/prepare-the-database.md
# says why there are two.
set -eu
secrets=${CLEARWINDOW_SECRETS:-/run/secrets}
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres \
    --set=owner="$(cat "$secrets/owner.password")" --set=application="$(cat "$secrets/application.password")" <<'SQL'
CREATE ROLE clearwindow_owner LOGIN PASSWORD :'owner';
CREATE ROLE clearwindow_app LOGIN PASSWORD :'application';
CREATE DATABASE clearwindow OWNER clearwindow_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE clearwindow FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE clearwindow TO clearwindow_app;
SQL
