#!/bin/sh
# For cron: */15 * * * * /opt/catalog-sync/sync.sh
# Put the secret into a file that only this user can read:
#   CATALOG_SYNC_ODOO_ERP_PASSWORD_FILE=/opt/catalog-sync/password
# Two syncs never overlap: the second one ends at once and says which process holds the lock.
cd "$(dirname "$0")" || exit 2
if [ -f ./catalog-sync.env ]; then
  set -a
  . ./catalog-sync.env
  set +a
fi
for program in ./catalog-sync ./target/release/catalog-sync catalog-sync; do
  if command -v "$program" >/dev/null 2>&1; then
    "$program" sync "$@" >>sync.log 2>&1
    exit $?
  fi
done
echo "sync.sh: no catalog-sync found beside it, in target/release or on the PATH" >&2
exit 2
