#!/bin/sh
# Prepares the database for Supabase: runs bootstrap.sql as the master user in one session.
#
# Environment: PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE (and PGSSLROOTCERT) as psql reads them;
# BOOTSTRAP_DIR, where this script and the SQL lie; BOOTSTRAP_DIGEST, what the ledger records;
# TERMINATION_LOG, where the capability report goes; <ROLE>_PASSWORD for each role that logs in.
# Needs nothing but a POSIX shell and psql.
set -eu

: "${BOOTSTRAP_DIR:?must name the folder of bootstrap.sql}"
: "${PGHOST:?must name the database server}"
TERMINATION_LOG=${TERMINATION_LOG:-/dev/termination-log}
export PGAPPNAME=supabase-bootstrap
export PGCONNECT_TIMEOUT="${PGCONNECT_TIMEOUT:-10}"
export PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning"

case ${PGSSLMODE:-} in
    require | verify-ca | verify-full) ;;
    *)
        echo "bootstrap: PGSSLMODE must be require, verify-ca or verify-full, not '${PGSSLMODE:-}'" >&2
        exit 64
        ;;
esac

# password ROLE VALUE: one line for COPY. A password that COPY or a connection URL would read otherwise is refused.
password() {
    case $2 in
        '' | *[!A-Za-z0-9_.~-]*)
            echo "bootstrap: the password of $1 is empty or holds a character other than A-Z a-z 0-9 _ . ~ -" >&2
            exit 65
            ;;
    esac
    printf '%s\t%s\n' "$1" "$2"
}

# Over standard input, as data of a COPY: so no password is in an argument, a statement, a log or pg_stat_activity.
passwords() {
    password authenticator "${AUTHENTICATOR_PASSWORD:-}"
    password supabase_auth_admin "${SUPABASE_AUTH_ADMIN_PASSWORD:-}"
    password supabase_storage_admin "${SUPABASE_STORAGE_ADMIN_PASSWORD:-}"
    password supabase_admin "${SUPABASE_ADMIN_PASSWORD:-}"
    password supabase_backup "${SUPABASE_BACKUP_PASSWORD:-}"
}

# A new instance may not take connections yet; anything but that is not worth a second try.
attempt=1
until message=$(psql -X -q -A -t -c 'select 1' 2>&1); do
    case $message in
        *'could not translate host name'* | *'Connection refused'* | *'timeout expired'* | *'timed out'* | *'starting up'*) ;;
        # The second is OpenSSL's word for an authority of the right name with another key.
        *'certificate verify failed'* | *'SSL error: EVP lib'*)
            echo "bootstrap: the certificate of $PGHOST is not signed by any authority of database.caBundle;" \
                "give it the bundle that AWS publishes for the region of the instance: $message" >&2
            exit 66
            ;;
        *'does not match host name'*)
            echo "bootstrap: the certificate of $PGHOST is for another server; database.host has to be the endpoint" \
                "of the instance, not an alias: $message" >&2
            exit 66
            ;;
        *)
            echo "bootstrap: cannot connect to $PGHOST as $PGUSER: $message" >&2
            exit 66
            ;;
    esac
    if [ "$attempt" -ge "${CONNECT_ATTEMPTS:-30}" ]; then
        echo "bootstrap: gave up on $PGHOST after $attempt attempts: $message" >&2
        exit 66
    fi
    echo "bootstrap: $PGHOST does not answer yet (attempt $attempt)" >&2
    attempt=$((attempt + 1))
    sleep 2
done

# Checked before anything is changed: a pipe would hide its status.
lines=$(passwords)

report=$(printf '%s\n' "$lines" | psql -X -q -A -t -v ON_ERROR_STOP=1 \
    -v "digest=${BOOTSTRAP_DIGEST:-unknown}" -f "$BOOTSTRAP_DIR/bootstrap.sql")
unset lines

printf '%s\n' "$report" >"$TERMINATION_LOG"
printf '%s\n' "$report"
