# SPDX-License-Identifier: GPL-2.0-or-later
# What make install leaves behind, and that other programs can be built with it.
load helpers

# One installation for the whole file: it is only looked at.
setup_file()
{
	export DEST
	DEST=$(mktemp -d "${TMPDIR:-/var/tmp}/drydock-install.XXXXXX")
	make -s -C "$BATS_TEST_DIRNAME/../.." BUILD="${BUILD:-build}" DESTDIR="$DEST" PREFIX=/opt/dd install
}

teardown_file()
{
	rm -rf "$DEST"
}

setup()
{
	[ -z "$(nm -D "$DRYDOCK" | grep -m 1 __asan)" ] || skip "sanitized libraries need a sanitized program"
	make_folder
	# pkg-config has no other way to see an installation that is still below DESTDIR
	export PKG_CONFIG_PATH=$DEST/opt/dd/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$DEST
	printf '%s\n' '#include <drydock.h>' '#include <stdio.h>' \
		'int main(void) { struct dry_error e; e.code = DRY_OK; return puts(dry_version()) < 0 || e.code; }' >use.c
	cp use.c use.cc
	version=$(drydock version)
	version=${version#drydock }
}

@test "the installed program runs" {
	[ "$("$DEST/opt/dd/bin/drydock" version)" = "drydock $version" ]
}

@test "a C program and a C++ program are built against the shared library" {
	requires pkg-config cc g++
	for compile in "cc use.c" "g++ use.cc"; do
		# shellcheck disable=SC2046,SC2086 # words
		$compile -Wall -Wextra -Werror -o use $(pkg-config --cflags --libs drydock)
		readelf -d use | grep -q 'NEEDED.*\[libdrydock\.so\.0\]'
		[ "$(LD_LIBRARY_PATH=$DEST/opt/dd/lib ./use)" = "$version" ]
	done
}

@test "a C program and a C++ program are built against the static library" {
	requires pkg-config cc g++
	# The libraries beneath are the system's own, below no sysroot.
	beneath=$(env -u PKG_CONFIG_SYSROOT_DIR pkg-config --libs --static drydock | sed 's/-L[^ ]*//g; s/-ldrydock//')
	for compile in "cc use.c" "g++ use.cc"; do
		# shellcheck disable=SC2046,SC2086 # words
		$compile -Wall -Wextra -Werror -o use $(pkg-config --cflags drydock) "-L$DEST/opt/dd/lib" \
			-Wl,-Bstatic -ldrydock -Wl,-Bdynamic $beneath
		[ -z "$(readelf -d use | grep libdrydock)" ]
		[ "$(./use)" = "$version" ]
	done
}

@test "the links of the shared library lead to the file that carries the version" {
	cd "$DEST/opt/dd/lib"
	[ "$(readlink libdrydock.so)" = libdrydock.so.0 ]
	[ "$(readlink libdrydock.so.0)" = "libdrydock.so.$version" ]
	readelf -d libdrydock.so | grep -q 'SONAME.*\[libdrydock\.so\.0\]'
}

@test "pkg-config knows version and prefix" {
	requires pkg-config
	[ "$(pkg-config --modversion drydock)" = "$version" ]
	[ "$(env -u PKG_CONFIG_SYSROOT_DIR pkg-config --variable=prefix drydock)" = /opt/dd ]
}

@test "every page of the manual and the completion are there" {
	for page in "$TOP"/man/*.[0-9]; do
		same "$page" "$DEST/opt/dd/share/man/man${page##*.}/${page##*/}"
	done
	same "$TOP/completions/drydock" "$DEST/opt/dd/share/bash-completion/completions/drydock"
}

@test "the names of peers are in a folder of their own and lead to the program" {
	[ -e "$DEST/opt/dd/libexec/drydock/compat/qemu-img" ]
	for link in "$DEST"/opt/dd/libexec/drydock/compat/*; do
		[ "$link" -ef "$DEST/opt/dd/bin/drydock" ]
	done
	[ "$(ls "$DEST/opt/dd/bin")" = drydock ]
}

@test "uninstall leaves no file" {
	cp -a "$DEST" copy
	make -s -C "$TOP" BUILD="$BUILD" DESTDIR="$PWD/copy" PREFIX=/opt/dd uninstall
	[ -z "$(find copy ! -type d)" ]
}
