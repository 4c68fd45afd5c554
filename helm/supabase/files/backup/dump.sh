#!/bin/sh
# Writes a dump of the database in pg_dump's custom format to DUMP_DIR/database.dump. PG* name the server and the role.
set -eu
target=$DUMP_DIR/database.dump
# Where the role does not bypass row security, policies admit it to every row: without this option pg_dump refuses.
pg_dump --format=custom --compress=6 --no-password --enable-row-security --file="$target"
# A dump that cannot be listed is none.
pg_restore --list "$target" >"$DUMP_DIR/contents.txt"
echo "backup: dumped $PGDATABASE, $(wc -c <"$target") bytes, $(grep -c 'TABLE DATA' "$DUMP_DIR/contents.txt") tables"
