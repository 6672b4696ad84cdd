#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# launch.bats - an appliance comes up, is reached, and leaves nothing behind, however it ends.

load appliance

setup_file()
{
	make_appliance
}

names_in()
{
	find "$@" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort
}

# ---- user-mode Linux ----

@test "uml: it comes up, answers, and powers off" {
	need_uml
	launch "$appliance" uml
	[[ $ready == "ready uml "* ]]
	tell ping
	[ "$answer" = pong ]
	tell close
	[ "$answer" = gone ]
	done_with_it
	none_left
}

@test "uml: with disks, from a confined process" {
	need_uml
	truncate -s 8M disk
	launch --confine --disk disk "$appliance" uml
	[[ $ready == "ready uml "* ]]
	tell ping
	[ "$answer" = pong ]
	tell kill
	done_with_it
	none_left
}

@test "uml: eight that are started at the same moment, by a confined process, all have their disks and their tools" {
	need_uml
	run -0 "$BUILD/appliance-tests/many_tool" "$appliance" uml 8
	[ "${lines[-1]}" = "8 of 8" ]
}

@test "uml: it sees next to nothing of the host, and may next to nothing" {
	need_uml
	launch "$appliance" uml
	vm=$(machine)
	[ "$(names_in "/proc/$vm/root" | grep -vxE 'dev|etc|gnu|initrd|lib|lib64|linux|nix|proc|s|tmp|usr')" = "" ]
	[ "$(names_in "/proc/$vm/root/usr" | grep -vxE 'lib|lib64')" = "" ]
	[ "$(names_in "/proc/$vm/root/etc" "/proc/$vm/root/proc" | paste -sd' ')" = "cpuinfo ld.so.cache" ]
	status=$(<"/proc/$vm/status")
	[[ $status == *$'\nNoNewPrivs:\t1\n'* ]]
	[[ $status == *$'\nSeccomp:\t2\n'* ]]
	[[ $status == *$'\nCapEff:\t0000000000000000\n'* ]]
	[[ $status == *$'\nCapBnd:\t0000000000000000\n'* ]]
	[ "$(tail -n +3 "/proc/$vm/net/dev" | cut -d: -f1 | tr -d ' ')" = lo ]
	for ns in user mnt pid net ipc uts; do
		[ "$(readlink "/proc/$vm/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ]
	done
	# No file of the host but those that were meant to be.
	[ "$(find "/proc/$vm/fd" -lname '/*' -printf '%l\n' | grep -vxE '/dev/(null|random|urandom)|/tmp/.*|/initrd' || true)" = "" ]
	done_with_it
	none_left
}

@test "uml: as nobody, with a /tmp that is noexec" {
	need_uml
	[ "$(id -u)" = 0 ] || skip "needs root to become nobody"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR" "$appliance"
	cp "$TOOL" tool && chmod 755 tool
	cp -r "$appliance" . && chmod -R a+rX appliance
	# What other tests have mounted is not held by it.
	run unshare -mn sh -c 'sed -n "s,^/dev/loop[^ ]* \([^ ]*\) .*,\1,p" /proc/self/mounts | xargs -r umount -l
		mount -t tmpfs -o noexec none /tmp; cd "$1"; printf "ping\nclose\n" |
		setpriv --reuid=65534 --regid=65534 --clear-groups ./tool --append "$2" appliance uml 2>log' sh "$PWD" "$mark"
	[[ $output == "ready uml "*$'\n'pong$'\n'gone ]]
	none_left
}

@test "uml: where namespaces are not to be had it says so, and TCG is tried" {
	need_uml
	run -1 unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@" </dev/null' sh \
		"$TOOL" --append "$mark" "$appliance" uml
	[[ $output == *"error: no appliance came up (uml: it is not started unconfined, and this host does not allow namespaces of one's own (No space left on device))"* ]]
	none_left
}

@test "uml: the tool is killed" {
	need_uml
	launch "$appliance" uml
	kill -9 "$tool"
	wait "$tool" || true
	none_left
}

@test "uml: the broker is killed" {
	need_uml
	launch "$appliance" uml
	kill -9 "$(pgrep -P "$tool")"
	tell ended
	[ "$answer" = yes ]
	tell ping
	[[ $answer == "error: "* ]]
	done_with_it
	none_left
}

@test "uml: its guardian is killed" {
	need_uml
	launch "$appliance" uml
	kill -9 "$(pgrep -P "$(pgrep -P "$tool")")"
	tell ended
	[ "$answer" = yes ]
	tell close
	[[ $answer == "error: "* ]]
	done_with_it
	none_left
}

@test "uml: the machine is killed" {
	need_uml
	launch "$appliance" uml
	kill -9 "$(machine)"
	tell ended
	[ "$answer" = yes ]
	done_with_it
	none_left
}

@test "uml: a kernel that panics is one sentence" {
	need_uml
	launch --append "$mark rdinit=/none init=/none" "$appliance" uml
	[[ $ready == "error: no appliance came up (uml: it "*": Kernel panic - not syncing: "* ]]
	done_with_it || true
	none_left
}

@test "uml: a network is not to be had" {
	need_uml
	launch --network --allow-network "$appliance" uml
	[ "$ready" = "error: no appliance came up (uml: user-mode Linux has no network here)" ]
	done_with_it || true
	none_left
}

# ---- QEMU ----

# As none of these comes up with Linux within a second or two, a kernel of our own is started.
@test "tcg: a kernel comes up, answers, and powers off" {
	need_pvh
	launch --raw "$pvh" tcg
	[[ $ready == "ready tcg "* ]]
	tell ping
	[ "$answer" = pong ]
	tell send q
	tell ended
	[ "$answer" = yes ]
	done_with_it
	none_left
}

@test "kvm: a kernel comes up, answers, and powers off" {
	need_pvh
	[ -w /dev/kvm ] || skip "no /dev/kvm here"
	launch --raw "$pvh" kvm
	# A KVM that does not take all of the registers that it says it has.
	if [[ $ready == "error: "*MSR* || $ready == "error: "*signal* ]]; then
		done_with_it || true
		launch --raw --plain "$pvh" kvm
	fi
	[[ $ready == "ready kvm "* ]]
	tell ping
	[ "$answer" = pong ]
	tell send q
	tell ended
	[ "$answer" = yes ]
	done_with_it
	none_left
}

@test "tcg: the tool is killed while the machine runs" {
	need_pvh
	launch --raw "$pvh" tcg
	kill -9 "$tool"
	wait "$tool" || true
	none_left
}

@test "tcg: the guardian is killed" {
	need_pvh
	launch --raw "$pvh" tcg
	kill -9 "$(pgrep -P "$(pgrep -P "$tool")")"
	tell ended
	[ "$answer" = yes ]
	done_with_it
	none_left
}

@test "tcg: a kernel that resets the machine ends it" {
	need_pvh
	launch --raw "$pvh" tcg
	tell send t
	tell ended
	[ "$answer" = yes ]
	done_with_it
	none_left
}

@test "tcg: a kernel that hangs is ended with the rest" {
	need_pvh
	launch --raw "$pvh" tcg
	tell send p
	tell silent
	[ "$answer" = "no answer" ]
	done_with_it
	none_left
}

@test "tcg: without namespaces, and nothing is left either" {
	need_pvh
	run unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; printf "ping\n" | "$@" 2>/dev/null' sh \
		"$TOOL" --append "$mark" --raw "$pvh" tcg
	[[ $output == "ready tcg "*$'\n'pong ]]
	none_left
}

@test "tcg: without namespaces, and the guardian is killed" {
	need_pvh
	unshare -Ur true 2>/dev/null || skip "no user namespaces here"
	cat >without <<-'EOF'
		echo 0 >/proc/sys/user/max_user_namespaces
		exec "$@"
	EOF
	around="unshare -Ur sh $PWD/without" launch --raw "$pvh" tcg
	[[ $ready == "ready tcg "* ]]
	kill -9 "$(pgrep -P "$(pgrep -P "$tool")")"
	tell ended
	[ "$answer" = yes ]
	done_with_it
	none_left
}

@test "tcg: it has no network, no capability, and its own sandbox" {
	need_pvh
	unshare -Urmpnf true 2>/dev/null || skip "no user namespaces here"
	launch --raw "$pvh" tcg
	vm=$(machine)
	[ "$(tail -n +3 "/proc/$vm/net/dev" | cut -d: -f1 | tr -d ' ')" = lo ]
	[[ $(<"/proc/$vm/status") == *$'\nSeccomp:\t2\n'* ]]
	[[ $(<"/proc/$vm/status") == *$'\nCapEff:\t0000000000000000\n'* ]]
	[ ! -e "/proc/$vm/root/home" ]
	[ ! -e "/proc/$vm/root/etc/passwd" ]
	done_with_it
	none_left
}

# ---- one after the other ----

# A program in the place of user-mode Linux that ends at once.
broken_uml()
{
	echo none >none
	folder ends uml=/bin/false uml.initrd=none
}

@test "all fail: the sentence names each, and why" {
	unshare -Urmpnf true 2>/dev/null || skip "no user namespaces here"
	broken_uml
	run -1 "$TOOL" --append "$mark" ends auto </dev/null
	[[ $output == *"error: no appliance came up (kvm: "*"; uml: it ended with status 1; tcg: the appliance was built without a kernel for it)" ]]
	none_left
}

@test "tcg: what does not answer in its time is ended" {
	need_pvh -DSILENT
	launch --deadline 3 "$pvh" tcg
	[ "$ready" = "error: no appliance came up (tcg: its agent did not answer in 3 s)" ]
	done_with_it || true
	none_left
}

@test "kvm: what does not answer in its time is ended" {
	need_pvh -DSILENT
	[ -w /dev/kvm ] || skip "no /dev/kvm here"
	launch --deadline 3 "$pvh" kvm
	[ "$ready" = "error: no appliance came up (kvm: its agent did not answer in 3 s)" ]
	done_with_it || true
	none_left
}

@test "KVM that is slow is not tried, and says how slow it is" {
	need_pvh -DSILENT
	[ -w /dev/kvm ] || skip "no /dev/kvm here"
	run "$DRYDOCK" doctor --json
	slow=$(jq -r '.facts[] | select(.name == "kvm" and .state == "poor") | .text' <<<"$output")
	[[ $slow == *"million instructions a second: it is not the hardware that does" ]] || skip "/dev/kvm is not slow here"
	launch --deadline 3 "$pvh" auto
	[[ $ready == "error: no appliance came up (kvm: /dev/kvm runs "*" million instructions a second: it is not the hardware that does; uml: the appliance was built without a kernel for it; tcg: its agent did not answer in 3 s)" ]]
	done_with_it || true
	none_left
}

@test "an agent that says something else is not the agent" {
	need_pvh
	launch --deadline 3 "$pvh" tcg
	[[ $ready == "error: no appliance came up (tcg: "* ]]
	done_with_it || true
	none_left
}

@test "DRYDOCK_APPLIANCE forces a backend, and is judged" {
	folder empty
	echo >none
	folder empty uml=none uml.initrd=none
	DRYDOCK_APPLIANCE=xen run -1 "$TOOL" empty auto </dev/null
	[[ $output == *'error: DRYDOCK_APPLIANCE: the appliance runs as auto, kvm, uml or tcg, not "xen"' ]]
	DRYDOCK_APPLIANCE=tcg run -1 "$TOOL" empty auto </dev/null
	[[ $output == *"error: no appliance came up (tcg: the appliance was built without a kernel for it)" ]]
}

# ---- what the broker does not do ----

@test "a network that was not settled at the start is refused" {
	need_pvh
	launch --raw --network "$pvh" tcg
	[ "$ready" = "error: no network was asked for when the program began" ]
	done_with_it || true
	none_left
}

@test "words for the kernel have no control characters, and an end" {
	folder empty
	echo >none
	folder empty uml=none uml.initrd=none
	run -1 "$TOOL" --append $'a\nb' empty uml </dev/null
	[[ $output == *"error: words for the kernel are of printable characters, and have less than 1024" ]]
	run -1 "$TOOL" --append "$(printf '%01100d' 0)" empty uml </dev/null
	[[ $output == *"error: words for the appliance's kernel have less than 1024 characters" ]]
	run -1 "$TOOL" --memory 1 empty uml </dev/null
	[[ $output == *"error: an appliance has between 64 and 1048576 MiB of memory, not 1" ]]
}
