#!/usr/bin/env bash
# Prints the events of one order, or of all of them, each once: one line of JSON for each, without their data.
#
#     ./consume.sh [--group NAME] [--idle SECONDS] [ORDER]
#
# Ends when nothing came for some seconds: kcat cannot know the end of an order.
set -euo pipefail

group=example-kcat idle=30
while [[ "${1:-}" == --* ]]; do
    case "$1" in
        --group) group="$2" ;;
        --idle) idle="$2" ;;
        *) echo "unknown option $1" >&2 && exit 2 ;;
    esac
    shift 2
done

# One line for each record: its place, its key and its headers, separated by tabs. Not its value: that is binary, and
# may hold tabs and line ends. kcat reads offsets as handled before we have printed them, so a crash may lose some.
coproc KCAT { exec kcat -q -b "$FLOTILLA_KAFKA_BROKERS" -G "$group" -X auto.offset.reset=earliest \
    -X partition.assignment.strategy=cooperative-sticky -u -f '%t\t%p\t%o\t%k\t%h\n' \
    order.events payment.events inventory.events shipping.events; }
trap 'kill "$KCAT_PID" 2>/dev/null || true' EXIT

declare -A seen ce
while IFS=$'\t' read -r -t "$idle" -u "${KCAT[0]}" topic partition offset key headers; do
    [ "${1:-$key}" = "$key" ] || continue
    ce=()
    IFS=, read -ra pairs <<<"$headers"
    for pair in "${pairs[@]}"; do ce["${pair%%=*}"]="${pair#*=}"; done
    # Delivery is at least once, and the same fact has the same source and id each time.
    event="${ce[ce_source]} ${ce[ce_id]}"
    [ -z "${seen[$event]:-}" ] || continue
    seen[$event]=yes
    printf '{"topic":"%s","partition":%s,"offset":%s' "$topic" "$partition" "$offset"
    for name in type source id sequence time; do printf ',"%s":"%s"' "$name" "${ce[ce_$name]}"; done
    printf '}\n'
done
