#!/bin/sh
# Writes to DUMP_DIR: database.dump, in pg_dump's custom format, and roles.sql, for a server without the roles.
# PG* name the server and the role. Fails, and names the tables, if the dump would lack a row.
set -eu
export PGAPPNAME=supabase-backup
rm -f "$DUMP_DIR/complete"
# The question and the dump share one snapshot: what is made in between is in neither.
psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --file="$(dirname "$0")/dump.sql"
if [ ! -e "$DUMP_DIR/complete" ]; then
    echo "backup: pg_dump failed" >&2
    exit 1
fi
# A dump that cannot be listed cannot be restored.
pg_restore --list "$DUMP_DIR/database.dump" >"$DUMP_DIR/contents.txt"
echo "backup: dumped $PGDATABASE, $(wc -c <"$DUMP_DIR/database.dump") bytes, $(grep -c 'TABLE DATA' "$DUMP_DIR/contents.txt") tables"
