#!/usr/bin/env bash
# Fill a rented hour of a GPU without a person:  bash benchmarks/gpu.sh [--minutes 60] [--rehearse] [FOLDER]
#
# In turn: the tests that need a GPU; the constraint's share of a training step; images a second, beside a batch that lies
# ready on the device; then the plans for a GPU, in the order of data/results/plan.yml, until the minutes are over.
# All of it goes into FOLDER (gpu-run) and, at the end, into FOLDER.tar.gz. To merge that into a checkout:
#
#     tar -xzf gpu-run.tar.gz && cp -rn gpu-run/results/. data/results/
#
# Called again with the same FOLDER, it goes on where it stopped. --rehearse does all of it on a CPU, with recipes that take
# seconds and a tenth of a minute for each plan. PY names the Python (.venv/bin/python).
set -uo pipefail

minutes=60 rehearse="" folder=gpu-run
while (($#)); do
    case "$1" in
        --minutes) minutes="${2:?--minutes: expected a number}" && shift 2 ;;
        --rehearse) rehearse=--rehearse && shift ;;
        -*) echo "gpu.sh: unknown option $1; expected --minutes M, --rehearse or a folder" >&2 && exit 2 ;;
        *) folder="$1" && shift ;;
    esac
done
[[ "$minutes" =~ ^[0-9]+(\.[0-9]+)?$ ]] || { echo "gpu.sh: --minutes: expected a number, got $minutes" >&2; exit 2; }
mkdir -p "$folder/results" && folder="$(cd "$folder" && pwd)" || exit 2
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
PY="${PY:-.venv/bin/python}"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
end=$(("$(date +%s)" + $("$PY" -c "print(round(60 * $minutes))"))) || exit 2

device=cuda
if [ -n "$rehearse" ]; then
    device=cpu
else
    "$PY" -c 'import torch; raise SystemExit(not torch.cuda.is_available())' ||
        { echo "gpu.sh: torch sees no GPU; --rehearse runs everything on a CPU" >&2; exit 2; }
    "$PY" -c 'from reproduction.images import load_images; load_images("imagenette", 1, size=32)' 2>"$folder/data.log" ||
        { echo "gpu.sh: the plans train on Imagenette: $(tail -n 1 "$folder/data.log")" >&2; exit 2; }
fi

failed=0
: >"$folder/summary.txt"
step() { # name, command: its output in a log, its end in the summary
    local name="$1" status=0
    shift
    echo "$(date -u +%H:%M:%S) $name"
    "$@" >"$folder/$name.log" 2>&1 || status=$?
    echo "$name: exit status $status" >>"$folder/summary.txt"
    ((status == 0)) || { failed=1 && echo "  failed, see $folder/$name.log: $(tail -n 1 "$folder/$name.log")"; }
}

share=(--device "$device" --record --results "$folder/results")
speed=(--device "$device" --record --results "$folder/results" --dataset imagenette --recipe paper)
[ -z "$rehearse" ] || share+=(--batch 2 --repeats 1)
[ -z "$rehearse" ] || speed=(--device "$device" --record --results "$folder/results" --dataset digits --recipe quick)

mapfile -t marked < <(grep -rl --include='*.py' 'mark\.gpu' tests)
step tests "$PY" -m pytest -q -m gpu -p no:cacheprovider "${marked[@]}"
step constraint "$PY" benchmarks/constraint.py "${share[@]}"
step throughput "$PY" benchmarks/throughput.py "${speed[@]}"
plans=$("$PY" -c 'from reproduction.training.plans import load, names
print(*[name for name in names() if load(name).recipe.size == 224])') || exit 2
for plan in $plans; do
    # what has been run before is not run again
    [ -n "$rehearse" ] || [ ! -d "data/results/$plan" ] || cp -rn "data/results/$plan" "$folder/results/"
    left=$("$PY" -c "print(max(0.0, ($end - $(date +%s)) / 60))")
    [ "$left" != 0.0 ] || { echo "$plan: no time left" >>"$folder/summary.txt"; continue; }
    # in an hour they follow each other; a rehearsal is to see a run of each
    [ -z "$rehearse" ] || left=0.1
    step "$plan" "$PY" -m reproduction train --plan "$plan" $rehearse --device "$device" --minutes "$left" \
        --results "$folder/results"
done

tar -czf "$folder.tar.gz" -C "$(dirname "$folder")" "$(basename "$folder")" || exit 1
cat "$folder/summary.txt"
echo "Written: $folder.tar.gz"
exit "$failed"
