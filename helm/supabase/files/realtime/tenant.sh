#!/bin/sh
# Tells Realtime about its one tenant: this database, over TLS. The image's own seed would set ssl_enforced to false,
# which a server that forces TLS refuses, and would repeat that at every start.
#
# Environment: REALTIME_URL, TENANT, JWT_SECRET, SERVICE_ROLE_KEY, DATABASE_{HOST,PORT,NAME,USER,PASSWORD}, AWS_REGION.
# What is secret goes to curl over standard input and a file in memory, never as an argument.
set -eu
umask 077
body=$SCRATCH_DIR/tenant.json
cat >"$body" <<JSON
{"tenant": {
  "name": "$TENANT",
  "external_id": "$TENANT",
  "jwt_secret": "$JWT_SECRET",
  "extensions": [{
    "type": "postgres_cdc_rls",
    "settings": {
      "region": "$AWS_REGION",
      "db_host": "$DATABASE_HOST",
      "db_port": "$DATABASE_PORT",
      "db_name": "$DATABASE_NAME",
      "db_user": "$DATABASE_USER",
      "db_password": "$DATABASE_PASSWORD",
      "ssl_enforced": true,
      "publication": "supabase_realtime",
      "slot_name": "supabase_realtime_replication_slot",
      "poll_interval_ms": 100,
      "poll_max_changes": 100,
      "poll_max_record_bytes": 1048576
    }
  }]
}}
JSON
status=$(printf 'header = "Authorization: Bearer %s"\n' "$SERVICE_ROLE_KEY" | curl --config - --silent --show-error \
    --request PUT --header 'Content-Type: application/json' --data "@$body" --max-time 30 \
    --retry 10 --retry-delay 3 --retry-connrefused --output "$SCRATCH_DIR/answer" --write-out '%{http_code}' \
    "$REALTIME_URL/api/tenants/$TENANT")
case $status in
    200 | 201) echo "realtime: tenant $TENANT is registered" ;;
    *)
        echo "realtime: registering tenant $TENANT answered $status" >&2
        exit 1
        ;;
esac
