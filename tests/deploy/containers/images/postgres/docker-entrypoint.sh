#!/bin/bash
# As in the original: drop root, make the database at the first start, then run the command.
set -euo pipefail
if [[ $1 == postgres && $(id -u) == 0 ]]; then
  install --directory --owner=postgres --group=postgres --mode=0700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
if [[ $1 == postgres && ! -s $PGDATA/PG_VERSION ]]; then
  owner=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$owner}
  initdb --username="$owner" --encoding=UTF8 --auth-host=scram-sha-256 \
    --pwfile=<(printf '%s' "$POSTGRES_PASSWORD") > /dev/null
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
  # Meanwhile it answers on the socket only.
  pg_ctl --wait --options='-c listen_addresses=' start > /dev/null
  if [[ $database != postgres ]]; then
    createdb --username="$owner" "$database"
  fi
  pg_ctl --wait --mode=fast stop > /dev/null
fi
exec "$@"
