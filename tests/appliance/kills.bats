# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
#
# kills.bats - commands that change guests are killed, and their writes fail: the image is the old one or the new one, and nothing is
# left over.  DRYDOCK_KILLS (2) is how often each is killed at a random moment; with it, the writes fail at every step, and at
# some of them without.  How many were killed of the command itself, of the processes that it has for its machine, of the machine and
# of what runs in that (on user-mode Linux each program there, the agent first, is a process here) is told then.
load ../cli/helpers
load ../cli/windows
load guests

# g.img: a Debian as small as it goes, raw ext4 on a whole disk; w.img: a small Windows; h: files of the host.
setup_file()
{
	make_appliance
	cd "$BATS_FILE_TMPDIR" || return
	PATH=$PATH:/sbin:/usr/sbin
	command -v mke2fs >/dev/null || return 0
	make_tree
	mkdir -p t/root/.ssh t/var/log t/usr/share/zoneinfo/Europe t/etc/ssh
	printf 'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n' >t/etc/passwd
	printf 'root:*:19000:0:99999:7:::\nann:*:19000:0:99999:7:::\n' >t/etc/shadow
	echo TZif2 >t/usr/share/zoneinfo/Europe/Berlin
	touch t/etc/ssh/ssh_host_{rsa,ecdsa}_key t/var/log/{syslog,messages,dpkg.log} t/root/.bash_history t/etc/machine-id
	command -v busybox >/dev/null && cp "$(command -v busybox)" t/bin/sh
	mke2fs -q -t ext4 -d t g.img 48M
	! command -v qemu-img >/dev/null || qemu-img convert -O qcow2 g.img g.qcow2
	for ((i = 0; i < 100; i++)); do
		mkdir -p "h/d$((i % 7))/e"
		seq "$i" $((i * 40)) >"h/d$((i % 7))/e/f$i"
	done
	random_file h/big 4M 3
	ln -s big h/link
	tar -cf h.tar -C h .
}

setup()
{
	make_folder
	needs_machine
	requires mke2fs e2fsck pgrep setsid
	files=$BATS_FILE_TMPDIR
}

# ---- what a guest is, and what is left of a command ----

format_of()
{
	case $1 in
	*.qcow2) echo qcow2 ;;
	*) echo raw ;;
	esac
}

# What is in a guest: names, kinds, modes, owners and targets, and what files hold; but for times, and what is random anyhow.
state()
{
	local format
	format=$(format_of "$1")
	drydock find -l -f "$format" "$1:/" 2>/dev/null | awk '{ $2 = $5 = $6 = $7 = ""; print }' &&
		drydock hash -f "$format" "$1:/" 2>/dev/null | grep -v random-seed
}

# The image itself, without anything beside it.
sound()
{
	case $1 in
	g.img) e2fsck -fn g.img >fsck.out 2>&1 ;;
	w.img) dd if=w.img of=fsck.img bs=1M skip=1 status=none && fsck.vfat -n fsck.img >fsck.out 2>&1 ;;
	# Clusters that nobody uses are what a command may leave that was killed while it wrote.
	g.qcow2)
		{ qemu-img check g.qcow2 >fsck.out 2>&1 || [ $? = 3 ]; } && qemu-img convert -O raw g.qcow2 fsck.img &&
			e2fsck -fn fsck.img >fsck.out 2>&1
		;;
	esac || { cat fsck.out; return 1; }
}

# The processes that a process has begun, in their order, those below last.
below()
{
	local pid

	for pid in $(pgrep -P "$1"); do
		echo "$pid"
		below "$pid"
	done
}

# What carries the mark of this run, and what was seen of its machine.
running()
{
	grep -lsz "^DRYDOCK_MARK=$mark\$" /proc/[0-9]*/environ || true
	local pid
	for pid in "${seen[@]}"; do
		[ ! -e "/proc/$pid/exe" ] || echo "$pid"
	done
}

nothing_runs()
{
	local i

	for ((i = 0; i < 1200; i++)); do
		[ -n "$(running)" ] || return 0
		sleep 0.05
	done
	running
	return 1
}

host_files()
{
	find "$TMPDIR" /tmp "${XDG_RUNTIME_DIR:-/nonexistent}" "$HOME/.uml" -maxdepth 1 -name '*uml*' 2>/dev/null | sort
}

# judge IMAGE STATUS: what a command that ended so has left; $was is "old" or "new".  A reader and the next that writes agree, and that one
# says what it has done with a change that was left.
judge()
{
	local journal=.$1.drydock-redo said

	nothing_runs
	state "$1" >now
	if cmp -s now old; then
		was=old
	elif cmp -s now new; then
		was=new
	else
		diff old now | head -20
		diff new now | head -20
		return 1
	fi
	[ "$2" != 0 ] || [ "$was" = new ]
	if [ -e "$journal" ]; then
		said=$(drydock io -f "$(format_of "$1")" -c 'write -z 0 0' "$1" 2>&1 >/dev/null)
		case $was in
		old) [[ $said == *'a change that was interrupted before it counted is dropped'* ]] ;;
		new) [[ $said == *'a change that was interrupted is completed now'* || $said == *'the last change of it is complete'* ]] ;;
		esac || { echo "the next command says: $said"; return 1; }
		state "$1" | cmp - now
		settled=$((settled + 1))
	fi
	sound "$1"
	[ -z "$(find . -name '.*drydock*')" ] || { ls -A; return 1; }
}

# ---- killed ----

small_windows()
{
	requires fsck.vfat
	(cd "$files" && [ -e w.img ] || { windows_hives && windows_disk w.img; })
	[ -e "$files/w.img" ] || skip "a small Windows cannot be made here"
}

# victim PID KIND: a process of that kind, of those in $seen; the command where there is none.
victim()
{
	local pid name machine='' helpers=() programs=()

	for pid in "${seen[@]}"; do
		name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
		case $name in
		drydock*) helpers+=("$pid") ;;
		*) if [ -z "$machine" ]; then machine=$pid; else programs+=("$pid"); fi ;;
		esac
	done
	case $2 in
	machine) echo "${machine:-$1}" ;;
	# The first two are threads of the machine's own.
	agent) echo "${programs[2 + RANDOM % (${#programs[@]} > 2 ? ${#programs[@]} - 2 : 1)]:-$1}" ;;
	helper) echo "${helpers[RANDOM % (${#helpers[@]} + 1)]:-$1}" ;;
	*) echo "$1" ;;
	esac
}

# kills IMAGE COMMAND...: killed itself, or one of the processes that it needs, DRYDOCK_KILLS times at a random moment.
kills()
{
	local image=$1 i pid victim kind kinds=(command machine agent helper) wanted took status
	local settled=0 seen=() mark=$$.$BATS_TEST_NUMBER was before
	local -A count=([old]=0 [new]=0) hit=([command]=0 [machine]=0 [agent]=0 [helper]=0) within=()
	shift
	before=$(host_files)
	cp --sparse=always "$files/$image" .
	state "$image" >old
	took=$(date +%s%N)
	"$@" 2>said
	took=$((($(date +%s%N) - took) / 1000000 + 1))
	for kind in "${kinds[@]}"; do within[$kind]=$took; done
	state "$image" >new
	! cmp -s old new
	sound "$image"
	for ((i = 0; i < ${DRYDOCK_KILLS:-2}; i++)); do
		cp --sparse=always "$files/$image" .
		DRYDOCK_MARK=$mark "$@" >/dev/null 2>said &
		pid=$!
		wanted=${kinds[(i + BATS_TEST_NUMBER) % 4]}
		took=$((RANDOM % within[$wanted]))
		sleep "$((took / 1000)).$(printf %03d $((took % 1000)))"
		# shellcheck disable=SC2207 # words
		seen=($(below "$pid"))
		kind=$wanted
		victim=$(victim "$pid" "$kind")
		[ "$victim" != "$pid" ] || kind="command"
		! kill -9 "$victim" 2>/dev/null || hit[$kind]=$((hit[$kind] + 1))
		status=0
		wait "$pid" || status=$?
		# One that was not killed itself says why it failed, and cleans up.
		[ "$status" = 0 ] || [ "$status" = 137 ] || [ "$(grep -c . said)" = 1 ] || { echo "kill $i of ${seen[*]}, $victim of $pid, status $status:"; cat said; return 1; }
		[ "$status" != 1 ] || [ ! -e ".$image.drydock-redo" ]
		judge "$image" "$status" || { echo "kill $i ($kind), status $status"; cat said; return 1; }
		# Moments are looked for around the one from which on the image is the new one, for each kind.
		case $was in
		old) within[$wanted]=$((within[$wanted] * 21 / 20 + 1)) ;;
		new) within[$wanted]=$((within[$wanted] * 19 / 20 + 1)) ;;
		esac
		count[$was]=$((count[$was] + 1))
	done
	[ "$(host_files)" = "$before" ]
	[ -z "${DRYDOCK_KILLS-}" ] ||
		echo "# $BATS_TEST_DESCRIPTION: ${count[old]} old, ${count[new]} new, $settled settled by the next command;" \
			"killed: command ${hit[command]}, helper ${hit[helper]}, machine ${hit[machine]}, agent ${hit[agent]}" >&3
}

@test "killed: an edit" {
	kills g.img "$DRYDOCK" edit -f raw -e 's/guest/other/' -b .orig g.img:/etc/hostname
}

@test "killed: a tree is copied in" {
	kills g.img "$DRYDOCK" cp -f raw -R "$files/h" g.img:/data
}

@test "killed: a tar file is unpacked in the guest" {
	kills g.img "$DRYDOCK" tar -f raw --extract="$files/h.tar" g.img:/data
}

@test "killed: a registry merge" {
	small_windows
	printf '[HKLM\\SYSTEM\\CurrentControlSet\\Services\\new]\n"Start"=dword:3\n[HKLM\\SOFTWARE\\Acme]\n"n"="v"\n[HKEY_USERS\\Ann\\Software\\X]\n"a"=-\n' >m.reg
	kills w.img "$DRYDOCK" registry merge -f raw w.img m.reg
}

@test "killed: customize" {
	kills g.img "$DRYDOCK" customize -q -f raw --hostname=new --timezone=Europe/Berlin --write=/etc/motd:hi --mkdir=/srv/a/b \
		--ssh-inject='root:string:ssh-x AAAA me' --upload="$files/h/big:/srv/big" --edit='/etc/passwd:s/Ann/ANN/' --copy=/data:/srv/data g.img
}

@test "killed: sysprep" {
	kills g.img "$DRYDOCK" sysprep -q -f raw g.img
}

@test "killed: a command that runs in the guest" {
	[ -x "$files/t/bin/sh" ] || skip "busybox is not installed"
	kills g.img "$DRYDOCK" run -f raw g.img -- /bin/sh -c \
		'i=0; while [ $i -lt 200 ]; do echo $i >/data/empty/f$i; i=$((i+1)); done'
}

@test "killed: a session of the shell" {
	requires qemu-img
	printf 'mkdir-p /srv/a/b\nupload %s /srv/a/b/big\nwrite /etc/motd hi\nrm-rf /data\n' "$files/h/big" >script
	kills g.qcow2 "$DRYDOCK" shell --rw -i -a g.qcow2 --file=script
}

# ---- failing ----

# failing HOW IMAGE COMMAND...: at some steps, or at each, of what the command writes to the image and to the journal beside it.
failing()
{
	local how=$1 image=$2 n step status settled=0 seen=() mark=$$.$BATS_TEST_NUMBER was total
	local -A count=([old]=0 [new]=0)
	shift 2
	cp --sparse=always "$files/$image" .
	state "$image" >old
	FAIL_NAME=$image FAIL_COUNT=$PWD/total FAIL_HOW=$how LD_PRELOAD=$files/fail.so "$@" 2>said
	total=$(cat total)
	[ "$total" -ge 3 ]
	state "$image" >new
	! cmp -s old new
	step=$((total / ${steps:-3} + 1))
	[ -z "${DRYDOCK_KILLS-}" ] || step=1
	for ((n = 1 + RANDOM % step; n <= total; n += step)); do
		cp --sparse=always "$files/$image" .
		status=0
		DRYDOCK_MARK=$mark FAIL_NAME=$image FAIL_AT=$n FAIL_HOW=$how LD_PRELOAD=$files/fail.so "$@" >/dev/null 2>said ||
			status=$?
		case $how in
		short) [ "$status" = 0 ] ;;
		end) [ "$status" = 137 ] || [ "$status" = 0 ] ;;
		*) [ "$status" = 0 ] || { [ "$status" = 1 ] && [ "$(wc -l <said)" = 1 ] && grep -q "$reason" said; } ;;
		esac && judge "$image" "$status" || { echo "$how at $n of $total, status $status"; cat said; return 1; }
		# What fails before the change counts leaves no journal, but where it cannot be taken back; what fails then is said to count.
		[ "$status" != 1 ] || [ "$was" = old ] || grep -q 'the change counts, and the next command' said
		count[$was]=$((count[$was] + 1))
	done
	[ -z "${DRYDOCK_KILLS-}" ] ||
		echo "# $BATS_TEST_DESCRIPTION${which:+ ($which)}: $total steps, ${count[old]} old," \
			"${count[new]} new, $settled of them settled by the next command" >&3
}

needs_faults()
{
	requires cc
	! is_sanitized || skip "AddressSanitizer must be the first that is preloaded"
	[ -e "$files/fail.so" ] || cc -shared -fPIC -o "$files/fail.so" "$TOP/tests/appliance/fail_writes.c" -ldl
}

@test "a write that fails once: the command fails in one sentence, and the image is as it was" {
	needs_faults
	reason='Input/output error' failing once g.img "$DRYDOCK" cp -f raw "$files/h/d1/e/f1" "$files/h/big" g.img:/data
}

@test "a disk that fails from some write on" {
	needs_faults
	reason='Input/output error' failing each g.img "$DRYDOCK" write -f raw --content=x g.img:/etc/hostname
}

@test "a disk that is full from some write on" {
	needs_faults
	# What fails while it is mounted is an I/O error to the guest.
	reason='No space left on device\|cannot be mounted' failing full g.img "$DRYDOCK" cp -f raw "$files/h/d1/e/f1" "$files/h/big" \
		g.img:/data
}

# whole HOW IMAGE WHICH: the commands that change a guest, each as a whole.
whole()
{
	local how=$1 image=$2 which=$3 format

	format=$(format_of "$image")
	case $which in
	edit) set -- edit -f "$format" -e 's/guest/other/' "$image:/etc/hostname" ;;
	cp) set -- cp -f "$format" -R "$files/h/d1" "$files/h/big" "$image:/data" ;;
	tar) set -- tar -f "$format" --extract="$files/h.tar" "$image:/data" ;;
	customize)
		set -- customize -q -f "$format" --hostname=new --write=/etc/motd:hi --upload="$files/h/big:/data/new" "$image"
		;;
	sysprep) set -- sysprep -q -f "$format" "$image" ;;
	run) set -- run -f "$format" "$image" -- /bin/sh -c 'while read -r x; do echo "$x"; done </data/numbers >/data/again' ;;
	shell)
		printf 'mkdir-p /srv/a/b\nupload %s /srv/a/b/big\nrm-rf /data\n' "$files/h/big" >script
		set -- shell --rw -i -f "$format" -a "$image" --file=script
		;;
	merge)
		printf '[HKLM\\SYSTEM\\CurrentControlSet\\Services\\new]\n"Start"=dword:3\n[HKLM\\SOFTWARE\\Acme]\n"n"="v"\n' >m.reg
		set -- registry merge -f raw "$image" m.reg
		;;
	esac
	failing "$how" "$image" "$DRYDOCK" "$@"
}

# What fails while it is mounted is an I/O error to the guest, and its programs say what they want.
some_reason='No space left on device\|Input/output error\|cannot be mounted\|did not shut\|is not clean\|exit status'

@test "every command that changes a guest, on a raw disk that is full from some write on" {
	needs_faults
	for which in ${DRYDOCK_KILLS:+edit tar sysprep run shell cp} customize; do
		steps=1 reason=$some_reason whole full g.img $which
	done
}

@test "the same on a qcow2 image" {
	needs_faults
	requires qemu-img
	for which in ${DRYDOCK_KILLS:+edit tar sysprep run cp customize} shell; do
		steps=1 reason=$some_reason whole full g.qcow2 $which
	done
}

@test "a registry merge on a disk that is full from some write on" {
	needs_faults
	small_windows
	steps=1 reason=$some_reason whole full w.img merge
}

@test "a file or folder that cannot be made stable" {
	needs_faults
	requires qemu-img
	[ -z "${DRYDOCK_KILLS-}" ] || steps=1 reason='Input/output error' whole sync g.img customize
	steps=1 reason='Input/output error' whole sync g.qcow2 cp
}

@test "writes that are cut short are gone on with" {
	needs_faults
	failing short g.img "$DRYDOCK" write -f raw --content=x g.img:/etc/hostname
	! command -v qemu-img || steps=1 whole short g.qcow2 cp
}

@test "a command that ends at any step of what it writes" {
	needs_faults
	failing end g.img "$DRYDOCK" write -f raw --content=x g.img:/etc/hostname
}

@test "without room for what an image grows by, nothing is changed" {
	requires_root
	mkdir small
	mount -t tmpfs -o size=10M tmpfs small 2>/dev/null || skip "nothing can be mounted here"
	cp --sparse=always "$files/g.img" small/
	before=$(sha256sum <small/g.img)
	run --separate-stderr drydock cp -f raw "$files/h/big" small/g.img:/data
	after=$(sha256sum <small/g.img)
	left=$(ls -A small)
	umount small
	[ "$status" = 1 ]
	[[ $stderr == *'No space left on device'* ]]
	[ "${#stderr_lines[@]}" = 1 ]
	[ "$after" = "$before" ]
	[ "$left" = g.img ]
}
