#!/usr/bin/env bash
# Deploys an image by the steps in their order: migrate, add a revision without traffic, try it, shift the traffic in stages, finish.
# After each shift it waits WATCH_SECONDS (300), and tries the new revision again. If a step fails or the script is stopped, the
# old revision gets all the traffic again, and the script fails.
# Usage: deploy.sh PLAN IMAGE REVISION, with a plan of plan.sh
[ $# = 3 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
set -euo pipefail
steps=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

"$steps/migrate.sh" "$2"
on_exit() {
    [ $? != 0 ] || return 0
    trap '' INT TERM HUP # nothing stops the way back
    [ -z "${pause:-}" ] || kill "$pause" 2>/dev/null || true
    "$steps/roll-back.sh"
}
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
"$steps/add-revision.sh" "$1" "$3"
"$steps/smoke.sh"
for percent in 10 50 100; do
    "$steps/shift-traffic.sh" $percent
    sleep "${WATCH_SECONDS:-300}" &
    pause=$!
    wait $pause # a signal ends it
    "$steps/smoke.sh"
done
trap - EXIT # the new revision is right: nothing takes its traffic away any more
"$steps/finish.sh"
