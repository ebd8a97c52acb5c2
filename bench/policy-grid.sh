#!/bin/sh
# Trains and examines copies of a finished run with other settings and prints one line of figures each; begun again, it goes on where it stopped.
#   bench/policy-grid.sh RUN OUT < SETTINGS
# RUN is a finished run's directory, e.g. runs/demo, OUT a folder for the copies; a line of SETTINGS is a name and what --set takes:
#   r8_1e-3 train.rank=8 train.learning_rate=1e-3 train.steps=250
set -eu
[ $# -eq 2 ] || { sed -n '2,5s/^# *//p' "$0"; exit 2; }
run=$1 out=$2
mkdir -p "$out"
while read -r name sets; do
    [ -n "$name" ] || continue
    [ -e "$out/$name.line" ] && continue
    rm -rf "${out:?}/$name"
    mkdir -p "$out/$name"
    cp -r "$run"/. "$out/$name"
    rm -rf "$out/$name/5-train" "$out/$name/6-evaluate" "$out/$name/7-deploy"
    set --
    for s in $sets; do set -- "$@" --set "$s"; done
    ${LORA:-./lora} run "$run/recipe.yaml" --runs-dir "$out" --set "name=$name" "$@" --from configure --to evaluate > "$out/$name.log" 2>&1 || { echo "$name failed: $(tail -1 "$out/$name.log")"; continue; }
    awk -v name="$name" '/"event":"validation"/ { match($0, /"loss":[0-9.e-]*/); loss = loss " " sprintf("%.4f", substr($0, RSTART + 7, RLENGTH - 7)) } END { printf "%s\tvalidation%s", name, loss }' "$out/$name/5-train/events.jsonl" > "$out/$name.tmp"
    tr -d '\n ' < "$out/$name/6-evaluate/report.json" | sed 's/{"name"/\n{"name"/g' | sed -n 's/^{"name":"\([a-z_]*\)","value":\([^,]*\),"low":\([^,]*\),"high":\([^,]*\),.*/\1 \2 \3 \4/p' | awk '{ printf "\t%s %.3f [%.2f, %.2f]", $1, $2, $3, $4 } END { print "" }' >> "$out/$name.tmp"
    mv "$out/$name.tmp" "$out/$name.line"
    cat "$out/$name.line"
done
