#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks that the Makefile works in a checkout whose path has a space, with -j and without a package manager, and that
# `make install` and `make uninstall` keep their promises. It uses a copy of the checkout, and a stub of swift that only
# records its arguments and whether two of them run at the same time.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy="$work/a b/torpor"
resources="$work/swift 6/lib/swift"
mkdir -p "$copy/Tests" "$copy/Sources" "$copy/Benchmarks" "$work/bin dir" "$work/bare" \
    "$resources/embedded/x86_64-unknown-linux-gnu" "${resources}_static/linux"
mkdir -p "$copy/Tests/VM"
cp -R "$top/Tests/VM/kernel" "$copy/Tests/VM/"
(cd "$top" &&
    cp -R Makefile mkinitramfs*.sh VERSION LICENSE NOTICE README.md CHANGES.md scripts kernel initramfs man docs dist "$copy/")
touch "$resources/embedded/x86_64-unknown-linux-gnu/libswiftUnicodeDataTables.a" \
    "${resources}_static/linux/static-executable-args.lnk"

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
cat >"$work/bin dir/swiftc" <<STUB
#!/bin/sh
echo '    "runtimeResourcePath": "$resources",'
STUB
for program in dpkg-query apt-get; do
    # shellcheck disable=SC2016 # The stub expands LOG.
    printf '#!/bin/sh\necho "%s is called" >>"$LOG"\nexit 1\n' $program >"$work/bin dir/$program"
done
# A system without the header of one library, and without the static form of another.
cat >"$work/bare/gcc" <<STUB
#!/bin/sh
for argument; do
    case \$argument in
        -E) ! grep -q lzma.h; exit ;;
        -print-file-name=libblkid.a) echo libblkid.a; exit ;;
    esac
done
exec "$(command -v gcc)" "\$@"
STUB
chmod +x "$work/bin dir"/* "$work/bare/gcc"

fail() {
    echo "check-makefile.sh: $1" >&2
    cat "$work/log" "$work/output" >&2
    exit 1
}

export LOG="$work/log"
run_make() {
    (cd "$copy" && PATH="$work/bin dir:$PATH" make -s "$@") >"$work/output" 2>&1
}

# Building.
run_make -j8 all build/pattern || fail "make -j8 all does not work in a path with a space"
grep -qF "[-Xlinker][-L$copy/.build-init/aligned]" "$LOG" || fail "the linker does not get the copy's libraries"
grep -qF "libraries=[$resources/embedded/x86_64-unknown-linux-gnu]" "$LOG" || fail "the toolchain's path is split"
! grep -q 'two at a time' "$LOG" || fail "make -j8 runs two builds at a time"
[ "$(grep -c '\[build\]' "$LOG")" = 3 ] || fail "each program should be built once"
! grep -q 'is called' "$LOG" || fail "make all calls a package manager"
for file in init torpor pattern rootfs.gz completion/torpor.bash completion/torpor.zsh completion/torpor.fish; do
    [ -f "$copy/build/$file" ] || fail "build/$file was not made"
done

# make names missing requirements, and builds nothing.
: >"$LOG"
! (PATH="$work/bare:$PATH" && run_make all) || fail "make all continues although libraries are missing"
for line in 'lzma.h *liblzma-dev *xz-devel *xz$' 'libblkid.a *libblkid-dev *- *-$'; do
    grep -q "$line" "$work/output" || fail "make all does not name a missing requirement: $line"
done
[ "$(grep -c '\.[ah] ' "$work/output")" = 2 ] || fail "make all names a requirement that is not missing"
! grep -q . "$LOG" || fail "make all builds although libraries are missing"

# Libraries from another directory.
mkdir "$work/my libraries"
cp "$(gcc -print-file-name=liblz4.a)" "$(gcc -print-file-name=libblkid.a)" "$work/my libraries/"
run_make all STATIC_LIBDIR="$work/my libraries" || fail "make all STATIC_LIBDIR=DIRECTORY does not work"
[ "$(grep -cF "[-Xlinker][-L$work/my libraries]" "$LOG")" = 2 ] || fail "the linker does not get STATIC_LIBDIR"

# Installing: make builds no existing product, modes do not depend on the umask, and the installed mkinitramfs.sh works.
: >"$LOG"
root="$work/root dir"
(umask 077 && run_make install DESTDIR="$root") || fail "make install does not work"
! grep -q . "$LOG" || fail "make install builds existing products, or calls a package manager"
{
    printf 'f 755 usr/%s\n' sbin/torpor lib/torpor/init lib/torpor/torpor-resume lib/torpor/mkinitramfs.sh \
        lib/torpor/mkinitramfs-drivers.sh lib/torpor/mkinitramfs-modules.sh
    printf 'f 644 usr/%s\n' lib/torpor/rootfs.gz \
        share/doc/torpor/LICENSE share/doc/torpor/NOTICE share/doc/torpor/README.md share/doc/torpor/CHANGES.md \
        share/bash-completion/completions/torpor share/zsh/site-functions/_torpor share/fish/vendor_completions.d/torpor.fish
    for page in "$copy"/man/*; do echo "f 644 usr/share/man/man${page##*.}/${page##*/}"; done
    for folder in "$copy"/man/*; do echo "d 755 usr/share/man/man${folder##*.}"; done | sort -u
    (cd "$copy" && find initramfs -type f -printf 'f 644 usr/lib/torpor/%p\n' -o -type d -printf 'd 755 usr/lib/torpor/%p\n')
    (cd "$copy/dist" && find systemd -type f -printf 'f 644 usr/lib/torpor/%p\n' -o -type d -printf 'd 755 usr/lib/torpor/%p\n')
    (cd "$copy" && find docs -type f -printf 'f 644 usr/share/doc/torpor/%p\n' \
        -o -type d -printf 'd 755 usr/share/doc/torpor/%p\n')
    printf 'd 755 usr%s\n' '' /sbin /lib /lib/torpor /share /share/man /share/doc /share/doc/torpor \
        /share/bash-completion /share/bash-completion/completions /share/zsh /share/zsh/site-functions /share/fish \
        /share/fish/vendor_completions.d
} | sort >"$work/expected"
find "$root" -mindepth 1 -printf '%y %m %P\n' | sort >"$work/found"
diff -u "$work/expected" "$work/found" >"$work/output" || fail "make install installs other files than it should"
for page in torpor torpor-resume; do
    grep -q "^\.TH .*\"Torpor $(cat "$copy/VERSION")\"" "$root/usr/share/man/man8/$page.8" ||
        fail "the manual page of $page has no version"
done
cmp "$root/usr/lib/torpor/init" "$root/usr/lib/torpor/torpor-resume" || fail "torpor-resume is another program than init"
cp "$root/usr/lib/torpor/rootfs.gz" "$work/installed.gz"
"$root/usr/lib/torpor/mkinitramfs.sh" >"$work/output" 2>&1 || fail "the installed mkinitramfs.sh does not work"
cmp "$work/installed.gz" "$root/usr/lib/torpor/rootfs.gz" || fail "the installed mkinitramfs.sh makes a different rootfs.gz"

# Hooks: only those that are asked for, with the folder in which Torpor is.
! run_make install DESTDIR="$root" HOOKS="dracut initd" || fail "make install accepts a hook that does not exist"
grep -q 'no hook initd; choose from initramfs-tools ' "$work/output" || fail "make install does not name the hooks that exist"
find "$root" -mindepth 1 -printf '%y %m %P\n' | sort | diff -u "$work/expected" - >"$work/output" ||
    fail "make install with a wrong hook installs something"
run_make install DESTDIR="$root" HOOKS=dracut || fail "make install HOOKS=dracut does not work"
{
    cat "$work/expected"
    printf 'f 755 usr/lib/dracut/modules.d/74torpor/%s\n' module-setup.sh torpor-resume.sh torpor-wait.sh
    printf 'f 755 usr/lib/torpor/%s.sh\n' resume-device resume-generator run-resume
    echo f 644 usr/lib/torpor/resume-functions.sh
    printf 'd 755 usr/lib/dracut%s\n' '' /modules.d /modules.d/74torpor
} | sort >"$work/with-hook"
find "$root" -mindepth 1 -printf '%y %m %P\n' | sort | diff -u "$work/with-hook" - >"$work/output" ||
    fail "make install HOOKS=dracut installs other files than it should"
run_make install DESTDIR="$root" HOOKS="initramfs-tools mkinitcpio kernel-install kernel" ||
    fail "make install with all other hooks does not work"
for file in usr/share/initramfs-tools/hooks/torpor usr/share/initramfs-tools/scripts/local-premount/torpor \
    usr/lib/initcpio/install/torpor usr/lib/initcpio/install/sd-torpor usr/lib/initcpio/hooks/torpor \
    usr/lib/initcpio/post/torpor \
    usr/lib/kernel/install.d/60-torpor.install etc/kernel/postinst.d/torpor etc/kernel/postrm.d/torpor \
    usr/lib/torpor/update-rootfs.sh; do
    [ -f "$root/$file" ] || fail "make install does not install $file"
done

# The small kernel is installed if it was built, with its configuration, and nothing builds it.
for file in vmlinuz-torpor vmlinuz-torpor.config; do echo "$file" >"$copy/build/$file"; done
echo 1.2.3-torpor >"$copy/build/vmlinuz-torpor.release"
printf 'ffffffff82a3e0a0 d __initcall__kmod_%s_init6\n' nvme__373_3590_nvme sd_mod__401_4180_sd >"$copy/build/vmlinuz-torpor.map"
run_make install DESTDIR="$root" || fail "make install does not work with the small kernel"
! grep -q . "$LOG" || fail "make install builds existing products, or calls a package manager"
cmp "$copy/build/vmlinuz-torpor" "$root/usr/lib/torpor/vmlinuz" || fail "make install does not install the small kernel"
cmp "$copy/build/vmlinuz-torpor.config" "$root/usr/lib/torpor/config-1.2.3-torpor" ||
    fail "make install does not install the configuration of the small kernel"
printf '%s\n' nvme sd_mod | cmp - "$root/usr/lib/torpor/builtin-1.2.3-torpor" ||
    fail "make install does not install the list of the small kernel's built-in modules"

# Removing: every file, hooks included, and Torpor's own directories, but no foreign file.
mkdir -p "$root/usr/lib/torpor/mine"
rm "$copy/build/vmlinuz-torpor"
run_make uninstall DESTDIR="$root" || fail "make uninstall does not work"
find "$root" -mindepth 1 \( -type f -o -name '*torpor*' -o -name mine \) -printf '%P\n' | sort >"$work/found"
printf '%s\n' usr/lib/torpor usr/lib/torpor/mine | diff -u - "$work/found" >"$work/output" ||
    fail "make uninstall leaves or removes too much"

# Other directories; make install builds missing products.
rm -r "$root" "$copy/build"
run_make install DESTDIR="$root" PREFIX=/opt/torpor SBINDIR=/opt/torpor/bin INSTALL='install -p' HOOKS=kernel ||
    fail "make install does not build"
[ -x "$root/opt/torpor/bin/torpor" ] || fail "make install ignores SBINDIR"
[ -f "$root/opt/torpor/lib/torpor/rootfs.gz" ] || fail "make install ignores PREFIX"
grep -q ' /opt/torpor/lib/torpor/update-rootfs.sh' "$root/etc/kernel/postinst.d/torpor" || fail "the hooks ignore PREFIX"
run_make uninstall DESTDIR="$root" PREFIX=/opt/torpor SBINDIR=/opt/torpor/bin ||
    fail "make uninstall does not work with a PREFIX"
[ -z "$(find "$root" -type f -o -name torpor -path '*/*/torpor/*/torpor')" ] ||
    fail "make uninstall leaves files below a PREFIX"

# Only the targets that run or test Torpor install packages.
for target in demo test unit vm check bench fuzz torture deb rpm arch; do
    run_make -n $target || fail "make -n $target does not work"
    grep -q scripts/install-packages.sh "$work/output" || fail "make $target installs no packages"
done
for target in all rootfs install uninstall debian format clean; do
    run_make -n $target || fail "make -n $target does not work"
    ! grep -q scripts/install-packages.sh "$work/output" || fail "make $target installs packages"
done
echo "Makefile: works in a path with a space, with -j and without packages; installs and uninstalls"
