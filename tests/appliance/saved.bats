#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# saved.bats - QEMU without KVM goes on from a machine that was saved; what is wrong with it costs a start from nothing.
# DRYDOCK_KILLS is how often its writing fails at a random step (1).

load appliance

setup_file()
{
	make_appliance
}

teardown()
{
	processes | xargs -r kill -9 2>/dev/null || true
	! mountpoint -q "$mark" 2>/dev/null || umount -Rl "$mark"
}

# An appliance of the test's own, with the machine that tests before saved, and without one where it is to be new.
own()
{
	[ -e "$appliance/vmlinux" ] || skip "no kernel for QEMU here"
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU here"
	mark=$BATS_TEST_TMPDIR/appliance.$BATS_TEST_NUMBER
	export unmarked=1
	# Links: they are the same files.
	cp -al "$appliance" "$mark"
	if [ "${1-}" = new ]; then
		rm -f "$mark/saved"
	elif [ ! -s "$mark/saved" ]; then
		saves "$mark"
		ln "$mark/saved" "$appliance/saved"
	fi
}

# The first start with a folder.
saves()
{
	launch "$1" tcg
	[[ $ready == "ready tcg "* ]]
	grep -q "one is booted and saved" log
	[ -s "$1/saved" ]
	done_with_it
}

goes_on()
{
	tr '\0' ' ' <"/proc/$(machine)/cmdline" | grep -q -- '-incoming'
}

@test "the first start saves a machine, and the next ones go on from it" {
	own new
	launch "$mark" tcg
	[[ $ready == "ready tcg "* ]]
	goes_on
	tell ping
	[ "$answer" = pong ]
	tell close
	[ "$answer" = gone ]
	done_with_it
	[ "$(stat -c %a "$mark/saved")" = 600 ]
	ln -f "$mark/saved" "$appliance/saved"
	before_it=$(sha256sum <"$mark/saved")
	truncate -s 8M disk
	launch --confine --disk disk "$mark" tcg
	[[ $ready == "ready tcg "* ]]
	goes_on
	run grep saved log
	[ "$status" = 1 ]
	tell close
	[ "$answer" = gone ]
	done_with_it
	# Nothing of it is written by who goes on from it.
	[ "$(sha256sum <"$mark/saved")" = "$before_it" ]
	[ "$(ls "$mark")" = "$(ls "$appliance")" ]
	none_left
}

@test "with one disk or eight it has those, in their order, the time, and random numbers of its own" {
	own
	export DRYDOCK_APPLIANCE_DIR=$mark
	for n in 1 8; do
		args=()
		for ((i = 0; i < n; i++)); do
			truncate -s $((i + 1))M "disk$i"
			args+=(-a "disk$i")
		done
		from=$(date +%s)
		echo 'echo size $(cat /sys/block/vd?/size) serial $(cat /sys/block/vd?/serial) time $(date +%s)
			cat /proc/sys/kernel/random/uuid; echo $(od -An -tx1 -N16 /dev/urandom)
			[ -e /sys/bus/virtio/devices/virtio9 ]; echo places $?' |
			"$DRYDOCK" rescue --appliance tcg "${args[@]}" >out 2>log
		# The tools are the last disk.
		want=$(for ((i = 1; i <= n; i++)); do printf '%d ' $((i * 2048)); done)
		grep -q "^size ${want}[0-9]* serial $(printf 'disk%d' $(seq 0 $((n - 1))))tools time" out
		now=$(sed -n 's/.* time //p' out)
		((now >= from - 1 && now <= $(date +%s) + 1))
		# Only one that was saved has places for more.
		grep -q "places 0" out
		sed -n 2,3p out >"random$n"
		[ "$(wc -l <"random$n")" = 2 ]
	done
	run grep -Ff random1 random8
	[ "$status" = 1 ]
	none_left
}

@test "two that are the first make one machine, and both go on from it" {
	own new
	mkdir other
	(cd other && launch "$mark" tcg && [[ $ready == "ready tcg "* ]] && goes_on && done_with_it) &
	other=$!
	launch "$mark" tcg
	[[ $ready == "ready tcg "* ]]
	goes_on
	done_with_it
	wait "$other"
	none_left
	[ -s "$mark/saved" ]
}

@test "where namespaces are not to be had it goes on, too" {
	own
	unshare -Ur true 2>/dev/null || skip "no user namespaces here"
	run -0 unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; echo ping | "$@" 2>log' sh "$TOOL" "$mark" tcg
	[[ $output == "ready tcg "*$'\n'pong ]]
	run grep "from nothing" log
	[ "$status" = 1 ]
	none_left
}

@test "another kernel or QEMU makes another machine" {
	own
	# A file of its own, with another time.
	cp "$mark/vmlinux" new
	mv new "$mark/vmlinux"
	cp "$mark/saved" old
	saves "$mark"
	grep -q "the machine that is saved is another one" log
	run cmp -s old "$mark/saved"
	[ "$status" = 1 ]
	none_left
}

@test "one that is damaged is made again" {
	own
	cp "$mark/saved" new
	mv new "$mark/saved"
	"$BUILD/appliance-tests/saved_tool" memory "$mark/saved"
	saves "$mark"
	grep -q "the saved machine is damaged" log
	none_left
}

@test "one that does not come up is given up, and the start is one from nothing" {
	own
	cp "$mark/saved" new
	mv new "$mark/saved"
	"$BUILD/appliance-tests/saved_tool" state "$mark/saved"
	launch "$mark" tcg
	[[ $ready == "ready tcg "* ]]
	grep -q "it is started from nothing" log
	run goes_on
	[ "$status" = 1 ]
	done_with_it
	[ ! -s "$mark/saved" ]
	launch "$mark" tcg
	[[ $ready == "ready tcg "* ]]
	grep -q "saved machines do not work here, as was tried; it is started from nothing" log
	done_with_it
	none_left
}

@test "a machine of another shape starts from nothing: with nine disks" {
	own
	truncate -s 1M disk
	nine=()
	for _ in {1..9}; do nine+=(--disk disk); done
	launch "${nine[@]}" "$mark" tcg
	[[ $ready == "ready tcg "* ]]
	run goes_on
	[ "$status" = 1 ]
	done_with_it
	none_left
}

# launch_unsaved WHY [OPTION...]: it comes up without one, says WHY in a sentence and no more, and leaves nothing in the folder.
launch_unsaved()
{
	local why=$1 had
	shift
	had=$(ls -A "$mark")
	launch "$@" "$mark" tcg
	[[ $ready == "ready tcg "* ]] || { echo "$ready"; return 1; }
	run goes_on
	[ "$status" = 1 ]
	# Before it: that one is saved; after it: that this one is ready.
	[[ $(sed -n 2p log) == "appliance: tcg: $why; it is started from nothing" ]] && [ "$(wc -l <log)" = 3 ] || { cat log; return 1; }
	done_with_it
	[ "$(ls -A "$mark")" = "$had" ]
}

@test "where the disk is full or must not be written to, it is started from nothing" {
	own new
	[ "$(id -u)" = 0 ] || skip "only root can mount"
	files=$mark mark=$PWD/small.$BATS_TEST_NUMBER
	mkdir "$mark"
	mount -t tmpfs -o size=4M none "$mark" 2>/dev/null || skip "nothing can be mounted here"
	for f in key vmlinux vmlinux.initrd tools.ext4; do
		: >"$mark/$f"
		mount --bind "$files/$f" "$mark/$f"
	done
	launch_unsaved "a place for a saved machine: No space left on device"
	mount -o remount,ro "$mark"
	launch_unsaved "a place for a saved machine: Read-only file system"
	umount -R "$mark"
	none_left
}

@test "where writing it fails at some step, it is started from nothing" {
	own
	rm "$mark/saved"
	command -v cc >/dev/null || skip "no compiler here"
	! ldd "$TOOL" | grep -q libasan || skip "AddressSanitizer must be the first that is preloaded"
	cc -shared -fPIC -o fail.so "$BATS_TEST_DIRNAME/fail_writes.c" -ldl
	# Room is taken first; then there is a write for each page, of which the next machine may have a few less.
	steps=$(($("$BUILD/appliance-tests/saved_tool" pages "$appliance/saved") * 9 / 10))
	for ((n = 0; n < ${DRYDOCK_KILLS:-1}; n++)); do
		case $((RANDOM % 3)) in
		0) how=full why="No space left on device" ;;
		1) how=quota why="Disk quota exceeded" ;;
		*) how=each why="Input/output error" ;;
		esac
		at=$(((RANDOM * 32768 + RANDOM) % steps + 2)) what="writing the"
		[ "$n" != 1 ] || at=1 what="a place for a"
		echo "$how at $at of $steps"
		around="env LD_PRELOAD=$PWD/fail.so FAIL_FORKS=1 FAIL_NAME=saved.new FAIL_AT=$at FAIL_HOW=$how" \
			launch_unsaved "$what saved machine: $why"
	done
	none_left
}

@test "killed while it saves, and while it goes on, it leaves nothing" {
	own new
	launch "$mark" tcg &
	starting=$!
	for _ in {1..1200}; do
		saves_it=$(pgrep -of "^[^ ]*qemu-system[^ ]* .*$mark") && break
		sleep 0.05
	done
	# From here on it takes as long as it likes.
	kill -STOP "$saves_it"
	kill -9 "$(pgrep -of "^$TOOL .*$mark")"
	wait "$starting" || true
	none_left
	[ "$(ls -A "$mark")" = "$(ls -A -I saved "$appliance")" ]
	rm -r "$mark"
	own
	launch "$mark" tcg
	[[ $ready == "ready tcg "* ]]
	goes_on
	kill -9 "$tool"
	wait "$tool" || true
	none_left
}
