#!/usr/bin/env bash
# Applies a plan, which adds a revision without traffic, and gives it the label green.
# Usage: add-revision.sh PLAN REVISION
[ $# = 2 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/azure.sh"
new=$APP--$2
revisions=$(app revision list --query '[].name')
! grep -qxF "$new" <<<"$revisions" || die "There is a revision $2 already: choose another name."
terraform -chdir="$(dirname "${BASH_SOURCE[0]}")/.." apply -input=false -lock-timeout=5m "$1"
weight=$(weight_of "$new")
[ "$weight" = 0 ] || die "The new revision has traffic before it was tried: run roll-back.sh."
app revision label add --label green --revision "$new" --no-prompt >/dev/null
for _ in $(seq 60); do
    state=$(app revision show --revision "$new" --query properties.healthState)
    [ "$state" != Healthy ] || { echo "The revision $2 runs, without traffic."; exit; }
    sleep "${POLL_SECONDS:-5}"
done
die "The revision $2 does not become healthy: $state."
