#!/usr/bin/env bash
# Tries the revision with the label green as a customer would, from inside the network: `bank-graphql smoke`.
# Usage: smoke.sh
[ $# = 0 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/azure.sh"
run_job smoke
echo "The new revision does what it should."
