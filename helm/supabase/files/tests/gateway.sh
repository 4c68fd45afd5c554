#!/bin/sh
# What must hold at the gateway, asked from inside the namespace. Reads GATEWAY_URL, SUPABASE_ANON_KEY,
# SUPABASE_SERVICE_ROLE_KEY and <COMPONENT>_ENABLED. Prints one line a check; ends with 1 if any failed.
set -u
failed=0
newline='
'

# expect STATUS PATH [KEY]: the answer to GET PATH, with KEY as the API key when given.
# The key goes through a configuration on standard input: a command line is readable for others.
expect() {
    if [ -n "${3-}" ]; then
        config="header = \"apikey: $3\"
header = \"Authorization: Bearer $3\""
    else
        config=
    fi
    # Curl would take a 503 that is expected for one that passes.
    case $1 in
        503) retries=0 ;;
        *) retries=3 ;;
    esac
    # The body comes along, because it says why; a file to keep it in would need a volume.
    answer=$(printf '%s\n' "$config" | curl --config - --silent --show-error --max-time 20 \
        --retry "$retries" --retry-delay 2 --retry-connrefused --write-out '\n%{http_code}' "$GATEWAY_URL$2") || true
    status=${answer##*"$newline"}
    case " $1 " in
        *" $status "*) echo "ok    $2 answers $status" ;;
        *)
            said=$(printf '%s' "${answer%"$newline"*}" | tr -s '[:space:]' ' ' | cut -c1-300)
            echo "FAILED $2 answers $status, expected $1${said:+: $said}"
            failed=1
            ;;
    esac
}

expect 200 /healthz
if [ "$AUTH_ENABLED" = true ]; then
    expect 401 /auth/v1/health
    expect 401 /auth/v1/health wrong-key
    expect 200 /auth/v1/health "$SUPABASE_ANON_KEY"
fi
if [ "$REST_ENABLED" = true ]; then
    expect 401 /rest/v1/
    expect 200 /rest/v1/ "$SUPABASE_SERVICE_ROLE_KEY"
fi
[ "$STORAGE_ENABLED" = true ] && expect 200 /storage/v1/status
[ "$FUNCTIONS_ENABLED" = true ] && expect 200 /functions/v1/hello
if [ "$META_ENABLED" = true ]; then
    expect 403 /pg/tables "$SUPABASE_ANON_KEY"
fi
[ "$STUDIO_ENABLED" = true ] && expect 401 /
[ "$REALTIME_ENABLED" = true ] || expect 503 /realtime/v1/websocket
exit "$failed"
