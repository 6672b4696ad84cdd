# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
#
# A conversion in which the Nth system call of a kind fails, or is the last one, for every N: one sentence, and nothing
# that looks like an image and is none.

load helpers

setup()
{
	make_folder
	requires qemu-img
	requires_tracing
	random_file part 600K 5
	truncate -s 6M a.raw
	dd if=part of=a.raw bs=64k seek=11 conv=notrunc status=none
	dd if=part of=a.raw bs=4k seek=1001 conv=notrunc status=none
	seq 20000 | dd of=a.raw bs=1M seek=5 conv=notrunc status=none
	rm part
	drydock convert -q -c -f raw a.raw z.qcow2
}

litter()
{
	find . -name '.*.drydock-*' | wc -l
}

# injected WHAT CALL N ARGUMENT...: drydock, in which the Nth CALL of each thread meets its fate; $status, the file said;
# false: there is no Nth.  With $only only calls on that file.
injected()
{
	local what=$1 call=$2 n=$3
	shift 3

	status=0
	strace -f -qq -o log ${only:+-P "$only"} -e trace="$call" -e inject="$call:$what:when=$n" "$DRYDOCK" "$@" 2>said || status=$?
	grep -qE 'INJECTED|SIGKILL' log
}

# The target is what it was, or (a failure after it was renamed, or none) the whole copy.
judge_target()
{
	if [ "$(head -c 12 out.img)" = "what was the" ]; then
		[ "$1" != 0 ] && rm -f out.img
	else
		drydock compare -q -f raw a.raw -F "$2" out.img && rm out.img
	fi
}

# every CALL -O FORMAT ARGUMENT...: each of these calls fails in turn, with EIO.
every()
{
	local call=$1 format=$3 n=0
	shift

	echo "$call: $*"
	while :; do
		n=$((n + 1))
		echo "what was there" >out.img
		injected error=EIO "$call" $n convert -q -m 1 "$@" out.img || break
		echo "$n: $status: $(cat said)"
		# before main() the loader has its own words
		[ "$status" = 127 ] && continue
		[ "$status" = 0 ] || [ "$(grep -c '^drydock: ' said)" = "$(grep -c . said)" ]
		[ "$status" = 0 ] || { [ "$status" = 1 ] && [ "$(grep -c . said)" = 1 ]; }
		judge_target "$status" "$format"
		[ "$(litter)" = 0 ]
	done
	[ $n -gt 1 ]
}

@test "each read, write, flush, size and name of a conversion may fail" {
	for call in pread64 pwrite64 fdatasync fsync ftruncate rename lseek; do
		every $call -O qcow2 -f raw a.raw
		[ $call = lseek ] || every $call -O raw z.qcow2
	done
	every pwrite64 -O qcow2 -c -f raw a.raw
	every pread64 -O raw --verify z.qcow2
	every copy_file_range -O qcow2 -C -f raw a.raw
}

@test "each lock, each file and each mapping of memory may be refused" {
	every fcntl -O qcow2 -f raw a.raw
	every openat -O qcow2 -f raw a.raw
	# The sanitizer's own memory is refused, too.
	is_sanitized || every mmap -O qcow2 -c -f raw a.raw
	every ioctl -O raw -f raw a.raw
}

# killed CALL -O FORMAT ARGUMENT...: the program ends at each of these calls in turn.
killed()
{
	local call=$1 format=$3 n=0
	shift

	echo "$call: $*"
	while :; do
		n=$((n + 1))
		echo "what was there" >out.img
		injected signal=KILL "$call" $n convert -q -m 1 "$@" out.img || break
		[ "$status" = 137 ]
		# renamed, and then killed: it is whole
		judge_target 1 "$format"
		if [[ "$*" = *--resume* ]]; then
			drydock convert -q -m 1 "$@" out.img
			judge_target 0 "$format"
			[ "$(litter)" = 0 ]
		fi
		rm -f .out.img.drydock-*
	done
	[ $n -gt 1 ]
}

@test "a conversion killed at each write leaves no half target, and goes on with --resume" {
	killed pwrite64 -O raw z.qcow2
	killed pwrite64 -O qcow2 -f raw a.raw
	for call in pwrite64 fdatasync fsync rename unlink; do
		killed $call -O qcow2 --resume -f raw a.raw
	done
	killed pwrite64 -O qcow2 -c --resume -f raw a.raw
	killed pwrite64 -O raw --resume z.qcow2
}

@test "a conversion into a pipe may fail at each write" {
	local n format only=$T/out.img

	for format in raw qcow2; do
		n=0
		while :; do
			n=$((n + 1))
			injected error=EIO write $n convert -m 1 -f raw -O $format a.raw - >out.img || break
			[ "$status" = 1 ]
			[ "$(cat said)" = "drydock: standard output: Input/output error" ]
		done
		[ $n -gt 1 ]
	done
}
