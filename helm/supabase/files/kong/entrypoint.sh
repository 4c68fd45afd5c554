#!/bin/sh
# Puts the keys into Kong's declarative configuration and starts Kong.
#
# Every ${NAME} in the template becomes the value of the environment variable NAME. The shell alone does it:
# a key on another program's command line would be readable in the process list.
# Environment: KONG_CONFIG_TEMPLATE (read), KONG_DECLARATIVE_CONFIG (written, on a memory-backed volume).
set -eu

die() {
    echo "kong: $1" >&2
    exit 1
}

# substitute LINE: prints LINE with its placeholders filled in.
# shellcheck disable=SC2016 # the text ${ is what is looked for, not a variable
substitute() {
    rest=$1
    filled=
    while :; do
        case $rest in
            *'${'*'}'*) ;;
            *) break ;;
        esac
        filled=$filled${rest%%'${'*}
        rest=${rest#*'${'}
        name=${rest%%'}'*}
        rest=${rest#*'}'}
        case $name in
            '' | [0-9]* | *[!A-Z0-9_]*) die "the template holds a placeholder that is no variable name: $name" ;;
        esac
        eval "value=\${$name-}"
        [ -n "$value" ] || die "the template needs the environment variable $name, which is empty or missing"
        # The values stand inside double quotes in YAML.
        case $value in
            *'"'* | *\\* | *'
'*) die "the value of $name holds a quote, a backslash or a line break" ;;
        esac
        filled=$filled$value
    done
    printf '%s\n' "$filled$rest"
}

umask 077
while IFS= read -r line || [ -n "$line" ]; do
    substitute "$line"
done <"$KONG_CONFIG_TEMPLATE" >"$KONG_DECLARATIVE_CONFIG"

# The two public builds of the image differ in where this script lies.
for start in /entrypoint.sh /docker-entrypoint.sh; do
    [ -x "$start" ] && exec "$start" kong docker-start
done
die "found neither /entrypoint.sh nor /docker-entrypoint.sh in the image"
