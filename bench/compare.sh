#!/usr/bin/env bash
# Runs one of our benchmarks and the peer's script in turn, and prints the ratio of the fastest times.
#   bench/compare.sh train|draw|embed|load|ops [--rounds N] [--peer PYTHON] [--scripts DIR] [OPTION…]
# --peer     python of an environment with torch, diffusers, peft, safetensors (default /tmp/peer13/bin/python)
# --scripts  folder of bench_unet_lora.py, bench_sd_infer.py, bench_minilm_embed.py, bench_safetensors_load.py (default ../shared/peers)
# OPTION…    goes to both sides alike, e.g. --dims sd15 --reps 2
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
export OMP_WAIT_POLICY=PASSIVE # on both sides: spinning waits measure the other programs on the machine

usage() { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
bench=${1:-}
[ $# -gt 0 ] && shift
rounds=2 peer=/tmp/peer13/bin/python scripts=$root/../shared/peers options=()
while [ $# -gt 0 ]; do
  case $1 in
    --rounds | --peer | --scripts) [ $# -gt 1 ] || usage; declare "${1#--}=$2"; shift 2 ;;
    *) options+=("$1"); shift ;;
  esac
done
case $rounds in '' | 0 | *[!0-9]*) usage ;; esac
ours=("$bench")
case $bench in
  train) script=bench_unet_lora.py field=step_s ;;
  draw) script=bench_sd_infer.py field=ms; [[ " ${options[*]-} " == *" --part "* ]] || options+=(--part unet) ;;
  load) script=bench_safetensors_load.py field=load_and_sum_s; [[ " ${options[*]-} " == *" --path "* ]] || options+=(--path "${TMPDIR:-/tmp}/bench.safetensors") ;;
  embed) script=bench_minilm_embed.py field=all_s ;; # the first timed run of each round
  ops) script="" field="" ;;
  *) usage ;;
esac

absent=""
if [ ! -x "$peer" ]; then absent="no Python at $peer (--peer)"; elif [ -n "$script" ] && [ ! -f "$scripts/$script" ]; then absent="no $script in $scripts (--scripts)"; fi
if [ "$bench" = train ] && [[ " ${options[*]-} " == *" --dims pocket "* ]]; then absent="its script has no pocket dimensions"; fi
[ -z "$absent" ] || echo "compare: the peer is left out: $absent. Only ours is measured." >&2

# The peer's operators, in the same rounds; an empty call's cost is taken off.
peer_operators() {
  "$peer" - << 'PY'
import json, time, torch
torch.set_num_threads(2)
a, b, m, x, w, v = torch.randn(1), torch.randn(1), torch.randn(4, 4), torch.randn(64, 64), torch.randn(64, 64), torch.randn(64)
g = torch.randn(64, 64, requires_grad=True)
calls = {"": lambda: None, "add.Tensor": lambda: torch.add(a, b), "add_.Tensor": lambda: a.add_(b), "view": lambda: m.view(16), "detach": lambda: a.detach(),
         "empty(16)": lambda: torch.empty(16), "linear 64x64": lambda: torch.nn.functional.linear(x, w, v), "linear 64x64, grad": lambda: torch.nn.functional.linear(x, g, v)}
clock, cpu = {}, {}
for name, call in calls.items():
    with torch.set_grad_enabled(name.endswith("grad")):
        ts, cs = [], []
        for _ in range(16):
            c, t = time.process_time(), time.perf_counter()
            for _ in range(20000): call()
            ts.append(time.perf_counter() - t); cs.append(time.process_time() - c)
        clock[name], cpu[name] = min(ts) / 20000 * 1e9, min(cs) / 20000 * 1e9
print(json.dumps({"bench": "ops", "torch": torch.__version__, "ns": {k: round(t - clock[""], 1) for k, t in clock.items() if k}, "cpu_ns": {k: round(t - cpu[""], 1) for k, t in cpu.items() if k}}))
PY
}

# The first number of a field: "cpu_s": [1.5, 2] gives 1.5.
number() { sed -n "s/.*\"$1\": *\[* *\([0-9.eE+-]*\).*/\1/p" <<< "$2"; }
least() { printf '%s\n' "$@" | sort -g | head -n 1; }
mine=() theirs=() my_cpu=() their_cpu=() my_memory=0 their_memory=0
for _ in $(seq "$rounds"); do
  line=$("$root/lora" bench "${ours[@]}" "${options[@]}")
  echo "ours  $line"
  if [ -n "$field" ]; then mine+=("$(number "$field" "$line")"); my_cpu+=("$(number cpu_s "$line")"); my_memory=$(number peak_rss_mb "$line"); fi
  [ -z "$absent" ] || continue
  line=$(if [ -n "$script" ]; then cd "$scripts" && PYTHONDONTWRITEBYTECODE=1 "$peer" "$script" "${options[@]}"; else peer_operators; fi)
  echo "peer  $line"
  if [ -n "$field" ]; then theirs+=("$(number "$field" "$line")"); their_cpu+=("$(number cpu_s "$line")"); their_memory=$(number peak_rss_mb "$line"); fi
done
if [ -z "$absent" ] && [ -n "$field" ]; then
  awk -v a="$(least "${mine[@]}")" -v b="$(least "${theirs[@]}")" -v c="$(least "${my_cpu[@]}")" -v d="$(least "${their_cpu[@]}")" -v m="$my_memory" -v n="$their_memory" -v f="$field" \
    'BEGIN { printf "ratio %s: ours %g, peer %g: ours is %.2f times as fast by the clock, %.2f times by CPU seconds (%g and %g), with %.2f times the memory (%d and %d MB)\n", f, a, b, b / a, d / c, c, d, m / n, m, n }'
fi
