# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lib.bash - sourced by tests/guests/NAME/run: TAP, a folder to work in, and a guest's tree as the kernel lists it against
# the tree as drydock lists it.
#
#   result STATUS NAME          one test, passed when STATUS is 0
#   skip NAME REASON            one test, skipped
#   skip_all REASON             nothing of this can be tested here
#   need TOOL...                skip_all unless they are installed
#   need_mounts                 skip_all unless root may mount through loop devices
#   mounts TYPE                 does this kernel mount filesystems of TYPE?
#   start                       a folder of its own, removed at the end; then it is the current one
#   compile_tree_list           ./tree_list, from tree_list.c
#   compile_extents             ./extents, from extents.c
#   compile_torture_tree        ./torture_tree, from torture_tree.c
#   list_guest GUEST-ARGUMENTS...         our view, as tree_list prints the kernel's; list_guest_plain: without checksums
#   compare NAME OFFSET RAW GUEST-ARGUMENTS...   the kernel's view of the filesystem at OFFSET of RAW against ours;
#                               MOUNT_OPTS are further options of the mount; LIST_EDIT is a sed script for both listings,
#                               where both cannot be equal; its reason stands where it is set
#   debian_tree DIR             a real Debian 12 with systemd, kept in ${DRYDOCK_TEST_CACHE:-~/.cache/drydock-tests}; false with
#                               $reason when it cannot be had
#   finish                      the plan, and the exit status
set -u
guests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$guests/../.." && pwd)
# shellcheck source=tests/mounts.bash
. "$top/tests/mounts.bash"
: "${BUILD:=$top/build}"
: "${DRYDOCK:=$BUILD/drydock}"
: "${DRYDOCK_TEST_CACHE:=${HOME:-/root}/.cache/drydock-tests}"
PATH=$PATH:/sbin:/usr/sbin
# The appliance of whoever runs the tests is none of theirs.
export LC_ALL=C TZ=UTC XDG_CACHE_HOME=/nonexistent
n=0
bad=0
MOUNT_OPTS=
LIST_EDIT=

result()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		bad=1
	fi
}

skip()
{
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 0
}

finish()
{
	echo "1..$n"
	exit $bad
}

need()
{
	for tool; do
		command -v "$tool" >/dev/null || skip_all "$tool is not installed"
	done
}

clean_up()
{
	mountpoint -q "$work/mnt" && umount "$work/mnt"
	rm -rf "$work"
}

start()
{
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/drydock-guest.XXXXXX") || exit 1
	trap clean_up EXIT
	trap 'exit 1' HUP INT TERM
	cd "$work" || exit 1
	mkdir mnt
}

need_mounts()
{
	[ "$(id -u)" = 0 ] || skip_all "only root can mount what is compared with"
	need mke2fs losetup mount
	truncate -s 1M probe.img
	mke2fs -q -F probe.img
	mount -o loop probe.img mnt 2>/dev/null || skip_all "this machine cannot mount through a loop device"
	umount mnt
	rm probe.img
}

mounts()
{
	modprobe "$1" 2>/dev/null
	grep -qw "$1" /proc/filesystems
}

compile_tree_list()
{
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -I"$top/lib/util" -o tree_list "$guests/tree_list.c" \
		"$BUILD/o/libutil.a" ${SAN:+-fsanitize=$SAN} 2>cc.log ||
		{ cat cc.log; result 1 "the lister compiles"; finish; }
}

compile_extents()
{
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -I"$top/include" -o extents "$guests/extents.c" -L"$BUILD" -ldrydock \
		"-Wl,-rpath,$BUILD" ${SAN:+-fsanitize=$SAN} 2>cc.log ||
		{ cat cc.log; result 1 "the lister of extents compiles"; finish; }
}

compile_torture_tree()
{
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -o torture_tree "$guests/torture_tree.c" 2>cc.log ||
		{ cat cc.log; result 1 "the maker of the torture tree compiles"; finish; }
}

# one entry a line, as tree_list prints them; filesystems are counted in the order in which they are met
list_guest()
{
	list_guest_plain --checksum=sha256 "$@"
}

# the same without checksums, as tree_list --no-sums
list_guest_plain()
{
	"$DRYDOCK" ls -R --json --xattrs "$@" >guest.json &&
		sed -e 's/{"path": /\n&/g' guest.json | grep '"type": ' | sed -e 's/, $//' -e 's/]}]$//' |
		awk 'match($0, /"filesystem": [0-9]+,/) {
			dev = substr($0, RSTART, RLENGTH)
			if (!(dev in seen))
				seen[dev] = n++
			print substr($0, 1, RSTART - 1) "\"filesystem\": " seen[dev] "," substr($0, RSTART + RLENGTH)
		}'
}

compare()
{
	local name=$1 offset=$2 raw=$3 rc
	shift 3
	# A filesystem without a journal knows no noload.
	mount -o "ro,noload,noatime,loop,offset=$offset$MOUNT_OPTS" "$raw" mnt 2>/dev/null ||
		mount -o "ro,noatime,loop,offset=$offset$MOUNT_OPTS" "$raw" mnt ||
		{ result 1 "$name: the kernel mounts it"; return; }
	./tree_list mnt | sed -e "$LIST_EDIT" >kernel.txt
	list_guest "$@" >guest.raw
	result $? "$name: drydock lists the whole tree"
	sed -e "$LIST_EDIT" guest.raw >guest.txt
	diff kernel.txt guest.txt >diff.txt
	rc=$?
	head -20 diff.txt | cut -c1-2000 | sed 's/^/# /'
	result $rc "$name: $(wc -l <kernel.txt) files are what the kernel says"
	umount mnt
}

# Tests that run side by side make it once.
debian_tarball()
{
	local making

	tarball=$DRYDOCK_TEST_CACHE/debian12-systemd.tar
	making=$DRYDOCK_TEST_CACHE/making-$$.tar # mmdebstrap makes a folder of a name that does not end in .tar
	mkdir -p "$DRYDOCK_TEST_CACHE" || { reason="$DRYDOCK_TEST_CACHE cannot be made"; return 1; }
	exec 8>"$DRYDOCK_TEST_CACHE/lock" && flock 8
	if [ ! -s "$tarball" ]; then
		command -v mmdebstrap >/dev/null || { reason="mmdebstrap is not installed"; return 1; }
		timeout 600 mmdebstrap --quiet --variant=minbase --include=systemd-sysv bookworm "$making" >mmdebstrap.log 2>&1 8>&- || {
			rm -rf "$making"
			reason="mmdebstrap finds no packages: $(grep -m1 '^E:' mmdebstrap.log)"
			return 1
		}
		mv "$making" "$tarball"
	fi
	exec 8>&-
}

debian_tree()
{
	debian_tarball || return
	mkdir -p "$1"
	tar -C "$1" --xattrs --xattrs-include='*' -xf "$tarball" && [ -x "$1/usr/bin/dpkg" ] && return
	reason="its tarball cannot be unpacked"
	result 1 "Debian 12: $reason"
	return 1
}
