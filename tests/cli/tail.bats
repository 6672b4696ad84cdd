# SPDX-License-Identifier: GPL-2.0-or-later
# drydock tail, and the names virt-log and virt-tail beside what libguestfs 1.48 printed of the same guests.
load helpers

setup()
{
	make_folder
	requires mke2fs debugfs
	mkdir -p t/etc t/bin t/usr t/var/log t/root t/home t/boot t/sbin t/lib
	printf 'ID=debian\nVERSION_ID="12"\n' >t/etc/os-release
	echo 12.1 >t/etc/debian_version
	seq 1 30 >t/var/log/a
	printf 'x\n\033[31mno newline' >t/var/log/b
	guest_of g.img
}

# The first process that strace has seen; strace itself takes no signals then, and ends with it.
kill_traced()
{
	[ ! -s trace ] || kill "$(head -n 1 trace | cut -d' ' -f1)" 2>/dev/null || :
}

teardown()
{
	[ ! "${pid-}" ] || kill "$pid" 2>/dev/null || :
	[ ! "${pid-}" ] || kill_traced
	remove_folder
}

guest_of()
{
	rm -f "$1"
	mke2fs -q -F -t ext4 -d t "$1" 16M >/dev/null 2>&1
}

# change FILE...: the guest has those of the tree now; one that is not there it has no more.  It was another disk before: a
# look sees the one or the other.
change()
{
	guest_of new.img
	mv new.img g.img
}

@test "--json prints each line as an object" {
	drydock tail --json -n 2 g.img:/var/log/a g.img:/var/log/b >out
	[ "$(json '[.image, .path, .text, .ended]' <out | tr '\n' ' ')" = \
		'["g.img","/var/log/a","29",true] ["g.img","/var/log/a","30",true] ["g.img","/var/log/b","x",true] ["g.img","/var/log/b","\u001b[31mno newline",false] ' ]
}

@test "the last lines of files, however many there are" {
	[ "$(drydock tail g.img:/var/log/a)" = "$(seq 21 30)" ]
	[ "$(drydock tail -n 3 g.img:/var/log/a)" = "$(seq 28 30)" ]
	[ "$(drydock tail -n 100 g.img:/var/log/a)" = "$(seq 1 30)" ]
	[ "$(drydock tail -n 0 g.img:/var/log/a)" = "" ]
	[ "$(drydock tail -n 1 -a g.img /var/log/b)" = "$(printf '\033[31mno newline')" ]
	run -0 drydock tail -n 1 g.img:/var/log/a g.img:/var/log/b
	[ "${lines[0]}" = "==> g.img:/var/log/a <==" ]
	[ "${lines[1]}" = 30 ]
	[ "${lines[2]}" = "==> g.img:/var/log/b <==" ]
	[ "$(drydock tail -q -n 1 g.img:/var/log/a g.img:/var/log/a)" = "$(printf '30\n30')" ]
	# As tail(1) has it, around the size of a piece.
	seq 1 400000 >t/var/log/a
	printf '\n\n' >t/var/log/b
	guest_of g.img
	for n in 1 2 150000 399999 400000 400001; do
		drydock tail -n "$n" g.img:/var/log/a | cmp - <(tail -n "$n" t/var/log/a)
		drydock tail -n "$n" g.img:/var/log/b | cmp - <(tail -n "$n" t/var/log/b)
	done
}

@test "what cannot be read is told, and the rest is shown" {
	fails_with 1 "/none" drydock tail -q -n 1 g.img:/none g.img:/var/log/a
	[ "$output" = 30 ]
	fails_with 1 "Is a directory" drydock tail g.img:/etc
	fails_with 1 "none.img" drydock tail -f none.img:/x
	fails_with 1 "/none" drydock tail -f g.img:/none
	fails_with 2 "name a file" drydock tail g.img
	fails_with 2 "from 1 second" drydock tail -f -s 0 g.img:/var/log/a
	fails_with 2 "--key" drydock tail -f --keys-from-stdin g.img:/var/log/a
}

@test "a huge file without a line in it is not searched to its beginning" {
	truncate -s 8G t/var/log/a
	printf 'end' >>t/var/log/a
	guest_of g.img
	run -0 --separate-stderr bash -c '"$DRYDOCK" tail -n 2 g.img:/var/log/a | wc -c'
	[ "$output" -lt 300000000 ]
	[[ $stderr == *"longer than 256 MiB"* ]]
}

@test "-f prints what comes, of a file that is replaced all of it, and waits for one that is gone" {
	"$DRYDOCK" tail -f -n 1 g.img:/var/log/a >out 2>err 3>&- &
	pid=$!
	wait_for grep -qx 30 out
	seq 31 33 >>t/var/log/a
	change
	wait_for grep -qx 33 out
	echo short >t/var/log/a
	change
	wait_for grep -qx short out
	rm t/var/log/a
	change
	wait_for grep -q "is gone" err
	echo back >t/var/log/a
	change
	wait_for grep -qx back out
	kill "$pid"
	wait "$pid" || :
	pid=
	printf '%s\n' 30 31 32 33 short back | cmp - out
	[ "$(grep -c . err)" -ge 2 ]
}

@test "each look of -f is confined" {
	requires strace
	drydock ls -v g.img 2>&1 >/dev/null | grep -q 'not confined.*seccomp' && skip "sanitizers and seccomp do not go together"
	strace -f -o trace -e trace=clone,clone3,fork,vfork,openat,seccomp,execve "$DRYDOCK" tail -f g.img:/var/log/a >out 2>err 3>&- &
	pid=$!
	wait_for grep -qx 30 out || skip "this machine does not let a process be traced"
	kill_traced
	wait "$pid" || :
	pid=
	[ "$(grep -c 'seccomp(SECCOMP_SET_MODE_FILTER.*= 0$' trace)" -ge 2 ]
	child=$(grep -m 1 'seccomp(' trace | cut -d' ' -f1)
	# The one that waits is not the one that reads.
	[ "$(head -n 1 trace | cut -d' ' -f1)" != "$child" ]
	grep "^$child " trace | sed '1,/SECCOMP_SET_MODE_FILTER.*= 0$/d' | sed '1,/SECCOMP_SET_MODE_FILTER.*= 0$/d' >after
	run ! grep -E 'openat|execve|clone|fork' after
}

@test "virt-tail prints whole files, then what comes, and ends when all are gone" {
	"$COMPAT/virt-tail" -a g.img /var/log/a /var/log/missing /var/log/b >out 2>err 3>&- &
	pid=$!
	wait_for grep -q "no newline" out
	seq 31 33 >>t/var/log/a
	change
	wait_for grep -qx 33 out
	rm t/var/log/a t/var/log/b
	change
	wait "$pid"
	pid=
	{
		printf '\n\n--- /var/log/a ---\n\n'
		seq 1 30
		printf '\n\n--- /var/log/b ---\n\nx\n\033[31mno newline\n\n--- /var/log/a ---\n\n'
		seq 31 33
	} | cmp - out
	[ "$(cat err)" = "virt-tail: all files deleted, exiting" ]
}

@test "virt-tail and virt-log fail in the peer's words" {
	run -1 --separate-stderr "$COMPAT/virt-tail" -a g.img
	[ "${stderr_lines[0]}" = "virt-tail: error: missing filenames on command line." ]
	[ "${stderr_lines[1]}" = "Please specify at least one file to follow." ]
	[ "${stderr_lines[2]}" = "Try ‘virt-tail --help’ for more information." ]
	run -1 --separate-stderr "$COMPAT/virt-tail" /var/log/a
	[ "${stderr_lines[0]}" = "virt-tail: error: you must specify at least one -a or -d option." ]
	run -1 --separate-stderr "$COMPAT/virt-log"
	[ "${stderr_lines[0]}" = "virt-log: error: you must specify at least one -a or -d option." ]
	run -1 --separate-stderr "$COMPAT/virt-log" -a g.img extra
	[ "${stderr_lines[0]}" = "virt-log: error: extra argument ‘extra’ on command line." ]
	[ "${stderr_lines[1]}" = "Make sure to specify the argument for --format like '--format=extra'." ]
	fails_with 1 "virt-tail: a: statns: statns_stub: path must start with a / character" "$COMPAT/virt-tail" -a g.img a
	[ "$("$COMPAT/virt-log" --short-options | tr '\n' ' ')" = "-a -c -d -v -V -x " ]
	[ "$("$COMPAT/virt-tail" --short-options | tr '\n' ' ')" = "-a -c -d -f -m -v -V -x " ]
	[ "$("$COMPAT/virt-tail" --long-options | tr '\n' ' ')" = "--add --blocksize --connect --domain --echo-keys --follow \
--format --help --key --keys-from-stdin --mount --verbose --version " ]
	[ "$("$COMPAT/virt-log" --long-options | tr '\n' ' ')" = "--add --blocksize --connect --domain --echo-keys --format --help \
--key --keys-from-stdin --verbose --version " ]
}

@test "virt-log prints the journal, or syslog, or messages, or nothing" {
	[ "$("$COMPAT/virt-log" -a g.img)" = "" ]
	echo 'a messages line' >t/var/log/messages
	guest_of g.img
	[ "$("$COMPAT/virt-log" -a g.img)" = "a messages line" ]
	printf 'a syslog line\n\033[31mred\n' >t/var/log/syslog
	guest_of g.img
	"$COMPAT/virt-log" -a g.img | cmp - t/var/log/syslog
	remote=/lib/systemd/systemd-journal-remote
	[ -x "$remote" ] || skip "systemd-journal-remote is not installed"
	mkdir -p t/var/log/journal/0123456789abcdef0123456789abcdef
	boot=_BOOT_ID=0123456789abcdef0123456789abcdef
	{
		printf '__REALTIME_TIMESTAMP=1700000000000000\n__MONOTONIC_TIMESTAMP=1000000\n%s\n' "$boot"
		printf 'MESSAGE=no priority no identifier\n\n'
		printf '__REALTIME_TIMESTAMP=1700000001000000\n__MONOTONIC_TIMESTAMP=1000001\n%s\n' "$boot"
		printf 'SYSLOG_IDENTIFIER=ident\n_COMM=comm\nMESSAGE=both no pid\n\n'
		printf '__REALTIME_TIMESTAMP=1700000003000000\n__MONOTONIC_TIMESTAMP=1000003\n%s\n' "$boot"
		printf '_COMM=comm\n_PID=7\nSYSLOG_PID=8\nPRIORITY=2\n_SOURCE_REALTIME_TIMESTAMP=1600000000000000\n'
		printf 'MESSAGE\n\6\0\0\0\0\0\0\0a\nb\033[1\n\n'
	} | "$remote" -o t/var/log/journal/0123456789abcdef0123456789abcdef/system.journal - 2>/dev/null
	rm -f g.img
	mke2fs -q -F -t ext4 -d t g.img 64M
	{
		echo 'Nov 14 22:13:20 info: no priority no identifier'
		echo 'Nov 14 22:13:21 ident info: both no pid'
		printf 'Nov 14 22:13:23 comm[7] crit: a\nb\033[1\n'
	} >peer
	"$COMPAT/virt-log" -a g.img >ours
	same peer ours
}
