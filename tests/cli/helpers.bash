# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables are for, and from, bats
#
# helpers.bash - what every command-line test has: "load helpers" at the head of a .bats file.
#
# A test runs in a folder of its own, $T, which goes away with it.  The program is "$DRYDOCK"; the folder with the
# names of peers is "$COMPAT"; the peers themselves are called by their plain names after "requires qemu-img".

bats_require_minimum_version 1.5.0

: "${BUILD:=$BATS_TEST_DIRNAME/../../build}"
: "${DRYDOCK:=$BUILD/drydock}"
: "${COMPAT:=$BUILD/compat}"
: "${TMPDIR:=/var/tmp}"
# An appliance that this user has built is not what is tested.
export DRYDOCK COMPAT TMPDIR LC_ALL=C.UTF-8 TZ=UTC XDG_CACHE_HOME=/nonexistent
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
# shellcheck source=tests/mounts.bash
. "$TOP/tests/mounts.bash"

setup()
{
	make_folder
}

teardown()
{
	remove_folder
}

# For a test file with a setup() of its own.
make_folder()
{
	T=$(mktemp -d "$TMPDIR/drydock-cli.XXXXXX")
	chmod 755 "$T"
	cd "$T" || return 1
}

remove_folder()
{
	cd / || return 1
	[ ! -d "${T-}" ] || rm -rf "$T"
}

drydock()
{
	"$DRYDOCK" "$@"
}

# requires TOOL...: the test is skipped where one is not installed.
requires()
{
	local tool

	for tool; do
		command -v "$tool" >/dev/null || PATH=$PATH:/sbin:/usr/sbin command -v "$tool" >/dev/null ||
			skip "$tool is not installed"
	done
	PATH=$PATH:/sbin:/usr/sbin
}

# Is the program built with AddressSanitizer?
is_sanitized()
{
	ldd "$DRYDOCK" | grep -q libasan
}

# Sanitizers and seccomp do not go together; such a build says so, and a host without it too.
requires_seccomp()
{
	truncate -s 1M none.img
	! drydock volumes -v none.img 2>&1 >/dev/null | grep -q 'not confined.*seccomp' ||
		skip "$(drydock volumes -v none.img 2>&1 | grep 'not confined')"
	rm -f none.img
}

# requires_tracing: strace can change what system calls return.  LeakSanitizer cannot work in a process that is traced.
requires_tracing()
{
	requires strace
	strace -o trace.try -e inject=fsync:error=EIO:when=1 true 2>/dev/null || skip "strace cannot trace here"
	rm -f trace.try
	export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
}

requires_root()
{
	[ "$(id -u)" = 0 ] || skip "only root can do this"
}

# Mounting a file through a loop device, as containers often cannot.
requires_loop_mount()
{
	requires_root
	requires mke2fs mount losetup
	truncate -s 1M "$T/.loop.img"
	mke2fs -q -F "$T/.loop.img"
	mkdir -p "$T/.loop"
	mount -o loop,ro "$T/.loop.img" "$T/.loop" 2>/dev/null || skip "this machine cannot mount through a loop device"
	umount "$T/.loop"
}

# as_user COMMAND...: as an ordinary user (nobody when we are root), with $T writable and the program within reach.
as_user()
{
	if [ "$(id -u)" != 0 ]; then
		"$@"
		return
	fi
	[ -x "$T/.bin/drydock" ] || {
		mkdir -p "$T/.bin"
		cp "$DRYDOCK" "$T/.bin/drydock"
	}
	chown 65534:65534 "$T"
	local DRYDOCK=$T/.bin/drydock args=() a
	for a; do # "$DRYDOCK" was expanded before we came
		[[ $a == */drydock && $a -ef "$BUILD/drydock" ]] && a=$DRYDOCK
		args+=("$a")
	done
	DRYDOCK=$DRYDOCK setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all -- "${args[@]}"
}

# fails_with STATUS TEXT COMMAND...: it ends with STATUS and says TEXT on stderr; both outputs stay in $output, $stderr.
fails_with()
{
	local want=$1 text=$2
	shift 2
	run --separate-stderr "$@"
	[ "$status" = "$want" ] || {
		echo "status $status, not $want: $*"
		echo "stdout: $output"
		echo "stderr: $stderr"
		return 1
	}
	[[ $stderr == *"$text"* ]] || {
		echo "stderr lacks: $text"
		echo "stderr: $stderr"
		return 1
	}
}

# prints TEXT COMMAND...: it succeeds and TEXT is somewhere in its stdout.
prints()
{
	local text=$1
	shift
	run --separate-stderr "$@"
	[ "$status" = 0 ] || {
		echo "status $status: $*"
		echo "stderr: $stderr"
		return 1
	}
	[[ $output == *"$text"* ]] || {
		echo "stdout lacks: $text"
		echo "stdout: $output"
		return 1
	}
}

# same A B: two files with the same bytes; shows where texts differ.
same()
{
	cmp -s "$1" "$2" || {
		if grep -Iq . "$1" "$2"; then diff -u "$1" "$2"; else cmp "$1" "$2"; fi
		return 1
	}
}

# golden FILE: stdin is what the file in the tree says; tests/run --update rewrites it.
golden()
{
	if [ "${DRYDOCK_TEST_UPDATE-}" ]; then
		cat >"$1"
	else
		diff -u "$1" -
	fi
}

# Bytes that a file says it has, and bytes that it takes on the host's disk.
size_of()
{
	stat -c %s "$1"
}

allocated()
{
	echo $(($(stat -c %b "$1") * 512))
}

# random_file FILE SIZE SEED: the same bytes each time, for the same seed, that do not compress.
random_file()
{
	head -c "$(numfmt --from=iec "$2")" /dev/zero |
		openssl enc -aes-128-ctr -nosalt -K "$(printf '%032x' "$3")" -iv "$(printf '%032d' 0)" >"$1"
}

# clean IMAGE: the reference finds nothing wrong and nothing leaked.
clean()
{
	requires qemu-img
	qemu-img check -q "$@"
}

# identical A FORMAT-A B FORMAT-B: the reference sees the same disk in both.
identical()
{
	requires qemu-img
	qemu-img compare -q -f "$2" -F "$4" "$1" "$3"
}

# requires_fuse: may programs of this user mount by FUSE?  That ours can is for the test to show.
requires_fuse()
{
	requires fusermount3 mountpoint
	[ -r /dev/fuse ] && [ -w /dev/fuse ] || skip "there is no /dev/fuse that may be used here"
	if [ "$(id -u)" = 0 ]; then
		mkdir fuse-probe
		mount -t tmpfs none fuse-probe 2>/dev/null || skip "this machine lets nobody mount"
		umount fuse-probe
		rmdir fuse-probe
	else
		[ -u "$(command -v fusermount3)" ] || skip "fusermount3 is not for ordinary users here"
	fi
}

# wait_for COMMAND...: until it succeeds, for a minute.
wait_for()
{
	local i

	for ((i = 0; i < 1200; i++)); do
		"$@" && return
		sleep 0.05
	done
	echo "waited in vain for: $*"
	return 1
}

# wait_for_lock FILE: until a process has it open as QEMU's programs do.
wait_for_lock()
{
	wait_for grep -q "OFDLCK.*:$(stat -c %i "$1") " /proc/locks
}

# json FILTER: stdin through jq, one line.
json()
{
	requires jq
	jq -c "$@"
}
