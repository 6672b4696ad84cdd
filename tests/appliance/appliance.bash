# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# appliance.bash - loaded by the tests of the appliance.
# shellcheck disable=SC2034 # variables are for them
#
#   launch [OPTION...] FOLDER BACKEND   starts launch_tool in the background and waits until it says "ready" or "error";
#                                       the line is in $ready; the tool's process is $tool.  Processes are known by a word for
#                                       the machine's kernel, or, where $unmarked is set, by $mark in the folder's name
#   tell WORD...                        a line for it; its answer is in $answer
#   done_with_it                        ends its input, and waits for it
#   processes                           all processes of this test's launches: the tool, broker, guardian, machine
#   none_left                           within half a minute there is none of them, and no mount or file either

bats_require_minimum_version 1.5.0
TOOL=$BUILD/appliance-tests/launch_tool

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	# Every process of ours has this in its command line, and nobody else's.
	mark=drydock_test.$$.$BATS_TEST_NUMBER
	before=$(host_state)
}

teardown()
{
	processes | xargs -r kill -9 2>/dev/null || true
}

# What of the host a machine could leave something in.  Other tests that run meanwhile have mounts and files of their own.
host_state()
{
	grep -cE '^drydock [^ ]+ tmpfs ' /proc/self/mounts || true
	find /tmp "${XDG_RUNTIME_DIR:-/nonexistent}" "$HOME/.uml" -maxdepth 1 -name '*uml*' 2>/dev/null | sort || true
}

launch()
{
	local words=(--append "$mark")
	[ -z "${unmarked-}" ] || words=()
	rm -f in out
	mkfifo in
	: >out
	# shellcheck disable=SC2086 # words around the tool
	${around-} "$TOOL" "${words[@]}" "$@" <in >out 2>log 3>&- &
	tool=$!
	exec 7>in
	for _ in {1..2400}; do
		ready=$(head -1 out)
		[ -z "$ready" ] || return 0
		kill -0 "$tool" 2>/dev/null || break
		sleep 0.05
	done
	ready=$(head -1 out)
	[ "$ready" ] || ready="nothing: $(cat log)"
}

tell()
{
	local n
	n=$(wc -l <out)
	echo "$*" >&7
	for _ in {1..3000}; do
		[ "$(wc -l <out)" -gt "$n" ] && break
		sleep 0.02
	done
	answer=$(tail -n +$((n + 1)) out)
}

done_with_it()
{
	exec 7>&-
	wait "$tool" || return
}

processes()
{
	pgrep -f "$mark" | grep -vx "$$" || true
}

none_left()
{
	for _ in {1..600}; do
		[ "$(processes)" ] || break
		sleep 0.05
	done
	[ "$(processes)" = "" ] || { ps -o pid,stat,args -p "$(processes | paste -sd,)"; return 1; }
	[ "$(host_state)" = "$before" ]
}

# The processes that these have begun, with commas between them.
below()
{
	pgrep -d , -P "$1"
}

# The process of $tool's machine itself.  Below the tool is its broker, and below that a guardian for each machine; another tool's
# machine, or one that is just being saved, may run at the same time.
machine()
{
	pgrep -of "^(/linux|[^ ]*/qemu-system)[^ ]* .*$mark" -P "$(below "$(below "$tool")")"
}

# An appliance of the real agent, made once for the file.
make_appliance()
{
	appliance=$BATS_FILE_TMPDIR/appliance
	export appliance
	"$DRYDOCK" appliance build --agent "${AGENT:-$BUILD/agent/drydock-agent}" -o "$appliance" >/dev/null 2>"$BATS_FILE_TMPDIR/why" ||
		true
}

need_uml()
{
	# Where there is one, an appliance without it is a failure of the builder.
	[ -e "$appliance/uml" ] || ! command -v linux.uml || return 1
	[ -e "$appliance/uml" ] || skip "no user-mode Linux here"
	unshare -Urmpnf true 2>/dev/null || skip "no user namespaces here"
}

# A folder as that of an appliance, with these files in it: NAME=FROM...
folder()
{
	mkdir -p "$1"
	printf 'drydock appliance %d\n%064d\n' "$(sed -n 's/^#define APPLIANCE_LAYOUT //p' "$BATS_TEST_DIRNAME/../../lib/appliance/files.h")" \
		7 >"$1/key"
	for f in "${@:2}"; do cp "${f#*=}" "$1/${f%%=*}"; done
}

# The kernel of the tests, for QEMU: $pvh is a folder with it, made with the compiler's options given; skips where it cannot be
# made or started.
need_pvh()
{
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU here"
	pvh=$BATS_FILE_TMPDIR/pvh$*
	if [ ! -e "$pvh/key" ]; then
		mkdir -p "$pvh"
		cc "$@" -m32 -Os -nostdlib -ffreestanding -fno-pic -fno-stack-protector -static -Wl,-Ttext=0x100000,--build-id=none \
			-o "$pvh/vmlinux" "$BATS_TEST_DIRNAME/pvh_kernel.c" 2>/dev/null || skip "no compiler for 32 bits here"
		echo none >"$pvh/vmlinux.initrd"
		folder "$pvh"
	fi
}
