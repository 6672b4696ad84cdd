# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mounts.bash - sourced by the helpers of all tests that mount files through loop devices.
#
# A process that is given mounts of its own gets a copy of all there are, as our own confined ones do for a moment: a filesystem
# that is unmounted meanwhile lives on in the copy.  Its image is not yet clean then, and its loop device is busy.

# As mount(8); asks again while the loop device is busy.
mount()
{
	local try why rc=0

	for try in {1..40}; do
		why=$(command mount "$@" 2>&1 >/dev/null) && return
		rc=$?
		[[ $why == *"already mounted or mount point busy"* ]] && [ "$try" -lt 40 ] || break
		sleep 0.25
	done
	[ -z "$why" ] || echo "$why" >&2
	return "$rc"
}

# As umount(8); returns when the loop devices that mount(8) has set up for it have let go of their files.
umount()
{
	local loops loop try
	local -A files=()

	loops=$(awk 'BEGIN { for (i = 1; i < ARGC; i++) dirs[ARGV[i]]; ARGC = 1 }
		$1 ~ "^/dev/loop" && $2 in dirs { sub("/dev", "/sys/block", $1); print $1 "/loop" }' \
		"${@/#[!\/-]*/$PWD/&}" </proc/self/mounts)
	for loop in $loops; do
		[ "$(cat "$loop/autoclear")" != 1 ] || files[$loop]=$(cat "$loop/backing_file")
	done
	command umount "$@" || return
	for loop in "${!files[@]}"; do
		for try in {1..200}; do
			[ "$(cat "$loop/backing_file" 2>/dev/null)" = "${files[$loop]}" ] || break
			sleep 0.05
		done
	done
}
