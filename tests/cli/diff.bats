# SPDX-License-Identifier: GPL-2.0-or-later
# drydock diff, and what of virt-diff was not recorded (tests/recorded has the rest).
load helpers
load windows

# pack FILE: the tree t becomes a filesystem that is a guest of its own, with the times that its files have.
pack()
{
	requires mke2fs
	rm -f "$1"
	truncate -s 8M "$1"
	mke2fs -q -F -t ext4 -b 1024 -d t -U aaaaaaaa-1111-2222-3333-444444444444 -E root_owner=0:0 "$1"
}

status_file()
{
	mkdir -p t/var/lib/dpkg
	while read -r name version; do
		printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: %s\n\n' "$name" "$version"
	done >t/var/lib/dpkg/status
}

two_guests()
{
	mkdir -p t/etc t/bin t/home/a t/opt
	printf 'ID=debian\nVERSION_ID="12"\n' >t/etc/os-release
	echo 12.1 >t/etc/debian_version
	echo same >t/etc/same
	echo one >t/etc/content
	echo short >t/etc/size
	echo x >t/etc/mode
	ln -s old t/etc/link
	ln -s file t/etc/kind
	echo gone >t/home/a/gone
	echo beside >t/home/a-b
	echo 1 >t/home/hard
	ln t/home/hard t/home/hard2
	status_file <<-END
		login 1:4.13-1
		newer 2.0-1
		older 1.0-1
		leaves 1.0
		kernel 6.1-1
		stays 1.0
	END
	find t -exec touch -h -d @1600000000 {} +
	pack old.img
	echo two >t/etc/content
	echo longer >t/etc/size
	chmod 600 t/etc/mode
	ln -sfn new t/etc/link
	rm t/etc/kind t/home/a/gone t/home/hard2
	mkdir t/etc/kind t/opt/new
	echo n >t/opt/new/file
	touch -d @1700000000 t/etc/same
	status_file <<-END
		login 1:4.13-1+deb12u1
		newer 10.0-1
		older 1.0~rc1-1
		kernel 6.1-1
		kernel 6.1-9
		comes 1.0
		stays 1.0
	END
	pack new.img
	rm -r t
}

@test "files that came, went and changed are told, each with what changed" {
	two_guests
	run -1 --separate-stderr drydock diff --files old.img new.img
	cat >want <<-'END'
		changed     file       /etc/content: content
		changed     directory  /etc/kind: symlink to directory, mode 0777 to 0755
		changed     symlink    /etc/link: target old to new
		changed     file       /etc/mode: mode 0644 to 0600
		changed     file       /etc/size: content, size 6 to 7
		removed     file       /home/a/gone
		changed     file       /home/hard: links 2 to 1
		removed     file       /home/hard2
		added       directory  /opt/new
		added       file       /opt/new/file
		changed     file       /var/lib/dpkg/status: content, size 481 to 574
	END
	diff want - <<<"$output"
	[ -z "$stderr" ]
}

@test "packages that came, went, were upgraded and downgraded are told" {
	two_guests
	run -1 drydock diff --packages old.img new.img
	diff - <(echo "$output") <<-'END'
		added       package    comes (amd64) 1.0
		added       package    kernel (amd64) 6.1-9
		removed     package    leaves (amd64) 1.0
		upgraded    package    login (amd64) 1:4.13-1 to 1:4.13-1+deb12u1
		upgraded    package    newer (amd64) 2.0-1 to 10.0-1
		downgraded  package    older (amd64) 1.0-1 to 1.0~rc1-1
	END
}

@test "times are compared when that is asked for" {
	two_guests
	run -1 drydock diff --files -t old.img new.img
	[[ $output == *"/etc/same: modified 2020-09-13 12:26:40.000000000 to 2023-11-14 22:13:20.000000000"* ]]
	run -1 drydock diff --files old.img new.img
	[[ $output != *"/etc/same"* ]]
}

@test "a guest is the same as itself" {
	two_guests
	run -0 drydock diff -t old.img old.img
	[ -z "$output" ]
	run -0 drydock diff -q old.img old.img
	run -1 drydock diff -q old.img new.img
	[ -z "$output" ]
}

@test "JSON has both sides of what changed" {
	requires jq
	two_guests
	drydock diff --json old.img new.img >out.json || [ $? = 1 ]
	[ "$(jq -r .same out.json)" = false ]
	[ "$(jq -c '.files[] | select(.path == "/etc/mode") | [.change, .what, .from.mode, .to.mode]' out.json)" = \
		'["changed",["mode"],"0644","0600"]' ]
	[ "$(jq -c '[.files[] | select(.change == "added") | .path]' out.json)" = '["/opt/new","/opt/new/file"]' ]
	[ "$(jq -c '.files[] | select(.path == "/etc/link") | [.from.target, .to.target]' out.json)" = '["old","new"]' ]
	[ "$(jq -c '[.packages[] | [.change, .name, .from, .to]] | length' out.json)" = 6 ]
	drydock diff --json old.img old.img >out.json
	[ "$(jq -c '[.same, .files, .packages]' out.json)" = '[true,[],[]]' ]
}

# two_windows: old.img and new.img, whose SOFTWARE and NTUSER.DAT differ.
two_windows()
{
	windows_hives
	windows_disk old.img
	make_hive SOFTWARE <<-'EOF'
		[microsoft\Windows NT\CurrentVersion]
		ProductName=sz:Windows 10 Pro
		currentversion=sz:6.3
		UBR=sz:3007
		Long=hex(3):0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
		@=sz:é
		[Microsoft\Windows NT\CurrentVersion\ProfileList\S-1-5-21-1-2-3-1001]
		ProfileImagePath=expand:C:\Users\Ann
		[New\Below]
		none=hex(0):
	EOF
	make_hive NTUSER.DAT <<-'EOF'
		[Software\X]
		a=sz:c
	EOF
	windows_disk new.img
}

@test "keys and values of the registry that came, went and changed are told, whatever their case" {
	two_windows
	run -1 --separate-stderr drydock diff --registry old.img new.img
	[ -z "$stderr" ]
	S='HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
	grep -qxF "added       value      ${S/Micro/micro}, (default): REG_SZ é" <<<"$output"
	grep -qxF "changed     value      ${S/Micro/micro}, UBR: REG_DWORD 3007 to REG_SZ 3007" <<<"$output"
	grep -qxF "added       value      ${S/Micro/micro}, Long: REG_BINARY $(printf '%0200d' 0)..." <<<"$output"
	grep -qxF "removed     key        $S\ProfileList\S-1-5-18" <<<"$output"
	grep -qxF "removed     value      $S\ProfileList\S-1-5-18, ProfileImagePath: REG_EXPAND_SZ $(
		)%systemroot%\system32\config\systemprofile" <<<"$output"
	grep -qxF 'added       key        HKEY_LOCAL_MACHINE\SOFTWARE\New\Below' <<<"$output"
	grep -qxF 'added       value      HKEY_LOCAL_MACHINE\SOFTWARE\New\Below, none: REG_NONE' <<<"$output"
	grep -qxF 'changed     value      HKEY_USERS\S-1-5-21-1-2-3-1001\Software\X, a: REG_SZ b to REG_SZ c' <<<"$output"
	[[ $output != *SYSTEM* && $output != *ProductName* && $output != *urrent?ersion:* ]]
	[ "$(grep -c 'key .*New' <<<"$output")" = 2 ]
	run -0 drydock diff --registry old.img old.img
	[ -z "$output" ]
	run -1 drydock diff --registry -q old.img new.img
	[ -z "$output" ]
}

@test "the registry of two Windows is compared with the rest, and is in the JSON" {
	requires jq
	two_windows
	drydock diff --json old.img new.img >out.json || [ $? = 1 ]
	[ "$(jq -c '.registry[] | select(.value == "UBR") | [.change, .from.type, .from.value, .to.value]' out.json)" = \
		'["changed","REG_DWORD",3007,"3007"]' ]
	[ "$(jq -c '[.registry[] | select(.change == "added" and .value == null) | .key]' out.json)" = \
		'["HKEY_LOCAL_MACHINE\\SOFTWARE\\New","HKEY_LOCAL_MACHINE\\SOFTWARE\\New\\Below"]' ]
	[ "$(jq '.registry[] | select(.value == "Long") | .to.data | length' out.json)" = 214 ]
	drydock diff --json old.img old.img >out.json
	[ "$(jq -c '[.same, .registry]' out.json)" = '[true,[]]' ]
}

@test "a registry that is not there, or is nonsense, is told, and the rest is compared" {
	two_windows
	two_guests
	run -2 drydock diff --registry new.img old.img
	[[ $output == *"old.img: there is no Windows, and no registry"* || $output == *"new.img: there is no Windows, and no registry"* ]]
	run drydock diff --json old.img old.img
	[[ $output != *registry* ]]
	windows_hives
	windows_disk old.img
	printf 'regf%04096d' 0 >SOFTWARE
	make_hive SYSTEM <<-'EOF'
		[Other]
	EOF
	windows_disk new.img
	run -2 --separate-stderr drydock diff --registry old.img new.img
	[[ $stderr == *"new.img: "*SOFTWARE*checksum* ]]
	[[ $output == *'added       key        HKEY_LOCAL_MACHINE\SYSTEM\Other'* ]]
}

@test "two internal snapshots of one image are compared" {
	requires qemu-img
	two_guests
	qemu-img convert -O qcow2 old.img web.qcow2
	qemu-img snapshot -c before web.qcow2
	run -0 drydock diff --from before web.qcow2
	qemu-io -c "write -s new.img 0 8M" web.qcow2 >/dev/null
	qemu-img snapshot -c after web.qcow2
	drydock diff old.img new.img >want || [ $? = 1 ]
	run -1 drydock diff --from before web.qcow2
	[ "$output" = "$(cat want)" ]
	run -1 drydock diff --from before --to after web.qcow2
	[ "$output" = "$(cat want)" ]
	run -0 drydock diff --to after web.qcow2
	fails_with 2 'no snapshot "never"' drydock diff --from never web.qcow2
	fails_with 2 "have no snapshots" drydock diff --from before old.img
}

# bytes_read COMMAND...: how many the command reads by its own calls
bytes_read()
{
	strace -f -o trace -e trace=pread64,read "$@" >/dev/null 2>&1 || :
	awk '/pread64|read/ && $NF ~ /^[0-9]+$/ { n += $NF } END { print n + 0 }' trace
}

@test "what lies at the same place of a file beneath both images is not read" {
	requires qemu-img qemu-io strace debugfs
	strace -o trace true 2>/dev/null || skip "this machine does not let a process be traced"
	mkdir -p t/etc t/bin
	echo ID=debian >t/etc/os-release
	touch t/etc/fstab
	head -c 6000000 /dev/urandom >t/big
	pack base.img
	qemu-img create -q -f qcow2 -b base.img -F raw a.qcow2
	qemu-img create -q -f qcow2 -b base.img -F raw b.qcow2
	run -0 drydock diff --files a.qcow2 b.qcow2
	[ "$(bytes_read "$DRYDOCK" diff --files a.qcow2 b.qcow2)" -lt 4000000 ]
	# Two copies are read, both of them.
	cp base.img copy.img
	[ "$(bytes_read "$DRYDOCK" diff --files base.img copy.img)" -gt 12000000 ]
	# A change above the base is seen.
	block=$(debugfs -R 'bmap /big 3000' base.img 2>/dev/null)
	qemu-io -c "write -P 77 $((block * 1024)) 1k" b.qcow2 >/dev/null
	run -1 drydock diff --files a.qcow2 b.qcow2
	[ "$output" = "changed     file       /big: content" ]
}

@test "each of the guests is mounted as is asked for" {
	two_guests
	run -0 drydock diff --files -m /dev/sda old.img old.img
	run -1 drydock diff --files --from-mount /dev/sda --to-mount /dev/sdb -a old.img -a new.img
	[[ $output == *"/etc/content: content"* ]]
	fails_with 2 "/dev/sdx" drydock diff --from-mount /dev/sdx old.img new.img
	fails_with 2 "unknown mount option" drydock diff --to-mount /dev/sda:/:magic old.img new.img
}

@test "what cannot be compared is told, and the rest is compared" {
	requires debugfs
	two_guests
	cp new.img bad.img
	# The file's first block lies nowhere.
	debugfs -w -R 'sif /etc/content block[2] 0xfffffff0' bad.img >/dev/null 2>&1
	debugfs -w -R 'sif /etc/content block[5] 0xfffffff0' bad.img >/dev/null 2>&1
	run -2 --separate-stderr drydock diff --files old.img bad.img
	[[ $stderr == *"bad.img: /etc/content: "* ]]
	[[ $output == *"added       file       /opt/new/file"* ]]
}

@test "names of a guest do not reach the terminal" {
	requires script
	mkdir -p t/etc t/bin
	echo ID=debian >t/etc/os-release
	touch t/etc/fstab
	pack old.img
	printf x >t/etc/"$(printf 'evil\033[31m')"
	pack new.img
	script -qec "'$DRYDOCK' diff --files old.img new.img" /dev/null >out </dev/null || :
	grep -q 'evil\\x1b\[31m' out
	run ! grep -q "$(printf '\033')" out
}

@test "a wrong command line is told" {
	touch a
	fails_with 2 "name two images, or one" drydock diff
	fails_with 2 "name two images, or two views of one" drydock diff a
	fails_with 2 "compares two guests" drydock diff a b c
	fails_with 2 "-a and -A" drydock diff -a a b
	fails_with 2 "-A needs -a" drydock diff -A a
	fails_with 2 "owners" drydock diff --owners a b
}

@test "virt-diff tells a wrong command line as the peer does" {
	touch a
	fails_with 1 "virt-diff: error: you must specify at least one -a or -d option." "$COMPAT/virt-diff"
	fails_with 1 "virt-diff: error: you must specify at least one -A or -D option." "$COMPAT/virt-diff" -a a
	fails_with 1 "virt-diff: access: none: No such file or directory" "$COMPAT/virt-diff" -a none -A a
	fails_with 1 "virt-diff: you cannot use -h and --csv options together." "$COMPAT/virt-diff" --csv -h -a a -A a
	fails_with 1 "virt-diff: error: extra argument ‘more’ on command line." "$COMPAT/virt-diff" -a a -A a more
	fails_with 1 "Try ‘virt-diff --help’ for more information." "$COMPAT/virt-diff" -a a -A a more
	two_guests
	fails_with 1 "unknown checksum type, expecting crc|md5" "$COMPAT/virt-diff" --checksum=foo -a old.img -A new.img
	[ "$("$COMPAT/virt-diff" --short-options | tr -d '\n')" = "-a-A-c-d-D-h-v-V-x" ]
	[ "$("$COMPAT/virt-diff" --long-options | wc -l)" = 34 ]
}

@test "virt-diff keeps its place among names that end where others go on" {
	mkdir -p t/etc t/bin t/a
	echo ID=debian >t/etc/os-release
	touch t/etc/fstab t/a/x t/a-b 't/a name'
	find t -exec touch -h -d @1600000000 {} +
	pack old.img
	rm t/a/x
	find t -exec touch -h -d @1600000000 {} +
	pack new.img
	run -0 "$COMPAT/virt-diff" -a old.img -A new.img
	# Inodes moved up by one, which is a change to the peer, too; but nothing came.
	[[ $output == *"- - 0644          0 /a/x"* ]]
	[ "$(grep -c '^- ' <<<"$output")" = $(($(grep -c '^+ ' <<<"$output") + 1)) ]
}
