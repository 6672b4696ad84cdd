#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# doctor.bats - what the host can do is found out by trying, and said twice in the same words.

load helpers

setup()
{
	export DRYDOCK_APPLIANCE_DIR=$BATS_TEST_TMPDIR/appliance
}

# fact NAME FIELD: of the last JSON
fact()
{
	jq -r ".facts[] | select(.name == \"$1\") | .$2" <<<"$output"
}

# What an appliance consists of, as far as it is looked for.
some_appliance()
{
	mkdir "$DRYDOCK_APPLIANCE_DIR"
	printf 'drydock appliance %d\n%064d\n' "$(sed -n 's/^#define APPLIANCE_LAYOUT //p' "$TOP/lib/appliance/files.h")" 7 >"$DRYDOCK_APPLIANCE_DIR/key"
	for f; do echo >"$DRYDOCK_APPLIANCE_DIR/$f"; done
}

@test "without an appliance it says how to make one, and fails" {
	run "$DRYDOCK" doctor
	[ "$status" = 1 ]
	[[ $output == *"appliance   missing"* ]]
	[[ $output == *"drydock appliance build"* ]]
}

@test "the table and the JSON have the same facts" {
	run "$DRYDOCK" doctor --json
	names=$(jq -r '.facts[].name' <<<"$output")
	states=$(jq -r '.facts[] | .name + " " + .state' <<<"$output")
	[ "$(jq .appliance <<<"$output")" = false ]
	run "$DRYDOCK" doctor
	table=$(sed -n '2,/^$/p' <<<"$output" | sed '/^$/d' | awk '{ print $1, $2 }')
	[ "$table" = "$states" ]
	[ "$(wc -w <<<"$names")" -ge 11 ]
}

@test "Landlock and seccomp are there where confinement says so" {
	run "$DRYDOCK" doctor --json
	[ "$(fact landlock state)" = good ] || [[ $(fact landlock install) != null ]]
	[ "$(fact seccomp state)" = good ]
}

@test "namespaces that the user may not have are named, with what to do" {
	unshare -Ur true 2>/dev/null || skip "no user namespaces here"
	run unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" doctor --json' "$DRYDOCK"
	[ "$(fact namespaces state)" = poor ]
	[[ $(fact namespaces text) == "not for this user (namespaces: No space left on device)"* ]]
	[[ $(fact namespaces install) == *user.max_user_namespaces* ]]
}

@test "KVM that is not there, and KVM that may not be used" {
	unshare -mUr mount --bind /dev/null /dev/null 2>/dev/null || skip "no mount namespaces here"
	run unshare -mUr sh -c 'mount -t tmpfs none /dev && exec "$0" doctor --json' "$DRYDOCK"
	[ "$(fact kvm state)" = poor ]
	[ "$(fact kvm text)" = "there is no /dev/kvm" ]
	[ -e /dev/kvm ] || skip "no /dev/kvm here"
	run unshare -mUr sh -c 'mount --bind /dev/null /dev/kvm && exec "$0" doctor --json' "$DRYDOCK"
	[[ $(fact kvm text) == "/dev/kvm makes no machine: "* ]]
	[ "$(fact kvm install)" != null ]
}

@test "QEMU that is not on the PATH is something to install" {
	[ ! -e /usr/libexec/qemu-kvm ] && [ ! -e /usr/bin/qemu-kvm ] || skip "there is a qemu-kvm"
	PATH=/nowhere run "$DRYDOCK" doctor --json
	[ "$(/usr/bin/env PATH=/usr/bin:/bin jq -r '.facts[] | select(.name == "qemu") | .state' <<<"$output")" = poor ]
}

@test "an appliance with user-mode Linux alone is started with that" {
	unshare -Urmn true 2>/dev/null || skip "no user namespaces here"
	some_appliance uml uml.initrd
	run "$DRYDOCK" doctor --json
	[ "$status" = 0 ]
	[ "$(fact backends text)" = uml ]
	[[ $(fact appliance text) == *"without a kernel for QEMU, without tools" ]]
}

@test "an appliance that no backend can start is a failure" {
	some_appliance vmlinux vmlinux.initrd
	[ ! -e /usr/libexec/qemu-kvm ] && [ ! -e /usr/bin/qemu-kvm ] || skip "there is a qemu-kvm"
	PATH=/nowhere run "$DRYDOCK" doctor
	[ "$status" = 1 ]
	[[ $output == *"backends    missing"* ]]
}
