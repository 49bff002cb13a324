#!/usr/bin/env bash
# The compiled core under ASan and UBSan. Usage: .ci/sanitize.sh PYTHON [TREE [FOLDER]]
#
# PYTHON is an interpreter with the project's test and build packages (cython, pysimdjson, pytest,
# hypothesis) and cmake and ninja beside it or on the PATH. A copy of TREE (default: this one) is
# built with FASTCORE_CHECKED and runs the suites that go through the compiled rooms; any report
# ends it. Before that a room with a planted over-read and one with a planted overflow are built by
# the same rules, and both must be reported: else this leg proves nothing. FOLDER is kept, and what
# was built there is built on.
set -euo pipefail

python=$(command -v "${1:?the python to use}")
[ "${python#/}" != "$python" ] || python=$PWD/$python
tree=$(cd "${2:-$(dirname "$0")/..}" && pwd)
if [ -n "${3:-}" ]; then
    mkdir -p "$3"
    place=$(cd "$3" && pwd)
else
    place=$(mktemp -d "${TMPDIR:-/tmp}/hftbot-sanitize.XXXXXX")
    trap 'rm -rf "$place"' EXIT
fi
PATH=$(dirname "$python"):$PATH
# The share of the long fuzz counts that fits: tests/fuzz/counts.py.
export HFTBOT_FUZZ=${HFTBOT_FUZZ:-0.05}
unset PYTHONHOME FASTCORE_PURE

mkdir -p "$place/tree" "$place/site"
tar -C "$tree" --exclude=./.git --exclude=./.venv --exclude=./build --exclude=./dist \
    --exclude='*.so' --exclude=__pycache__ --exclude=hftbot-state --exclude='.*_cache' -cf - . \
    | tar -C "$place/tree" -xf -
if [ -z "${HFTBOT_SHARED:-}" ] && [ -d "$tree/../shared" ]; then
    HFTBOT_SHARED=$(cd "$tree/../shared" && pwd)
    export HFTBOT_SHARED
fi
cd "$place/tree"

cat > src/fastcore/probe/planted.pxd <<'END'
from libc.stdint cimport int64_t

cpdef int64_t read_beyond(int64_t count) except? -1
cpdef int64_t overflow(int64_t value) noexcept nogil
END
cat > src/fastcore/probe/planted.py <<'END'
"""Two defects, so that the sanitizers can prove themselves."""
import cython
from cython.cimports.libc.stdlib import free, malloc


def read_beyond(count):
    """Reads the byte behind an allocation."""
    place = cython.cast(cython.p_char, malloc(count))
    place[0] = 1
    value = place[count]
    free(place)
    return value


def overflow(value):
    """Adds until it wraps."""
    return value + 1
END

cmake -S . -B build/checked -G Ninja -DFASTCORE_INPLACE=ON -DFASTCORE_CHECKED=ON \
    -DCMAKE_BUILD_TYPE=Release -DPython_EXECUTABLE="$python" > /dev/null
cmake --build build/checked | tail -1

preload=""
for library in libasan.so libubsan.so libstdc++.so.6; do
    preload+=" $(gcc -print-file-name=$library)"
done

# An editable install of another copy would hand out that one's rooms, not the checked ones.
cat > "$place/site/sitecustomize.py" <<'END'
import sys

sys.meta_path[:] = [finder for finder in sys.meta_path
                    if type(finder).__name__ != "ScikitBuildRedirectingFinder"]
END

checked() {  # run a command with the sanitizers loaded; a report ends it with 99
    env LD_PRELOAD="$preload" PYTHONMALLOC=malloc PYTHONPATH="src:$place/site" \
        ASAN_OPTIONS=detect_leaks=0:halt_on_error=1:exitcode=99 \
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=99 "$@"
}

must_report() {  # must_report WORDS EXPRESSION
    local code=0
    checked "$python" -c "from fastcore.probe import planted; $2" > planted.log 2>&1 || code=$?
    if [ "$code" != 99 ] || ! grep -q "$1" planted.log; then
        cat planted.log
        echo "the planted $1 was not reported (exit code $code)" >&2
        exit 1
    fi
    echo "planted $1: reported"
}

must_report heap-buffer-overflow 'planted.read_beyond(100)'
must_report 'signed integer overflow' 'planted.overflow((1 << 63) - 1)'
checked "$python" -c 'import fastcore, os
assert fastcore.compiled and fastcore.__file__.startswith(os.getcwd()), fastcore.__file__'
rm src/fastcore/probe/planted.*

suites() {  # suites NAME ARGUMENTS...: pytest on one processor
    local name=$1
    shift
    # Nothing is captured: a report must reach the log even though pytest dies of it, and so must
    # an exception in a function that cannot raise.
    checked "$python" -m pytest -v -s --tb=short -p no:cacheprovider -p no:unraisableexception \
        --timeout=600 "$@" > "$name.log" 2>&1
}

# What goes through the compiled rooms; of the longer suites a share (HFTBOT_FUZZ).
of_interest="(money or lane or market or codec or probe or sim or engine or kraken or golden"
of_interest+=" or replay or journal or rotation or disk or session or naive)"
# These never leave Python, or a child does their work.
of_interest+=" and not (test_app or test_watch or kraken_rest or exchange_rest or test_backtest_t"
of_interest+=" or test_backtest_re or test_backtest_c or test_execution)"
suites rooms tests/unit tests/naive -k "$of_interest" &
rooms=$!
suites fuzz tests/fuzz tests/world/test_ring.py -m 'long or not long' &
fuzz=$!
failed=0
for name in rooms fuzz; do
    code=0
    wait "${!name}" || code=$?
    grep -E '^FAILED|^ERROR' "$name.log" || true
    tail -1 "$name.log"
    [ "$code" = 0 ] || { echo "$name: exit code $code" >&2; failed=1; }
done
# A child of a test may have died of a report that the test did not ask about.
if grep -hE -A25 "runtime error:|ERROR: AddressSanitizer|Exception ignored in: 'fastcore" \
    rooms.log fuzz.log; then
    failed=1
fi
exit "$failed"
