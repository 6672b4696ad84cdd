# SPDX-License-Identifier: GPL-2.0-or-later
load helpers
load guest
load windows

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

# hold COMMAND...: the program runs until its pipe is full, and stays there as process $held.
hold()
{
	local i

	mkfifo pipe
	"$@" >pipe 2>err &
	held=$!
	exec 7<pipe
	for ((i = 0; i < 600; i++)); do
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

# escape HOW COMMAND...: what becomes of the attempt HOW from inside the command: "refused", "killed", or something worse.
escape()
{
	local how=$1 status=0

	shift
	touch beside
	LD_PRELOAD=$T/escape.so ESCAPE=$how setsid -w "$@" </dev/null >/dev/null 2>err || status=$?
	case $status in
	10) echo refused ;;
	159) echo killed ;;
	*) echo "ended with $status" ;;
	esac
}

compile_escape()
{
	requires "${CC:-cc}" setsid
	"${CC:-cc}" -shared -fPIC -D_GNU_SOURCE -o escape.so "$BATS_TEST_DIRNAME/escape.c"
}

# no_escape COMMAND...: no attempt gets out of the command.
no_escape()
{
	local how got bad=0

	for how in $(ESCAPE=list LD_PRELOAD=$T/escape.so /bin/true); do
		got=$(escape "$how" "$@")
		case $how in
		exec | socket | unix-socket | ptrace | memory-of-parent | mount | bpf | io_uring | keyring)
			[ "$got" = killed ] && continue
			;;
		*) [ "$got" = refused ] && continue ;;
		esac
		echo "$* - $how: $got"
		bad=1
	done
	return $bad
}

@test "no way out of any command that reads guests: open, exec, socket, ptrace and others" {
	requires_seccomp
	compile_escape
	mkdir out
	no_escape "$DRYDOCK" volumes g.img
	no_escape "$DRYDOCK" df g.img
	no_escape "$DRYDOCK" inspect g.img
	no_escape "$DRYDOCK" boot g.img
	no_escape "$DRYDOCK" ls -R g.img:/
	no_escape "$DRYDOCK" cat g.img:/etc/hostname
	no_escape "$DRYDOCK" find -n '*letter*' g.img
	no_escape "$DRYDOCK" tar g.img
	no_escape "$DRYDOCK" hash g.img:/etc
	cp g.img h.img
	no_escape "$DRYDOCK" df g.img h.img
	no_escape "$DRYDOCK" log g.img
	no_escape "$DRYDOCK" tail g.img:/etc/hostname
	no_escape "$COMPAT/virt-ls" -a g.img -R /
	no_escape "$COMPAT/virt-cat" -a g.img /etc/hostname
	no_escape "$COMPAT/virt-df" -a g.img
	no_escape "$COMPAT/virt-log" -a g.img
	no_escape "$COMPAT/virt-filesystems" -a g.img -l --all
	no_escape "$COMPAT/virt-alignment-scan" -a g.img
	no_escape "$COMPAT/virt-tar-out" -a g.img /etc -
	no_escape "$DRYDOCK" diff g.img g.img
	no_escape "$COMPAT/virt-diff" -a g.img -A g.img
	no_escape "$COMPAT/virt-inspector" -a g.img
	no_escape "$DRYDOCK" registry list g.img
	no_escape "$COMPAT/virt-win-reg" g.img 'HKLM\SOFTWARE'
}

@test "nor out of one that reads the registry, which opens nothing by a name" {
	requires_seccomp
	compile_escape
	windows_hives
	windows_disk w.img
	no_escape "$DRYDOCK" registry list w.img 'HKLM\SYSTEM\Select'
	no_escape "$DRYDOCK" inspect w.img
	no_escape "$COMPAT/virt-win-reg" w.img 'HKLM\SYSTEM\Select'
	requires strace
	strace -o trace true 2>/dev/null || skip "this machine does not let a process be traced"
	filter='seccomp(SECCOMP_SET_MODE_FILTER.*= 0$'
	strace -f -o trace -e trace=open,openat,openat2,execve,socket,seccomp "$DRYDOCK" inspect w.img >out 2>err
	sed "1,/$filter/d" trace | sed "1,/$filter/d" | sed '/exited with/d' >behind
	diff /dev/null behind
}

@test "nor out of cp, which may make files beneath its target and nothing else" {
	requires_seccomp
	compile_escape
	mkdir out
	for how in open open-beside openat2 exec fork clone3 socket unix-socket ptrace memory-of-parent signal code mount bpf \
		io_uring keyring terminal type-into-terminal limits; do
		got=$(escape $how "$DRYDOCK" cp -R g.img:/home out)
		[ "$got" = refused ] || [ "$got" = killed ] || { echo "$how: $got"; return 1; }
	done
	[ ! -e made ]
}

@test "nor out of what copies kernels into a folder" {
	requires_seccomp
	compile_escape
	mkdir out
	for how in open open-beside openat2 exec socket ptrace mount io_uring; do
		for command in "$DRYDOCK boot -o out g.img" "$COMPAT/virt-get-kernel -o out -a g.img"; do
			# shellcheck disable=SC2086 # words
			got=$(escape $how $command)
			[ "$got" = refused ] || [ "$got" = killed ] || { echo "$command: $how: $got"; return 1; }
		done
	done
	[ ! -e made ]
}

@test "the attempts themselves would work: without confinement they do" {
	requires_seccomp
	compile_escape
	export ESCAPE_NOW=1
	for how in open open-beside create fork socket code signal; do
		[ "$(escape $how "$DRYDOCK" ls --confine=off g.img:/)" = "ended with 11" ]
	done
	unset ESCAPE_NOW
	# Nothing is tried before the second step, and a command that is not confined never gets there.
	[ "$(escape open "$DRYDOCK" ls --confine=off g.img:/)" = "ended with 0" ]
}

@test "a guest with an encrypted volume is no way out either" {
	requires_seccomp
	requires cryptsetup
	compile_escape
	truncate -s 20M crypt.img
	printf abc >pass
	cryptsetup luksFormat -q --pbkdf argon2id --pbkdf-memory 64 --pbkdf-parallel 4 --pbkdf-force-iterations 4 crypt.img pass
	no_escape "$DRYDOCK" volumes --key all:file:pass crypt.img
	run -0 "$DRYDOCK" volumes -v --confine=required --key all:file:pass crypt.img
	[[ $output == *"/dev/mapper/luks-$(cryptsetup luksUUID crypt.img)"* ]]
}

@test "all that is opened behind the first step is the image and its journal, for every command" {
	requires strace
	requires_seccomp
	strace -o trace true 2>/dev/null || skip "this machine does not let a process be traced"
	filter='seccomp(SECCOMP_SET_MODE_FILTER.*= 0$'
	mkdir out
	for command in "$DRYDOCK volumes g.img" "$DRYDOCK df g.img" "$DRYDOCK inspect g.img" "$DRYDOCK boot g.img" "$DRYDOCK ls -lR g.img:/" "$DRYDOCK cat g.img:/etc/hostname" \
		"$DRYDOCK find g.img:/" "$DRYDOCK tar g.img:/" "$DRYDOCK hash g.img:/" \
		"$DRYDOCK log -n 5 g.img" "$DRYDOCK tail g.img:/etc/hostname" "$COMPAT/virt-log -a g.img" \
		"$COMPAT/virt-ls -a g.img -lR /" "$COMPAT/virt-cat -a g.img /etc/hostname" "$COMPAT/virt-df -a g.img" \
		"$COMPAT/virt-filesystems -a g.img -l --all --uuid" "$DRYDOCK diff g.img g.img" "$COMPAT/virt-diff -a g.img -A g.img" \
		"$COMPAT/virt-inspector -a g.img" "$COMPAT/virt-alignment-scan -a g.img" "$COMPAT/virt-tar-out -a g.img /etc -"; do
		# shellcheck disable=SC2086 # words
		strace -f -o trace -e trace=open,openat,openat2,execve,socket,seccomp $command >out/text 2>err
		[ "$(grep -c "$filter" trace)" = 2 ]
		sed "1,/$filter/d" trace | grep -v seccomp >behind
		# Each thread of hash reads by a handle of its own; what compares two guests is given two.
		opened=$(grep -c 'openat(AT_FDCWD, "g.img"' behind)
		case $command in
		*" hash "*) [ "$opened" -ge 1 ] && [ "$opened" -le 16 ] ;;
		*diff*) [ "$opened" = 2 ] ;;
		*) [ "$opened" = 1 ] ;;
		esac
		run ! grep -vE '"g.img"|\.(g\.img|[0-9a-f]{32})\.drydock-redo", O_RDONLY.* ENOENT|exited with' behind
	done
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
