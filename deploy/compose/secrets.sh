#!/bin/sh
# Makes what docker-compose.yml needs in secrets/: random passwords for RabbitMQ, Redis, Grafana and the page, and for the remote systems
# those of the demo's stand-ins. What is there stays. Put your own in their place: one secret a file.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
# A container's user reads them through its own mount, whoever owns the folder: the folder alone is closed.
chmod 700 secrets

keep() {
  if [ ! -e "secrets/$1" ]; then
    printf '%s' "$2" > "secrets/$1"
    chmod 644 "secrets/$1"
    echo "secrets/$1"
  fi
}

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

keep broker_password "$(random)"
keep redis_password "$(random)"
keep grafana_password "$(random)"
keep page_token "$(random)"

# Not secret: the stand-ins of the profile `demo` know no others.
keep odoo_shop_password sandbox-admin-password
keep odoo_erp_password sandbox-admin-password
keep zoho_store_client_secret 5a9db0c5ec7e7a9db0c5ec7e7a9db0c5ec7e7a9db0
keep zoho_store_refresh_token 1000.5a9db0f8e54705a9db0f8e5470aa5a9d.b0f8e54705a9db0f8e54705a9db0aa55
