#!/bin/sh
# Copies what dump.sh left in DUMP_DIR to s3://BACKUP_BUCKET/BACKUP_PREFIX/<year>/<month>/<time>.dump, the roles beside it as
# <time>.roles.sql, and looks at what arrived. Credentials come from the service account's role.
set -eu
key=$BACKUP_PREFIX/$(date -u +%Y/%m/%Y%m%dT%H%M%SZ)

# upload FILE KEY
upload() {
    aws s3 cp --only-show-errors "$DUMP_DIR/$1" "s3://$BACKUP_BUCKET/$2"
    size=$(aws s3api head-object --bucket "$BACKUP_BUCKET" --key "$2" --query ContentLength --output text)
    expected=$(wc -c <"$DUMP_DIR/$1" | tr -d ' ')
    if [ "$size" != "$expected" ]; then
        echo "backup: s3://$BACKUP_BUCKET/$2 has $size bytes, expected $expected" >&2
        exit 1
    fi
    echo "backup: stored s3://$BACKUP_BUCKET/$2, $size bytes"
}

# Where there is a dump, its roles are there.
upload roles.sql "$key.roles.sql"
upload database.dump "$key.dump"
