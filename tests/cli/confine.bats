# SPDX-License-Identifier: GPL-2.0-or-later
load helpers
load guest

setup()
{
	make_folder
	make_guest g.img >/dev/null
}

teardown()
{
	if [ "${held-}" ]; then
		exec 7<&- || :
		kill "$held" 2>/dev/null || :
	fi
	remove_folder
}

# Sanitizers and seccomp do not go together; such a build says so.
requires_seccomp()
{
	! drydock ls -v g.img 2>&1 >/dev/null | grep -q 'not confined.*seccomp' || skip "$(drydock ls -v g.img 2>&1 | grep 'not confined')"
}

# hold COMMAND...: the program runs until its pipe is full, and stays there as process $held.
hold()
{
	local i

	mkfifo pipe
	"$@" >pipe 2>err &
	held=$!
	exec 7<pipe
	for ((i = 0; i < 100; i++)); do
		grep -q pipe_write "/proc/$held/wchan" 2>/dev/null && return
		grep -q '^State:.S' "/proc/$held/status" && [ "$i" -gt 20 ] && return
		sleep 0.1
	done
	echo "it did not wait: $(cat err)"
	return 1
}

big_guest()
{
	requires debugfs
	head -c 2M /dev/zero >big
	debugfs -w -R 'write big /big' root.fs >/dev/null 2>&1
	join_guest g.img
}

@test "a process that reads a guest has seccomp on and no new privileges" {
	requires_seccomp
	big_guest
	hold "$DRYDOCK" cat g.img:/big
	grep -qE '^Seccomp:\s+2$' "/proc/$held/status"
	grep -qE '^NoNewPrivs:\s+1$' "/proc/$held/status"
	grep -qE 'Max core file size +0 ' "/proc/$held/limits"
	run ! grep -qE 'Max address space +unlimited' "/proc/$held/limits"
}

@test "the same under a peer's name" {
	requires_seccomp
	big_guest
	hold "$COMPAT/virt-cat" -a g.img /big
	grep -qE '^Seccomp:\s+2$' "/proc/$held/status"
	grep -qE '^NoNewPrivs:\s+1$' "/proc/$held/status"
}

@test "--confine=off gives up nothing and says so with -v" {
	big_guest
	hold "$DRYDOCK" cat --confine=off -v g.img:/big
	grep -qE '^Seccomp:\s+0$' "/proc/$held/status"
	grep -q 'not confined: confinement is turned off' err
}

@test "-v tells what was given up; required asks for all of it" {
	requires_seccomp
	run --separate-stderr drydock cat -v g.img:/etc/hostname
	[[ $stderr == *"confined: no new privileges"*seccomp* ]]
	if [[ $stderr == *Landlock\ \(ABI* ]]; then
		[ "$(drydock cat --confine=required g.img:/etc/hostname)" = guest ]
	else
		fails_with 1 "cannot confine" drydock cat --confine=required g.img:/etc/hostname
	fi
	fails_with 2 "perhaps" drydock cat --confine=perhaps g.img:/etc/hostname
}

@test "nothing is opened after the second step of confinement, and the guest is not read before it" {
	requires strace
	requires_seccomp
	strace -f -o trace -e trace=openat,open,execve,socket,connect,seccomp,prctl,pread64,read "$DRYDOCK" cat g.img:/etc/hostname >out 2>err ||
		skip "this machine does not let a process be traced"
	[ "$(cat out)" = guest ]
	# Two filters.  Before the second, the one look at the image is for magic bytes; behind it are only reads.
	filter='seccomp(SECCOMP_SET_MODE_FILTER.*= 0$'
	[ "$(grep -c "$filter" trace)" = 2 ]
	sed "1,/$filter/d" trace >between-and-after
	sed "/$filter/,\$d" between-and-after >between
	sed "1,/$filter/d" between-and-after >after
	[ "$(grep -c 'openat(AT_FDCWD, "g.img"' between)" = 1 ]
	[ "$(grep -c 'pread64' between)" -lt 24 ] # a few magic bytes of each format, in bits where calls are made short
	run ! grep -E 'open|execve|socket|connect' after
	grep -q pread64 after
}

@test "a backing file is read where it was allowed, and nowhere else" {
	requires qemu-img
	mkdir a b
	drydock convert -q -f raw -O qcow2 g.img b/base.qcow2
	qemu-img create -q -f qcow2 -b "$T/b/base.qcow2" -F qcow2 a/over.qcow2
	fails_with 1 "base.qcow2" drydock ls a/over.qcow2:/
	[ "$(drydock cat --allow-backing=b a/over.qcow2:/etc/hostname)" = guest ]
	[ "$(drydock cat --allow-backing=any a/over.qcow2:/etc/hostname)" = guest ]
	fails_with 1 "base.qcow2" drydock ls --allow-backing=none a/over.qcow2:/
}

@test "cp writes beneath the target only, by the kernel's word too" {
	requires strace
	requires_seccomp
	mkdir out
	strace -f -o trace -e trace=landlock_restrict_self,chroot,openat,renameat,renameat2 "$DRYDOCK" cp -R g.img:/home out 2>err ||
		skip "this machine does not let a process be traced"
	[ "$(cat out/home/ann/letter)" = secret ]
	# No absolute path is opened or renamed any more.
	sed '1,/landlock_restrict_self/d' trace | sed '1,/landlock_restrict_self/d' >after
	grep -q renameat after
	run ! grep -E '(openat|renameat2?)\(AT_FDCWD' after
	[ "$(id -u)" != 0 ] || grep -q 'chroot("\.") *= 0' trace
}
