# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # variables are from bats
#
# guests.bash - loaded, behind the helpers of tests/cli, by the tests that read guests through the appliance.

# For setup_file(): one appliance for all tests of a file, found by $DRYDOCK_APPLIANCE_DIR.
make_appliance()
{
	export DRYDOCK_APPLIANCE_DIR=$BATS_FILE_TMPDIR/appliance
	"$DRYDOCK" appliance build --agent "${AGENT:-$BUILD/agent/drydock-agent}" -o "$DRYDOCK_APPLIANCE_DIR" >/dev/null 2>&1 || :
}

# needs_machine [BACKEND]: a machine of that kind (uml) can be started here; all commands of the test use it.
needs_machine()
{
	export DRYDOCK_APPLIANCE=${1-uml}
	if [ "$DRYDOCK_APPLIANCE" = uml ]; then
		# Where there is one, an appliance without it is a failure of the builder.
		[ -e "$DRYDOCK_APPLIANCE_DIR/uml" ] || ! command -v linux.uml || return 1
		[ -e "$DRYDOCK_APPLIANCE_DIR/uml" ] || skip "no user-mode Linux here"
		unshare -Urmpnf true 2>/dev/null || skip "no user namespaces here"
	else
		command -v qemu-system-x86_64 >/dev/null || skip "no QEMU here"
		[ -e "$DRYDOCK_APPLIANCE_DIR/vmlinux" ] || skip "no kernel for QEMU here"
	fi
}

# make_tree: small and large files, holes, links, names, times, attributes of a system that looks like a root.
make_tree()
{
	mkdir -p t/etc t/bin t/usr/bin t/home/ann t/data/empty
	printf 'ID=debian\nVERSION_ID="12"\nNAME=Debian\n' >t/etc/os-release
	echo guest >t/etc/hostname
	seq 1 20000 >t/data/numbers
	random_file t/data/big 3M 1
	truncate -s 1M t/data/holes
	printf middle | dd of=t/data/holes bs=1 seek=500000 conv=notrunc status=none
	ln -s ../etc/hostname t/data/link
	echo 'a b' >"t/home/ann/a name with blanks"
	find t -exec touch -h -d '2001-02-03 04:05:06 UTC' {} +
}

# What is printed of ../IMAGE by all commands that read guests, and by those that ask a filesystem for all that it tells.
print_all()
{
	local how=$1 image=$2

	drydock find -l --engine "$how" "../$image:/" >out.find &&
		drydock cat --engine "$how" "../$image:/etc/hostname" "../$image:/data/numbers" >out.cat &&
		drydock inspect --json --engine "$how" "../$image" >out.inspect &&
		drydock volumes --json --engine "$how" "../$image" | sed '/"engine": "appliance"/d' >out.volumes &&
		print_few "$how" "$image"
}
print_few()
{
	local how=$1 image=$2

	drydock ls -lR --engine "$how" "../$image:/" >out.ls &&
		drydock hash --engine "$how" "../$image:/" >out.hash &&
		drydock df --engine "$how" "../$image" >out.df &&
		drydock tar --engine "$how" "../$image:/" >out.tar
}

# by_both PRINT IMAGE: it prints the same by either engine, and the image stays as it is.
by_both()
{
	local how before

	before=$(sha256sum <"$2")
	for how in direct appliance; do
		mkdir -p "$how"
		(cd "$how" && "$1" "$how" "$2") || {
			echo "$how: status $?"
			return 1
		}
	done
	diff -r direct appliance
	[ "$(wc -l <direct/out.ls)" -gt 5 ]
	[ "$(sha256sum <"$2")" = "$before" ]
}
same_by_both()
{
	by_both print_all "$1"
}
few_by_both()
{
	by_both print_few "$1"
}
