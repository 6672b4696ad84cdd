# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# uml.bash - sourced after lib.bash: a real Linux kernel with device-mapper, MD and all its filesystems, for root's work on
# disk images, without root and without a virtual machine.  User-mode Linux (the package user-mode-linux) runs as a process.
#
#   need_uml [TOOL...]          skip_all unless it boots here and the tools are installed; to be called after start
#   uml IMAGE... <SCRIPT        boots it, with the images as /dev/ubda, /dev/ubdb ... (at most 16, read and written), and
#                               runs the script of standard input with bash, as root, in this folder.  What is in the
#                               folder is shared; of the host's other files it sees and runs all that the user may read, and
#                               what it writes to them is forgotten.  Returns the script's exit status; 125 when the
#                               machine did not come up, or did not finish in time.  Output is in uml.out (and, as comments,
#                               on standard output when the status is not 0), the kernel's messages are in uml.log.
#
# UML_MEMORY is its memory (256M).  UML_RAID6=1 lets the kernel choose its RAID 6 algorithm, which takes a second, and
# without which RAID 6 ends in a panic.  UML_SECONDS is the time it may take (120).
: "${UML_MEMORY:=256M}" "${UML_SECONDS:=120}"
UML_RAID6=${UML_RAID6-}

uml()
{
	local image skipped=calibrate_xor_blocks status ubds=()

	for image; do
		ubds+=("ubd${#ubds[@]}=$image")
	done
	[ "$UML_RAID6" ] || skipped+=,raid6_select_algo
	cat >uml.script
	rm -f uml.status uml.out
	# Its memory is an unlinked file in TMPDIR, which must allow execution.
	TMPDIR=$PWD timeout -k 5 "$UML_SECONDS" linux.uml "mem=$UML_MEMORY" root=/dev/root rootfstype=hostfs rootflags=/ ro \
		"init=$guests/uml_init" "uml_folder=$PWD" "uml_dir=$PWD" con=null con0=null,fd:2 quiet \
		lpj=15000000 "initcall_blacklist=$skipped" pty.legacy_count=0 "${ubds[@]}" >uml.log 2>&1 </dev/null
	if ! read -r status 2>/dev/null <uml.status; then
		status=125
		tail -5 uml.log | sed 's/^/# /'
	fi
	[ "$status" = 0 ] || [ ! -e uml.out ] || tail -20 uml.out | sed 's/^/# /'
	return "$status"
}

need_uml()
{
	need linux.uml insmod "$@"
	uml </dev/null >/dev/null || skip_all "user-mode Linux does not boot here"
}
