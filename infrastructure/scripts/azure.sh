# shellcheck shell=bash
# What the steps of a deployment share. They need Azure's command line, signed in, and two variables:
# RESOURCE_GROUP and APP, which are outputs of Terraform. What a command prints is assigned before it is used: only so does a script
# end when the command fails.
set -euo pipefail
: "${RESOURCE_GROUP:?the resource group of the bank}" "${APP:?the name of its container app}"

die() { echo "${0##*/}: $*" >&2; exit 1; }

# Azure's command line, on the bank's servers or on one of its jobs.
app() { az containerapp "$@" --name "$APP" --resource-group "$RESOURCE_GROUP" --output tsv; }
job() { local job=$1; shift; az containerapp job "$@" --name "$APP-$job" --resource-group "$RESOURCE_GROUP" --output tsv; }

# The name of the revision with a label; nothing if there is none.
revision_with() { app ingress traffic show --query "[?label=='$1'].revisionName"; }

# The per cent of the traffic that a revision gets.
weight_of() { app ingress traffic show --query "[?revisionName=='$1'].weight" | awk '{ sum += $1 } END { print sum + 0 }'; }

# Run a job to its end, and fail if it fails.
run_job() {
    local execution status
    execution=$(job "$1" start --query name)
    while true; do
        status=$(job "$1" execution show --job-execution-name "$execution" --query properties.status)
        case $status in
            Succeeded) return ;;
            Running | Processing | Unknown) sleep "${POLL_SECONDS:-5}" ;;
            *) die "The job $1 ended as $status: its log is in the workspace, under the execution $execution." ;;
        esac
    done
}
