#!/usr/bin/env bash
# Puts the fleet's programs into the folder that images are made of: collect.sh BUILT FOLDER
#
# Each program goes without what only a debugger reads, and beside it the list of what it is made of (CycloneDX).
# Run in the image's build; and outside of it, where programs are compiled on the machine itself.
set -euo pipefail

built=$1 folder=$2
mkdir -p "$folder/bin" "$folder/sbom"
programs=(order payment inventory shipping fleet flotilla sandbox)
for program in "${programs[@]}"; do
    # Function names stay: a panic's backtrace shows them.
    strip --strip-debug -o "$folder/bin/$program" "$built/$program"
done

# It writes beside each manifest, so it gets a copy.
sources=$(mktemp -d)
trap 'rm -rf "$sources"' EXIT
cp -r Cargo.toml Cargo.lock bench crates e2e examples services "$sources"
cargo cyclonedx --quiet --quiet --manifest-path "$sources/Cargo.toml" --format json --describe binaries \
    --no-build-deps --spec-version 1.5
for program in "${programs[@]}"; do
    find "$sources" -name "${program}_bin.cdx.json" -exec cp {} "$folder/sbom/$program.cdx.json" \;
done
