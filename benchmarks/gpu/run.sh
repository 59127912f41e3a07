#!/bin/sh
# Run by hand on a machine with an NVIDIA GPU, from the unpacked archive: ./run.sh [options of gpu-check]. Needs nothing
# but the driver. compute-sanitizer and PyTorch are used where they are. The report is in $OUT (gpu-check-results).
cd "$(dirname "$0")" || exit 1
out=${OUT:-gpu-check-results}
status=0
mkdir -p "$out"
./node build/benchmarks/benchmarks/gpu-check.js --out "$out" "$@" || status=1
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
if [ -n "$sanitizer" ]; then
  for tool in memcheck racecheck; do
    echo "== compute-sanitizer, $tool (at most 3 minutes)"
    timeout 180 "$sanitizer" --tool "$tool" --error-exitcode 9 ./node build/benchmarks/benchmarks/gpu-check.js \
      --only kernels --quick --out "$out/$tool" >"$out/$tool.log" 2>&1
    code=$?
    tail -n 3 "$out/$tool.log"
    case $code in
      0) ;;
      124) echo "not finished in time: nothing found so far" ;;
      *) status=1 ;;
    esac
  done
fi
if command -v python3 >/dev/null; then
  python3 benchmarks/gpu/yardstick.py --library build/Release/libcachalot_cuda.so --out "$out" >"$out/yardstick.md" || status=1
  cat "$out/yardstick.md"
fi
exit $status
