#!/bin/sh
# Checks that the Makefile works in a checkout whose path has a space, and with -j: on a copy, with a swift that only writes
# down what it is called with and by how many at a time.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy="$work/a b/torpor"
mkdir -p "$copy/Tests" "$copy/Sources" "$copy/Benchmarks" "$work/bin dir"
cp "$top/Makefile" "$top/mkinitramfs.sh" "$copy/"
cp -R "$top/scripts" "$top/initramfs" "$copy/"

cat >"$work/bin dir/swift" <<'STUB'
#!/bin/sh
set -eu
if ! mkdir "$LOG.running" 2>/dev/null; then echo "two at a time" >>"$LOG"; fi
for argument; do printf '[%s]' "$argument" >>"$LOG"; done
printf ' libraries=[%s]\n' "${TORPOR_EMBEDDED_LIBRARIES-}" >>"$LOG"
sleep 0.2
scratch=.build
product=
while [ $# -gt 0 ]; do
    case $1 in
        --scratch-path) scratch=$2 ;;
        --product) product=$2 ;;
    esac
    shift
done
mkdir -p "$scratch/release"
[ -z "$product" ] || printf 'int main(void) { return 0; }' | gcc -x c -static -o "$scratch/release/$product" -
rmdir "$LOG.running"
STUB
cat >"$work/bin dir/swiftc" <<'STUB'
#!/bin/sh
echo '    "runtimeResourcePath": "/opt/swift 6/lib",'
STUB
chmod +x "$work/bin dir/swift" "$work/bin dir/swiftc"

fail() {
    echo "check-makefile.sh: $1" >&2
    cat "$work/log" >&2
    exit 1
}

(cd "$copy" && PATH="$work/bin dir:$PATH" LOG="$work/log" make -s -j8 all rootfs build/pattern) >"$work/output" 2>&1 ||
    { cat "$work/output" >&2; fail "make -j8 all rootfs does not work in a path with a space"; }
grep -qF "[-Xlinker][-L$copy/.build-init/aligned]" "$work/log" || fail "the linker is not told of the copy's libraries"
grep -qF 'libraries=[/opt/swift 6/lib/embedded/x86_64-unknown-linux-gnu]' "$work/log" || fail "the toolchain's path is split"
! grep -q 'two at a time' "$work/log" || fail "make -j8 runs two builds at a time"
[ "$(grep -c '\[build\]' "$work/log")" = 3 ] || fail "each program should be built once"
for file in init torpor pattern rootfs.gz; do
    [ -f "$copy/build/$file" ] || fail "build/$file was not made"
done
echo "Makefile: works in a path with a space, and with -j"
