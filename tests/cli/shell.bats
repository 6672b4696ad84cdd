# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# shell.bats - the shell over one guest, and guestfish, where they only read: no machine is needed.
load helpers
load guest

setup()
{
	make_folder
	make_guest g.img >/dev/null
	export DRYDOCK_APPLIANCE=uml
}

not_mounted()
{
	! mountpoint -q "$1"
}

# fish WORD...: guestfish, reading.
fish()
{
	"$COMPAT/guestfish" --ro "$@"
}

@test "commands come from the command line, a file and standard input" {
	[ "$(drydock shell -a g.img cat /etc/hostname : ls /boot)" = $'guest\nlost+found\nvmlinuz' ]
	printf '# a comment\n\n  cat /etc/hostname\n' >script
	[ "$(drydock shell -a g.img --file script)" = guest ]
	[ "$(drydock shell -a g.img <script)" = guest ]
	[ "$(fish -a g.img -i -f script)" = guest ]
	[ "$(fish -a g.img run : mount /dev/sda2 / : is-file /etc/hostname : cat /etc/hostname | tr '\n' ' ')" = "true guest  " ]
}

@test "a command that fails ends a script with its place, one with - before it does not" {
	printf 'echo one\n-cat /none\necho two\ncat /none\necho three\n' >script
	run -1 --separate-stderr fish -a g.img -i -f script
	[ "$output" = $'one\ntwo' ]
	[ "${stderr_lines[0]}" = 'script:2: libguestfs: error: download: /none: No such file or directory' ]
	[ "${stderr_lines[1]}" = 'script:4: libguestfs: error: download: /none: No such file or directory' ]
}

@test "words: quotes, escapes, pipes, the host's programs, and programs that print commands" {
	cat >script <<-'END'
		echo a  'b  c' "d\te\x41"
		cat /etc/hostname | tr a-z A-Z
		!echo host
		<!echo "echo printed"
		glob echo /et*/host* /none*
		not cat /none
	END
	fish -a g.img -i -f script >out 2>err
	[ "$(cat out)" = "$(printf 'a b  c d\teA\nGUEST\n\nhost\nprinted\n/etc/hostname /none*')" ]
	printf -- '-cat "x\n-cat\n-nonesuch\n-hivex-open /x\n' >script
	fish -a g.img -i -f script 2>err
	grep -q 'unterminated double quote' err
	grep -q 'usage: cat path' err
	grep -q 'nonesuch: unknown command' err
	grep -q 'guestfish command hivex-open is not here yet' err
}

@test "a session that only reads writes nothing, and says so" {
	sum=$(sha256sum <g.img)
	fails_with 1 'read only' drydock shell -a g.img write /etc/hostname x
	export DRYDOCK_APPLIANCE_DIR=$T/none
	fails_with 1 'internal_write: this needs a machine' fish -a g.img -i write /etc/hostname x
	[ "$(drydock shell -a g.img -- -sh 'echo no' : cat /etc/hostname 2>err)" = guest ]
	grep -q 'sh: this needs a machine, and there is no appliance' err
	[ "$(sha256sum <g.img)" = "$sum" ]
}

@test "a session that lies to the process on the host gets what the line at work asks for, and nothing else" {
	echo secret >secret
	printf '%s\n' 'cat /etc/hostname' 'cat /x | cat >asked' 'download /x asked' 'glob upload /etc/host* /x' \
		'not copy-out /x .' '-tgz-out /etc asked' >script
	"$BUILD/cli-tests/liar_tool" script >out
	diff -u - out <<-'END'
		2: the line's program
		3: the line's file
		4: a file of its pattern
	END
	[ -e asked ]
	for f in run output pipe create pack behind editor by .profile x; do [ ! -e "$f" ]; done
}

@test "files go to the host: one, a tree, an archive" {
	drydock shell -a g.img download /home/ann/letter letter : copy-out /home/ann . : tar-out /etc etc.tar : tgz-out /etc etc.tgz
	[ "$(cat letter ann/letter)" = $'secret\nsecret' ]
	tar tf etc.tar | grep -q '^./hostname$'
	tar tzf etc.tgz | grep -q '^./hostname$'
	fails_with 1 'No such file' drydock shell -a g.img download /none x
	[ ! -e x ]
}

@test "each command has a row of its own, a line of help, and none has the name of another" {
	drydock shell --list >out
	sed -n 's/^  \([a-z0-9A-Z-]*\) .*/\1/p' out | sort >names
	[ "$(uniq -d <names)" = "" ]
	[ "$(wc -l <names)" -gt 200 ]
	run -0 drydock shell help part-list
	[[ $output == *"part-list device"* ]]
}

@test "mount-local: the guest's files below a folder, until it is unmounted; then the session goes on" {
	requires_fuse
	mkdir m
	"$DRYDOCK" shell -a g.img mount-local m : umount-local : mount-local "$PWD/m" options:default_permissions : mount-local-run : \
		cat /etc/hostname >out 2>err &
	pid=$!
	wait_for mountpoint -q m
	[ "$(cat m/etc/hostname)" = guest ]
	grep -q " $PWD/m fuse.drydock ro,.*default_permissions" /proc/mounts
	run -1 touch m/new
	[[ $output = *'Read-only file system' ]]
	fusermount3 -u m
	wait "$pid"
	[ "$(cat out)" = guest ]
	# Who goes on without, or is wrong.
	run -1 drydock shell -a g.img mount-local-run
	[ "$output" = 'drydock: mount-local-run: "mount-local" comes first' ]
	run -1 drydock shell -a g.img mount-local none
	[ "$output" = 'drydock: mount-local: none: No such file or directory' ]
	run -1 drydock shell -a g.img mount-local g.img
	[ "$output" = 'drydock: mount-local: g.img: Not a directory' ]
	# A session that is killed leaves no mount.
	"$DRYDOCK" shell -a g.img mount-local m : mount-local-run >out 2>err &
	pid=$!
	wait_for mountpoint -q m
	kill -9 "$pid"
	wait "$pid" || true
	wait_for not_mounted m
}
