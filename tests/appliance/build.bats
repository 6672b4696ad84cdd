#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What drydock appliance build made starts, and its programs run: drydock appliance test.
load appliance

setup_file()
{
	make_appliance
}

@test "what is built starts with user-mode Linux" {
	need_uml
	run -0 "$DRYDOCK" appliance test -o "$appliance" --appliance=uml
	[[ $output =~ ^uml:\ Linux\ [0-9][0-9.]*\ in\ [0-9]+\.[0-9]{3}\ s$ ]]
}

@test "what is built starts with QEMU alone" {
	[ -e "$appliance/vmlinux" ] || skip "no kernel for QEMU here"
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU here"
	run -0 "$DRYDOCK" appliance test -o "$appliance" --appliance=tcg --json
	[[ $output == *'"backend": "tcg"'* ]]
	[[ $output == *'"kernel": "'*'"launch_ms": '* ]]
}

@test "an ordinary user builds it and starts it" {
	need_uml
	[ "$(id -u)" = 0 ] || skip "only root can become somebody else"
	command -v setpriv >/dev/null || skip "no setpriv here"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	mkdir nobody
	chown 65534:65534 nobody
	run -0 setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$PWD/nobody" XDG_CACHE_HOME= \
		sh -c '"$1" appliance build -q --agent="$2" && "$1" appliance test --appliance=uml' - \
		"$DRYDOCK" "${AGENT:-$BUILD/agent/drydock-agent}"
	[[ $output == *"uml: Linux "* ]]
}

@test "an appliance that is not whole is not started" {
	need_uml
	cp -r "$appliance" part
	rm part/uml.initrd
	run "$DRYDOCK" appliance test -o part
	[ "$status" = 1 ]
	[ "$output" = "drydock: the appliance in part has not all of its files" ]
}

@test "an appliance whose programs do not run says so" {
	need_uml
	cp -r "$appliance" empty
	: >empty/tools.ext4
	truncate -s 1M empty/tools.ext4
	run "$DRYDOCK" appliance test -o empty --appliance=uml
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"the image of tools cannot be mounted"* ]]
}
