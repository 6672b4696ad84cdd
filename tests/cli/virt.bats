# SPDX-License-Identifier: GPL-2.0-or-later
# The names virt-ls, virt-cat, virt-df and virt-filesystems beside what the peers themselves have printed, see
# golden/virt/record.
load helpers

golden=$BATS_TEST_DIRNAME/golden/virt

setup_file()
{
	[ "$(id -u)" = 0 ] || return 0
	PATH=$PATH:/sbin:/usr/sbin command -v mke2fs sfdisk mkswap >/dev/null || return 0
	DISKS=$(mktemp -d "${TMPDIR:-/var/tmp}/drydock-virt.XXXXXX")
	export DISKS
	"$golden/make-image" "$DISKS" >/dev/null
}

teardown_file()
{
	[ ! -d "${DISKS-}" ] || rm -rf "$DISKS"
}

# Every case whose name begins with $1 prints what the peer printed, and exits as it did.
equal_to_peer()
{
	local name command status failed=0

	requires_root
	requires mke2fs sfdisk mkswap
	cd "$DISKS" || return 1
	PATH=$COMPAT:$PATH
	while IFS='|' read -r name command; do
		[[ $name == "$1" || $name == "$1"_* ]] || continue
		status=0
		sh -c "$command" >"$T/out" 2>"$T/err" </dev/null || status=$?
		echo "exit status $status" >>"$T/out"
		diff -u "$golden/$name.out" "$T/out" || {
			echo "$name: $command"
			cat "$T/err"
			failed=1
		}
		[ ! -e "$golden/$name.err" ] || [ -s "$T/err" ] || {
			echo "$name: $command: the failure is not told"
			failed=1
		}
	done <"$golden/cases"
	return $failed
}

@test "virt-filesystems prints what the peer prints" {
	equal_to_peer fs
}

@test "virt-df prints what the peer prints" {
	equal_to_peer df
}

@test "virt-ls prints what the peer prints" {
	equal_to_peer ls
}

@test "virt-cat prints what the peer prints" {
	equal_to_peer cat
}
