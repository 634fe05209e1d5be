#!/usr/bin/env bash
# Tells the warehouse's topic that the units of an item have changed.
#
#     ./adjust.sh SKU DELTA ADJUSTMENT_ID
#
# An adjustment counts once however often it is sent: after an error send it again with the same id, a UUID. kcat takes
# bytes, so this writes them; any Avro library is the better choice.
set -euo pipefail

topic=warehouse.stock-adjustments type=flotilla.warehouse.v1.StockAdjusted
sku="$1" delta="$2" id="$3" now=$(date +%s%6N)

byte() { printf "\\x$(printf %02x "$1")"; }
# Avro's numbers: small ones first whatever their sign, in groups of seven bits, the last of them below 128.
long() {
    local left=$((($1 << 1) ^ ($1 >> 63)))
    while (((left & ~127) != 0)); do
        byte $((left & 127 | 128))
        left=$(((left >> 7) & 0x1ffffffffffffff))
    done
    byte "$left"
}
text() { long "$(printf %s "$1" | wc -c)" && printf %s "$1"; }

# The fleet's topics carry several types, each under its own subject. Schemas are registered when the fleet is deployed:
# a producer looks them up, and never changes the contract. The version is the one whose fields are written below.
subject="$FLOTILLA_REGISTRY_URL/subjects/$topic-$type"
schema=$(curl --fail --silent --show-error --noproxy '*' "$subject/versions/1" \
    | sed -n 's/.*"id":\([0-9]*\).*/\1/p')

value=$(mktemp)
trap 'rm -f "$value"' EXIT
{
    # A zero, the schema's id in four bytes, and the fields in the schema's order.
    byte 0 && for shift in 24 16 8 0; do byte $(((schema >> shift) & 255)); done
    text "$id" && text "$sku" && long "$delta" && text kcat && long "$now"
} >"$value"

# kcat would choose the partition by CRC32: then the same key would be on another one than from everybody else, and two
# adjustments of an item could overtake each other. The headers are optional to the fleet, which knows an adjustment by
# its id; they are what other readers recognise it by.
kcat -P -b "$FLOTILLA_KAFKA_BROKERS" -t "$topic" -k "$sku" -X partitioner=murmur2_random -X enable.idempotence=true \
    -H ce_specversion=1.0 -H ce_source=warehouse -H "ce_id=$id" -H "ce_type=$type" \
    -H "ce_time=$(date --utc --date "@${now%??????}.${now: -6}" +%Y-%m-%dT%H:%M:%S.%6NZ)" \
    -H content-type=application/vnd.confluent.avro "$value"
