#!/bin/sh
# restore.sh DUMP ROLES: restores what dump.sh wrote into a database that the bootstrap has just prepared, all or nothing.
#
# PG* name the server, the database and its master user, which has to have the name that it had. Needs a POSIX shell and
# the client programs of PostgreSQL 17.
set -eu
dump=${1:?usage: restore.sh database.dump roles.sql}
roles=${2:?usage: restore.sh database.dump roles.sql}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PGAPPNAME=supabase-restore
export PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning"
query() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }

prepared=$(query --command="select to_regprocedure('supabase_bootstrap.cover_row_security()') is not null")
[ "$prepared" = t ] || { echo "restore: the bootstrap has not prepared $PGDATABASE" >&2; exit 1; }
filled=$(query --command="select string_agg(c.oid::regclass::text, ', ') from pg_class c join pg_namespace n on n.oid = relnamespace
    where relkind in ('r', 'p') and nspname !~ '^pg_' and nspname not in ('information_schema', 'supabase_bootstrap')
    and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')")
[ -z "$filled" ] || { echo "restore: $PGDATABASE has to be empty, but there are $filled" >&2; exit 1; }

# An entry without its numbers is the same in every dump.
entries() {
    pg_restore --list "$1" >"$work/list"
    awk 'match($0, /^[0-9]+; [0-9]+ [0-9]+ /) { print substr($0, 1, RLENGTH - 1) "\t" substr($0, RLENGTH + 1) }' "$work/list"
}
entries "$dump" >"$work/dump"
pg_dump --format=custom --schema-only --file="$work/prepared.dump"
entries "$work/prepared.dump" >"$work/prepared"
# Left out: what the bootstrap has made here, or makes on another server, and what only a superuser may make. Grants are
# not: the dump may have more of them.
awk -F '\t' -v work="$work" '
    FILENAME ~ /prepared$/ { here[$2] = 1; next }
    $2 ~ /^(ACL|COMMENT|TABLE DATA|TABLE|CONSTRAINT|FUNCTION|SCHEMA) (- SCHEMA )?supabase_bootstrap / || $2 ~ /^SCHEMA - supabase_bootstrap / { next }
    $2 ~ /^PUBLICATION TABLES IN SCHEMA / { print "restore: left out, because it needs a superuser: " $2 > "/dev/stderr"; next }
    $2 ~ /^(EXTENSION -|COMMENT - EXTENSION) "?(pgcrypto|uuid-ossp|pg_stat_statements)"? / { next }
    $2 ~ /^(ACL|COMMENT|FUNCTION) extensions (FUNCTION )?uuid_generate_v4\(\) / { next }
    $2 ~ /^EVENT TRIGGER - (supabase_notify_api|supabase_cover_row_security) / { next }
    $2 ~ /^PUBLICATION - supabase_realtime / { next }
    $2 ~ /^POLICY .* (service_role_sees_all|backup_reads_all) [^ ]*$/ { next }
    { list = $2 ~ /^(ACL|DEFAULT ACL) / ? ($2 ~ /^ACL - SCHEMA / ? "schema-grants" : "grants") \
        : $2 in here ? "" : $2 ~ /^SCHEMA / ? "schemas" : $2 ~ /^(MATERIALIZED VIEW DATA|EVENT TRIGGER) / ? "last" : "objects" }
    list { print $1 > (work "/" list) }
' "$work/prepared" "$work/dump"

# The SQL of a list. Grants of a role that was given the right to grant are made as that role: pg_dump assumes a superuser,
# who can become it as the session's user, while a master user can with SET ROLE.
sql_of() {
    [ -s "$work/$1" ] || return 0
    case $1 in
        *grants)
            pg_restore --use-list="$work/$1" --file="$work/$1.sql" "$dump" || return 1
            sed 's/^SET SESSION AUTHORIZATION \(.*\);$/SET ROLE \1;/; s/^RESET SESSION AUTHORIZATION;$/RESET ROLE;/' "$work/$1.sql"
            ;;
        # A view is filled with what its owner may see.
        last) pg_restore --enable-row-security --use-list="$work/$1" --file=- "$dump" ;;
        *) pg_restore --use-list="$work/$1" --file=- "$dump" ;;
    esac
}

# What fails ends it before the last line, and nothing is committed.
statements() {
    echo 'begin;' && cat "$here/restore.sql" "$roles" && echo 'select pg_temp.act_for_all_roles();' &&
        sql_of schemas && echo 'select pg_temp.open_schemas();' && sql_of objects &&
        echo 'select pg_temp.close_schemas(); select pg_temp.take_back_grants();' &&
        sql_of schema-grants && sql_of grants && sql_of last &&
        printf '%s\n' 'select supabase_bootstrap.cover_row_security() \g /dev/null' 'commit;' '\echo restored'
}

ended=$(statements | query --file=- | tail -n 1)
[ "$ended" = restored ] || { echo "restore: nothing was restored" >&2; exit 1; }
echo "restore: restored $PGDATABASE, $(grep -c 'TABLE DATA ' "$work/dump") tables"
query --command="select format('restore: the next backup will fail: %s of %I: %s', object_name, owner, reason)
    from supabase_bootstrap.missing_from_backup()" >&2
