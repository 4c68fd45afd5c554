#!/bin/sh
# Copies DUMP_DIR/database.dump to s3://BACKUP_BUCKET/BACKUP_PREFIX/<year>/<month>/<time>.dump and looks at what arrived.
# Credentials come from the service account's role.
set -eu
key=$BACKUP_PREFIX/$(date -u +%Y/%m/%Y%m%dT%H%M%SZ).dump
aws s3 cp --only-show-errors "$DUMP_DIR/database.dump" "s3://$BACKUP_BUCKET/$key"
size=$(aws s3api head-object --bucket "$BACKUP_BUCKET" --key "$key" --query ContentLength --output text)
expected=$(wc -c <"$DUMP_DIR/database.dump" | tr -d ' ')
if [ "$size" != "$expected" ]; then
    echo "backup: s3://$BACKUP_BUCKET/$key has $size bytes, expected $expected" >&2
    exit 1
fi
echo "backup: stored s3://$BACKUP_BUCKET/$key, $size bytes"
