#!/usr/bin/env bash
# Measure on the GPU that there is, in under 8 minutes: tests/benchmarks/gpu.sh [results.json]
#
# In a checkout with `pip install '.[bench]' 'tensorflow[and-cuda]'`; GRAPH=FILE.pb in the
# environment is the Inception file of 2015, which is fetched or left out else. Each table is in the
# file as soon as it is done: one that is broken off costs the tables behind it only.
set -euo pipefail
cd "$(dirname "$0")/../.."
output=${1:-gpu.json}

command -v nvidia-smi >/dev/null || { echo "error: no nvidia-smi here, so no GPU to measure" >&2; exit 2; }
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
GRAPHNETS_DEVICE=gpu TF_CPP_MIN_LOG_LEVEL=3 python -c '
from graphnets import devices, errors
try:
    print("TensorFlow computes on", devices.used())
except errors.GraphnetsError as reason:
    raise SystemExit(f"error: {reason}")'

tables=gpu-alexnet,gpu-efficientnet_lite0,gpu-vgg16,gpu-inception_v3
status=0
timeout --signal=TERM 460 python -m tests.benchmarks --only "$tables" --rounds 2 \
    ${GRAPH:+--graph "$GRAPH"} --output "$output" || status=$?
[ "$status" -ne 124 ] || echo "stopped after 460 s; $output has the tables that were done" >&2
exit "$status"
