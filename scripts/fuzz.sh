#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the fuzzer on targets, each from its seeds and from the inputs that earlier runs kept.
#
# usage: fuzz.sh FUZZER [TARGET...]
#
# Without a target, runs all targets of the corpus, FUZZ_SECONDS each (default: 60). A finding stays in build/fuzz/TARGET; put
# it into Tests/Fuzz/Corpus/TARGET, where `make test` replays it. The exit status is 1 if there was a finding.
set -eu
fuzzer=${1:?usage: fuzz.sh FUZZER [TARGET...]}
shift
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck disable=SC2046 # names of targets have no spaces
[ $# -gt 0 ] || set -- $(ls "$top/Tests/Fuzz/Corpus")
status=0
for target; do
    folder=$top/build/fuzz/$target
    mkdir -p "$folder/corpus"
    rm -f "$folder"/crash-* "$folder"/timeout-* "$folder"/oom-* "$folder"/leak-*
    TORPOR_FUZZ_TARGET=$target "$fuzzer" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -artifact_prefix="$folder/" -print_final_stats=1 "$folder/corpus" "$top/Tests/Fuzz/Corpus/$target" \
        >"$folder/log" 2>&1 || status=1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log")
    found=$(find "$folder" -maxdepth 1 -type f ! -name log | wc -l)
    echo "fuzz: $target: ${runs:-?} runs in ${FUZZ_SECONDS:-60} s, $found findings"
    [ "$found" = 0 ] || status=1
done
exit $status
