#!/usr/bin/env bash
# Migrates the database with a new image, while the servers of the old one go on. Migrations only add, so both can use the result.
# What nobody uses any more is removed by a migration of a later release.
# Usage: migrate.sh IMAGE, which is name@sha256:… in the registry of the servers
[ $# = 1 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/azure.sh"
[[ $1 =~ ^[a-z0-9._-]+@sha256:[0-9a-f]{64}$ ]] || die "An image is named by its digest: name@sha256:…."
registry=$(app show --query 'properties.configuration.registries[0].server')
job migrate update --image "$registry/$1" --query name >/dev/null
run_job migrate
echo "The database is migrated."
