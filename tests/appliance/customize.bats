# SPDX-License-Identifier: GPL-2.0-or-later
# customize.bats - commands in a guest's root, and guests that are set up: whole or not at all.
load ../cli/helpers
load ../cli/windows
load guests

setup_file()
{
	make_appliance
}

# guest: g.img, a system of a static shell, with the files that operations look at.
guest()
{
	needs_machine
	requires mke2fs busybox
	mkdir -p t/bin t/etc/ssh t/root t/home t/tmp t/usr/share/zoneinfo/Europe t/usr/lib t/dev t/proc t/sys t/var/log \
		t/etc/systemd/system t/lib/systemd t/etc/skel
	cp "$(command -v busybox)" t/bin/busybox
	for b in sh cat chmod ls id true false yes sleep touch uname; do ln -s busybox t/bin/$b; done
	printf 'ID=debian\nVERSION_ID="12"\nNAME=Debian\n' >t/etc/os-release
	printf 'root:x:0:0:root:/root:/bin/sh\n' >t/etc/passwd
	printf 'root:*:19000:0:99999:7:::\n' >t/etc/shadow
	printf 'root:x:0:\nstaff:x:50:\n' >t/etc/group
	echo old >t/etc/hostname
	echo key >t/etc/ssh/ssh_host_rsa_key
	echo TZif2 >t/usr/share/zoneinfo/Europe/Berlin
	cp t/bin/busybox t/lib/systemd/systemd
	mke2fs -q -t ext4 -d t g.img 32M
	sha256sum g.img >sum
}

# unchanged: the image is as it was, and no file of a change lies beside it.
unchanged()
{
	sha256sum -c --quiet sum && [ -z "$(find . -name '*drydock-redo*')" ]
}

# busybox of Debian is static in a package of its own, which the peers' appliance has, too.
@test "run: a command has the guest as its root; its status is ours, and a failure keeps nothing" {
	guest
	run -0 --separate-stderr drydock run -f raw g.img -- sh -c 'echo out; echo err >&2; cat /etc/hostname; touch /made'
	[ "$output" = $'out\nold' ]
	[ "$stderr" = err ]
	[ "$(drydock ls -f raw g.img:/made)" = /made ]
	sha256sum g.img >sum
	run -7 drydock run -f raw g.img -- sh -c 'touch /more; exit 7'
	unchanged
	run -7 drydock run -f raw --keep g.img -- sh -c 'touch /more; exit 7'
	[ "$(drydock ls -f raw g.img:/more)" = /more ]
	[ "$(echo given | drydock run -f raw --input=- --env=X=y g.img -- sh -c 'cat; echo $X')" = $'given\ny' ]
	e2fsck -fn g.img >/dev/null
}

@test "run: a command that never ends, or says too much, is ended and changes nothing" {
	guest
	fails_with 1 'did not end within 1 s' drydock run -f raw --time-limit=1 g.img -- sh -c 'touch /x; sleep 1000'
	fails_with 1 'said more than 65536 bytes' drydock run -f raw --output-limit=64k g.img -- sh -c 'touch /x; yes' >/dev/null
	fails_with 1 'run-command: the command did not end within 1 s' drydock customize -q -f raw --time-limit=1 --write=/etc/x:y \
		--run-command='sleep 1000 & sleep 1000' g.img
	fails_with 1 'run-command: the command said more than 65536 bytes' drydock customize -q -f raw --output-limit=64k --write=/etc/x:y \
		--run-command=yes g.img >/dev/null
	fails_with 2 'name an image and a command' drydock run g.img
	unchanged
}

@test "customize does all operations, in their order, or none" {
	guest
	printf 'echo "script in $(cat /etc/hostname)"\n' >script
	mkdir -p in/sub
	echo packed >in/sub/file
	ln in/sub/file in/hard
	tar -C in -czf in.tgz .
	drydock customize -f raw --hostname=new --user=ann:staff --password=ann:password:secret --ssh-inject='ann:string:ssh-x AAAA me' \
		--run=script --timezone=Europe/Berlin --write='/etc/motd:hi' --append-line=/etc/motd:there --edit='/etc/motd:s/hi/HI/' \
		--firstboot-command='echo booted' --tar-in=in.tgz:/home/ann --upload=script:/bin/up --chmod=0700:/bin/up --run-command='/bin/up </dev/null' \
		--mkdir=/srv --link=../../../../../srv:/etc/out --write=/etc/out/inside:x g.img >out
	[ "$(drydock cat -f raw g.img:/srv/inside)" = x ]
	[ "$(grep -cx 'script in new' out)" = 2 ]
	[ "$(drydock cat -f raw g.img:/etc/motd)" = $'HI\nthere' ]
	drydock cat -f raw g.img:/etc/shadow | grep -q '^ann:\$6\$'
	[ "$(drydock cat -f raw g.img:/home/ann/.ssh/authorized_keys)" = 'ssh-x AAAA me' ]
	drydock cat -f raw g.img:/usr/lib/drydock/firstboot/0001-echo-booted | grep -qx 'echo booted'
	[ "$(drydock cat -f raw g.img:/home/ann/sub/file g.img:/home/ann/hard)" = $'packed\npacked' ]
	e2fsck -fn g.img >/dev/null
	sha256sum g.img >sum
	tar -C in/sub -cPf out.tar ../hard
	fails_with 1 'tar-in: out.tar: ../hard' drydock customize -q -f raw --write=/etc/x:y --tar-in=out.tar:/home g.img
	fails_with 1 'tar-in: the guest has no folder "/none"' drydock customize -q -f raw --tar-in=in.tgz:/none g.img
	fails_with 1 'tar-in: script: ' drydock customize -q -f raw --tar-in=script:/home g.img
	fails_with 1 'run-command: it ended with status 3: late' \
		drydock customize -q -f raw --write=/etc/x:y --run-command='echo late; exit 3' g.img
	fails_with 1 'the guest has no user "eve"' drydock customize -q -f raw --write=/etc/x:y --password=eve:random g.img
	fails_with 2 'a password is selected by' drydock customize -q -f raw --root-password=secret g.img
	fails_with 1 'install: it ended with status 127' drydock customize -q -f raw --write=/etc/x:y --install=vim g.img
	unchanged
}

@test "sysprep takes away what was planted; --check names it before, and what is left" {
	guest
	run -1 drydock sysprep --check -f raw g.img
	[ "$output" = '/etc/ssh/ssh_host_rsa_key: a host key of ssh' ]
	drydock sysprep -f raw -q --append-line=/etc/motd:template --write=/tmp/made:stays g.img
	[ "$(drydock cat -f raw g.img:/tmp/made)" = stays ]
	run -0 drydock sysprep --check -f raw g.img
	[ -z "$output" ]
	[ "$(drydock cat -f raw g.img:/etc/motd)" = template ]
	sha256sum g.img >sum
	fails_with 2 '"nothing" is not a known operation' drydock sysprep -f raw --enable=nothing g.img
	unchanged
}

# What is planted: files that belong to one machine, or are secret, by the operation that takes each away.
@test "a guest that was prepared has none of the secrets that were planted, under either name" {
	guest
	while read -r f; do
		mkdir -p "t/${f%/*}"
		echo "PLANTED in $f" >"t/$f"
	done <<-'EOF'
		etc/ssh/ssh_host_ed25519_key
		root/.ssh/id_ed25519
		home/ann/.ssh/authorized_keys
		root/.bash_history
		home/ann/.bash_history
		etc/machine-id
		etc/krb5.keytab
		etc/NetworkManager/system-connections/office.nmconnection
		etc/udev/rules.d/70-persistent-net.rules
		etc/shadow-
		etc/passwd~
		var/lib/dhcp/dhclient.eth0.leases
		var/lib/dhclient/dhclient.leases
		var/log/auth.log
		var/log/secure-20240101
		var/log/journal/0123/system.journal
		var/log/wtmp
		var/spool/mail/ann
		var/spool/cron/crontabs/ann
		var/lib/samba/private/secrets.tdb
		var/lib/sss/db/cache_x.ldb
		var/cache/apt/archives/secret.deb
		etc/pki/consumer/key.pem
		tmp/left
		var/tmp/.left
	EOF
	printf 'HWADDR=52:54:00:12:34:56\nONBOOT=yes\n' | sed 's/=52/=PLANTED 52/' >ifcfg
	mkdir -p t/etc/sysconfig/network-scripts
	cp ifcfg t/etc/sysconfig/network-scripts/ifcfg-eth0
	rm g.img
	mke2fs -q -t ext4 -d t g.img 32M
	cp g.img p.img
	drydock sysprep -q -f raw g.img
	"$BUILD/compat/virt-sysprep" -q -a p.img
	for image in g.img p.img; do
		drydock tar -f raw "$image:/" >all.tar
		! grep -a PLANTED all.tar
		[ "$(drydock cat -f raw "$image:/etc/sysconfig/network-scripts/ifcfg-eth0")" = ONBOOT=yes ]
		run -0 drydock sysprep --check -f raw "$image"
		e2fsck -fn "$image" >/dev/null
	done
}

# UUIDs of volume groups and of their members, but not of their volumes.
lvm_uuids()
{
	drydock volumes --json --key=all:key:secret -f raw "$@" |
		jq -r '.[] | (.groups[] | .uuid), (.volumes[].filesystem | select(.type == "LVM2_member") | .uuid)' | sort
}

# lvm_guest: a.img and b.img have the group vg, whose volume root is a system, and in whose volume safe there is a LUKS volume with
# the group inner; o.img is a physical volume of no group, and x.img is the group away, which was exported.
lvm_guest()
{
	printf secret >key
	mkdir -p t/bin t/etc/lvm/devices t/etc/lvm/backup t/boot/grub
	echo ID=debian >t/etc/os-release
	echo 'UUID=11111111-2222-4333-8444-555555555555 / ext4 defaults 0 1' >t/etc/fstab
	touch t/etc/lvm/devices/system.devices t/etc/lvm/backup/vg
	truncate -s 4M root.fs
	mke2fs -q -t ext4 -O ^has_journal -U 11111111-2222-4333-8444-555555555555 -d t root.fs
	truncate -s 5M safe.img
	cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 safe.img key
	sh -eu -s "$BATS_TEST_DIRNAME/../broken/lib.sh" <<-'END'
		. "$1"
		{ lv root 64 "$(linear pv0 0)"; lv safe 80 "$(linear pv1 0)" | sed '/id =/y/l/s/'; } | lvm_vg a b |
			sed 's/pe_count = 15/pe_count = 127/; s/dev_size = 2048/dev_size = 16384/' >text
		lvm_pv a.img a 0x800000 <text
		lvm_pv b.img b 0x800000 <text
		lv deep 4 "$(linear pv0 0)" | lvm_vg c |
			sed '/id =/y/v/w/; s/^vg {/inner {/; s/pe_count = 15/pe_count = 47/; s/dev_size = 2048/dev_size = 6144/' |
			lvm_pv inner.img c 0x300000
		lvm_pv o.img o 0x300000 </dev/null
		lvm_vg x </dev/null | sed '/id =/y/v/y/; s/^vg {/away {/; s/"RESIZEABLE"/"EXPORTED"/; s/_count = 15/_count = 47/; s/= 2048/= 6144/' |
			lvm_pv x.img x 0x300000
	END
	dd if=root.fs of=a.img bs=64k seek=1 conv=notrunc status=none
	qemu-img convert -n --object secret,id=k,file=key --image-opts --target-image-opts driver=raw,file.filename=inner.img \
		driver=luks,file.filename=safe.img,key-secret=k
	dd if=safe.img of=b.img bs=64k seek=1 conv=notrunc status=none
}

@test "sysprep gives LVM2 and filesystems other UUIDs, in encrypted volumes, too; a group that GRUB names keeps its own" {
	needs_machine
	requires jq cryptsetup qemu-img mke2fs
	local uuid
	local all=(-f raw -a a.img -a b.img -a o.img -a x.img --key=all:key:secret)

	lvm_guest
	lvm_uuids "${all[@]}" >before
	[ "$(wc -l <before)" = 8 ]
	drydock sysprep --enable=customize,fs-uuids,lvm-uuids "${all[@]}" \
		--write="/boot/grub/grub.cfg:set root='lvmid/vvvvvv-vvvv-vvvv-vvvv-vvvv-vvvv-vvvvvv/x'" >out
	grep -qx 'vg keeps the UUID of the group, as /boot/grub/grub.cfg names it' out
	grep -qx 'away keeps its UUIDs, as it was exported, or belongs to another machine or a cluster' out
	lvm_uuids "${all[@]}" >after
	[ "$(wc -l <after)" = 8 ]
	[ "$(comm -12 before after | cut -c1-6 | xargs)" = 'vvvvvv xxxxxx yyyyyy' ]
	[ "$(drydock find "${all[@]}" /etc/lvm | sort)" = $'/etc/lvm\n/etc/lvm/backup\n/etc/lvm/devices' ]
	uuid=$(drydock volumes --json "${all[@]}" | jq -r '.[].volumes[] | select(.name == "/dev/vg/root") | .filesystem.uuid')
	[[ $uuid =~ ^[0-9a-f-]{36}$ ]] && [[ $uuid != 1111* ]]
	[ "$(drydock cat "${all[@]}" /etc/fstab)" = "UUID=$uuid / ext4 defaults 0 1" ]
	dd if=a.img of=root.fs bs=64k skip=1 count=64 status=none
	e2fsck -fn root.fs
}

@test "under the peers' names" {
	guest
	PATH=$BUILD/compat:$PATH
	virt-customize -q -a g.img --write /etc/x:y
	[ "$(virt-cat -a g.img /etc/x)" = y ]
	sha256sum g.img >sum
	virt-customize -n -a g.img --run-command 'touch /dry' --no-network >out
	grep -q 'Running: touch /dry' out
	fails_with 1 'virt-customize: error: hostname: "a..b" is no host name' virt-customize -q -a g.img --hostname a..b
	fails_with 1 "are not looked up in libosinfo's database" virt-customize -a g.img --inject-qemu-ga osinfo
	fails_with 1 'inject-virtio-win: this guest is no Windows' virt-customize -q -a g.img --inject-virtio-win .
	fails_with 1 'subscription-manager is not driven' virt-customize -a g.img --sm-remove
	fails_with 1 'a password is selected by' virt-customize -q -a g.img --root-password secret
	fails_with 1 'virt-sysprep: error: "x" is not a known operation' virt-sysprep -a g.img --enable x
	unchanged
	virt-sysprep -a g.img --enable ssh-hostkeys >out
	grep -q 'Performing "ssh-hostkeys"' out
	fails_with 1 'No such file' virt-cat -a g.img /etc/ssh/ssh_host_rsa_key
	virt-sysprep --list-operations >out
	grep -qx 'ssh-hostkeys \* Remove the SSH host keys in the guest' out
	! grep -q cloud-init out
}

@test "registry: a merge goes to the hives of its keys, all or none" {
	needs_machine
	windows_hives
	windows_disk w.img
	cat >m.reg <<-'EOF'
		Windows Registry Editor Version 5.00

		[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\new]
		"Start"=dword:00000003
		[HKLM\SOFTWARE\Acme]
		"n"="v"
		[HKEY_USERS\Ann\Software\X]
		"a"=-
	EOF
	drydock registry merge -f raw w.img m.reg
	[ "$(drydock registry get -f raw w.img 'HKLM\SYSTEM\ControlSet001\Services\new' Start)" = 3 ]
	[ "$(drydock registry get -f raw w.img 'HKLM\SOFTWARE\Acme' n)" = v ]
	fails_with 1 'no value "a"' drydock registry get -f raw w.img 'HKU\Ann\Software\X' a
	if command -v hivexregedit; then
		drydock cp -f raw w.img:/Windows/System32/config/SOFTWARE software
		hivexregedit --export --prefix 'HKEY_LOCAL_MACHINE\SOFTWARE' software '\Acme' >out
		grep -qix '"n"=hex(1):76,00,00,00' out
	fi
	sha256sum w.img >sum
	printf '[HKLM\\SOFTWARE\\Acme]\n"n"="w"\n[HKLM\\NOSUCH\\x]\n' >bad.reg
	fails_with 1 'no hive for the key' drydock registry merge -f raw w.img bad.reg
	unchanged
	printf '[HKLM\\SOFTWARE\\Acme]\n"n"="peer"\n' | "$BUILD/compat/virt-win-reg" --merge w.img
	"$BUILD/compat/virt-win-reg" w.img 'HKLM\SOFTWARE\Acme' n | grep -qx peer
	drydock customize -q -f raw --firstboot-command='echo hi' w.img
	drydock registry get -f raw w.img 'HKLM\SYSTEM\CurrentControlSet\Services\drydock-firstboot' ImagePath | grep -q firstboot.bat
}

# The layout of the public ISO; each file says what it is.
virtio_win()
{
	local f

	for f in {viostor/w10,viostor/w11,vioscsi/w10,NetKVM/w11,NetKVM/2k22}/{amd64,x86}; do
		mkdir -p "iso/$f"
		echo "$f inf" >"iso/$f/$(tr '[:upper:]' '[:lower:]' <<<"${f%%/*}").inf"
		echo "$f sys" >"iso/$f/$(tr '[:upper:]' '[:lower:]' <<<"${f%%/*}").sys"
	done
	mkdir -p iso/Balloon/w11/amd64 iso/guest-agent
	echo service >iso/Balloon/w11/amd64/blnsvr.exe
	echo agent >iso/guest-agent/qemu-ga-x86_64.msi
	echo other >iso/guest-agent/qemu-ga-i386.msi
	genisoimage -quiet -J -r -V virtio-win -o virtio-win.iso iso
}

@test "a Windows is given the drivers and agents of virtio-win, and the registry knows what it starts from" {
	needs_machine
	requires genisoimage
	windows_hives
	windows_disk w.img
	virtio_win
	"$BUILD/compat/virt-customize" -q -a w.img --inject-virtio-win virtio-win.iso --inject-qemu-ga virtio-win.iso --inject-blnsvr iso
	cat >want <<-'END'
		/Program Files/Balloon/blnsvr.exe: service
		/Program Files/drydock/qemu-ga-x86_64.msi: agent
		/Windows/Drivers/VirtIO/netkvm.inf: NetKVM/w11/amd64 inf
		/Windows/Drivers/VirtIO/netkvm.sys: NetKVM/w11/amd64 sys
		/Windows/Drivers/VirtIO/vioscsi.sys: vioscsi/w10/amd64 sys
		/Windows/Drivers/VirtIO/viostor.inf: viostor/w11/amd64 inf
		/Windows/System32/drivers/vioscsi.sys: vioscsi/w10/amd64 sys
		/Windows/System32/drivers/viostor.sys: viostor/w11/amd64 sys
	END
	cut -d: -f1 <want | while read -r f; do echo "$f: $(drydock cat -f raw "w.img:$f")"; done >got
	diff -u want got
	drydock registry export -f raw w.img 'HKLM\SYSTEM' >got
	cat >want <<-'END'
		"drydock-viostor.inf"=hex:01,ff,00,00
		"drydock-vioscsi.inf"=hex:01,ff,00,00
		"Active"="drydock-viostor.inf_1"
		"Service"="viostor"
		"Service"="vioscsi"
		"Configuration"="boot"
		[HKEY_LOCAL_MACHINE\SYSTEM\DriverDatabase\DriverPackages\drydock-viostor.inf_1\Descriptors\PCI\VEN_1AF4&DEV_1042&REV_01]
		[HKEY_LOCAL_MACHINE\SYSTEM\DriverDatabase\DeviceIds\PCI\VEN_1AF4&DEV_1048&REV_01]
		[HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\vioscsi]
		[HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\drydock-firstboot]
	END
	while IFS= read -r line; do grep -qixF -- "$line" got || { echo "no $line"; false; }; done <want
	drydock cat -f raw w.img:'/Program Files/drydock/firstboot/0001-virtio-drivers.bat' | grep -q '^pnputil '
	drydock cat -f raw w.img:'/Program Files/drydock/firstboot/0002-qemu-guest-agent.bat' | grep -q '^msiexec /i .*qemu-ga-x86_64.msi'
	drydock cat -f raw w.img:'/Program Files/drydock/firstboot/0003-balloon-service.bat' | grep -q 'blnsvr.exe" -i'
}

@test "two systems on a disk are not customized: which one is not known" {
	guest
	requires sfdisk
	truncate -s 80M two.img
	printf 'label: dos\nstart=2048,size=65536\nstart=67584,size=65536\n' | sfdisk -q two.img
	dd if=g.img of=two.img bs=1M seek=1 conv=notrunc status=none
	dd if=g.img of=two.img bs=1M seek=33 conv=notrunc status=none
	sha256sum two.img >sum
	fails_with 1 'two.img: ' drydock customize -q -f raw --hostname=x two.img
	[ "$(wc -l <<<"$stderr")" = 1 ]
	fails_with 1 'virt-customize: multi-boot' "$BUILD/compat/virt-customize" -q -a two.img --hostname x
	fails_with 1 'virt-sysprep: multi-boot' "$BUILD/compat/virt-sysprep" -q -a two.img
	fails_with 1 'two.img: ' drydock sysprep -q -f raw two.img
	unchanged
}

@test "a guest that runs is neither customized nor prepared" {
	guest
	requires qemu-io
	mkfifo commands
	qemu-io -f raw g.img <commands >/dev/null &
	local holder=$!
	exec 7>commands
	wait_for_lock g.img
	fails_with 1 'g.img' drydock customize -q -f raw --hostname=x g.img
	[ "$(wc -l <<<"$stderr")" = 1 ]
	fails_with 1 'g.img' drydock sysprep -q -f raw g.img
	[ "$(wc -l <<<"$stderr")" = 1 ]
	fails_with 1 'another process is writing' "$BUILD/compat/virt-sysprep" -q -a g.img
	exec 7>&-
	wait $holder
	unchanged
}

@test "a guest that was customized here boots, and shows each change on its console" {
	needs_machine
	requires mke2fs busybox linux.uml
	mkdir -p t/bin t/sbin t/etc/rc3.d t/etc/init.d t/root t/home t/tmp t/dev t/proc t/sys t/var/log t/usr/share/zoneinfo/Europe t/etc/skel
	cp "$(command -v busybox)" t/bin/busybox
	for b in sh cat chmod chown ls id mkdir mv rm sync hostname mount su date reboot poweroff grep; do ln -s busybox t/bin/$b; done
	ln -s ../bin/busybox t/sbin/init
	cp /usr/share/zoneinfo/Europe/Berlin t/usr/share/zoneinfo/Europe/ 2>/dev/null || skip "no time zones here"
	printf 'ID=devuan\nNAME=Devuan\n' >t/etc/os-release
	printf 'root:x:0:0:root:/root:/bin/sh\n' >t/etc/passwd
	printf 'root:*:19000:0:99999:7:::\n' >t/etc/shadow
	printf 'root:x:0:\n' >t/etc/group
	printf '::sysinit:/etc/rc\n::ctrlaltdel:/bin/poweroff -f\n' >t/etc/inittab
	cat >t/etc/rc <<-'END'
		#!/bin/sh
		mount -t proc proc /proc
		mount -o remount,rw /
		hostname "$(cat /etc/hostname)"
		for s in /etc/rc3.d/S*; do "$s" start; done
		poweroff -f
	END
	chmod 755 t/etc/rc
	mke2fs -q -t ext4 -d t g.img 32M
	cat >first <<-'END'
		#!/bin/sh
		echo "name=$(hostname)"
		echo "user=$(id -u ann) $(su ann -c 'cat $HOME/.ssh/authorized_keys')"
		echo "hour=$(date -d '2024-07-01 12:00' +%Z)"
		echo "motd=$(cat /etc/motd)"
		ls -l /bin/tool
	END
	echo tool >tool
	chmod 755 tool
	drydock customize -q -f raw --hostname=booted --user=ann --ssh-inject='ann:string:ssh-x AAAA me' --timezone=Europe/Berlin \
		--write=/etc/motd:hello --edit='/etc/motd:s/hello/edited/' --upload=tool:/bin --firstboot=first \
		--firstboot-command='echo second=$(ls /usr/lib/drydock/firstboot-done | wc -l)' g.img
	boot() { TMPDIR=$PWD timeout 300 linux.uml mem=64M ubd0=g.img root=/dev/ubda rw con=null con0=fd:0,fd:1 quiet </dev/null 2>&1; }
	boot >console || true
	grep -qx 'name=booted.*' console
	grep -q '^user=1000 ssh-x AAAA me' console
	grep -q '^hour=CEST' console
	grep -q '^motd=edited' console
	grep -q '^-rwxr-xr-x.*/bin/tool' console
	grep -q '^second=2' console
	grep -q 'drydock-firstboot: all done' console
	boot >again || true
	! grep -q drydock-firstboot again
}
