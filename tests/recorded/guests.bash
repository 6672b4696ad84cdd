# shellcheck shell=bash disable=SC2034 # a reason is for those who source this
# SPDX-License-Identifier: GPL-2.0-or-later
#
# guests.bash - the guests that the answers in this folder are about, each with the fewest files that make it one, the same each
# time.  Sourced by run and by record.
#
#   guest_NAME       makes NAME.img (a second disk: NAME2.img) in the current folder; false when it cannot, with $reason
#   guests           lists the names
export SOURCE_DATE_EPOCH=1700000000 E2FSPROGS_FAKE_TIME=1700000000 TZ=UTC LC_ALL=C
PATH=$PATH:/sbin:/usr/sbin
export recorded; recorded=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/mounts.bash
. "$recorded/../mounts.bash"
# shellcheck source=tests/recorded/windows.bash
. "$recorded/windows.bash"
# shellcheck source=tests/recorded/changed.bash
. "$recorded/changed.bash"

guests()
{
	declare -F | sed -n 's/^declare -f guest_//p'
}

# have TOOL...: are they installed?
have()
{
	local tool

	for tool; do
		command -v "$tool" >/dev/null || { reason="$tool is not installed"; return 1; }
	done
}

# as_root: devices, owners and mounts take it
as_root()
{
	[ "$(id -u)" = 0 ] || { reason="only root can make this guest"; return 1; }
}

# ---- trees ----

# An ELF header and nothing else: enough to tell the processor.  elf FILE CLASS(1: 32 bits, 2: 64) MACHINE(octal)
elf()
{
	mkdir -p "$(dirname "$1")"
	# shellcheck disable=SC2059 # the format is made
	printf "\177ELF\\$2\1\1\0\0\0\0\0\0\0\0\0\2\0\\$3\0\1\0\0\0" >"$1"
	truncate -s 64 "$1"
	printf '\100' | dd of="$1" bs=1 seek="$([ "$2" = 2 ] && echo 52 || echo 40)" conv=notrunc status=none
	chmod 755 "$1"
}

# tree: an empty root, t/
tree()
{
	rm -rf t
	mkdir -p t/etc t/bin t/sbin t/usr/bin t/var/log t/boot t/home t/tmp t/root
}

# file PATH: of t/, from standard input
file()
{
	mkdir -p "t/$(dirname "$1")"
	cat >"t/$1"
}

# A time and modes that do not depend on who makes the guest; then the tree becomes a filesystem.
# fs FILE SIZE UUID LABEL [mke2fs OPTION...]
fs()
{
	local file=$1 size=$2 uuid=$3 label=$4 i
	shift 4
	have mke2fs debugfs || return 1
	find t -type d -exec chmod 755 {} +
	find t -type f ! -perm -100 -exec chmod 644 {} +
	find t -exec touch -h -d @1600000000 {} +
	rm -f "$file"
	truncate -s "$size" "$file"
	mke2fs -q -F -t "${FS_TYPE:-ext4}" -d t -U "$uuid" -L "$label" \
		-E "hash_seed=cccccccc-1111-2222-3333-444444444444,lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0" \
		"$@" "$file" || { reason="mke2fs fails"; return 1; }
	# The times that it takes from this machine's files.
	for i in $(seq 2 $(($(find t | wc -l) + 12))); do
		echo "sif <$i> ctime @1500000000"
		echo "sif <$i> ctime_extra 0"
	done | debugfs -w -f - "$file" >/dev/null 2>&1
	rm -rf t
}

put()
{
	dd if="$2" of="$1" bs=512 seek="$3" conv=notrunc,sparse status=none
}

# one_partition DISK FILE [TYPE]: the filesystem in FILE, which goes away, in a partition of an MBR disk
one_partition()
{
	local sectors=$(($(stat -c %s "$2") / 512))

	have sfdisk || return 1
	rm -f "$1"
	truncate -s $(((sectors + 2048) * 512)) "$1"
	printf 'label: dos\nlabel-id: 0x12345678\nstart=2048,size=%s,type=%s,bootable\n' $sectors "${3:-83}" | sfdisk -q "$1" || return 1
	put "$1" "$2" 2048
	rm "$2"
}

A=aaaaaaaa-1111-2222-3333-444444444444
B=bbbbbbbb-1111-2222-3333-444444444444

# A picture of 16 by 16 points.
png()
{
	base64 -d <<-END
		iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mMQVDImCTGMahjVMHw1
		AAAaNGYB44NinAAAAABJRU5ErkJggg==
	END
}

# ---- Debian: a disk with GPT, /boot of its own, packages, two kernels ----

debian_files()
{
	tree
	file etc/os-release <<-'END'
		PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
		NAME="Debian GNU/Linux"
		VERSION_ID="12"
		VERSION="12 (bookworm)"
		VERSION_CODENAME=bookworm
		ID=debian
	END
	echo 12.4 | file etc/debian_version
	echo guest1 | file etc/hostname
	echo 'root:x:0:0:root:/root:/bin/sh' | file etc/passwd
	echo '# nothing yet' | file etc/apt/sources.list
	elf t/bin/ls 2 76
	file var/lib/dpkg/status <<-'END'
		Package: base-files
		Essential: yes
		Status: install ok installed
		Priority: required
		Section: admin
		Installed-Size: 341
		Maintainer: Santiago Vila <sanvila@debian.org>
		Architecture: amd64
		Multi-Arch: foreign
		Version: 12.4+deb12u5
		Description: Debian base system miscellaneous files
		 This package contains the basic filesystem hierarchy of a Debian system, and
		 several important miscellaneous files, such as /etc/debian_version.
		 .
		 A last line.
		Homepage: https://example.org/base?a=1&b=<2>

		Package: login
		Status: install ok installed
		Architecture: amd64
		Source: shadow (1:4.13+dfsg1-1)
		Version: 1:4.13+dfsg1-1+b1
		Description: system login tools

		Package: gone
		Status: deinstall ok config-files
		Architecture: amd64
		Version: 1.0-1
		Description: removed, with its configuration kept

		Package: half
		Status: install ok half-configured
		Architecture: all
		Version: 2.0~rc1-0.1
		Description: not configured yet

		Package: native
		Status: install ok installed
		Architecture: all
		Version: 20230101
		Description: without a revision

	END
}

guest_debian()
{
	have sfdisk mkswap || return 1
	debian_files
	file etc/fstab <<-END
		UUID=$A / ext4 errors=remount-ro 0 1
		UUID=$B /boot ext2 defaults 0 2
		LABEL=sw none swap sw 0 0
		/dev/sr0 /media/cdrom udf,iso9660 user,noauto 0 0
	END
	png | file usr/share/pixmaps/debian-logo.png
	printf 'hello\n' | file srv/note
	ln -s note t/srv/link
	printf 'x' | file 'srv/with space'
	fs root.fs 12M $A rootfs || return 1
	tree
	rm -r t/*
	printf 'kernel 1\n' | file vmlinuz-6.1.0-1-amd64
	printf 'kernel 9\n' | file vmlinuz-6.1.0-9-amd64
	printf 'initrd 1\n' | file initrd.img-6.1.0-1-amd64
	printf 'initrd 9\n' | file initrd.img-6.1.0-9-amd64
	FS_TYPE=ext2 fs boot.fs 4M $B bootfs || return 1
	truncate -s 1M sw
	mkswap -q -L sw -U dddddddd-1111-2222-3333-444444444444 sw
	truncate -s 20M debian.img
	sfdisk -q debian.img <<-END || return 1
		label: gpt
		label-id: 11111111-2222-3333-4444-555555555555
		start=2048,size=8192,type=0FC63DAF-8483-4772-8E79-3D69D8477DE4,name=boot,uuid=aaaaaaaa-0000-0000-0000-000000000001
		start=10240,size=24576,type=0FC63DAF-8483-4772-8E79-3D69D8477DE4,name=root,uuid=aaaaaaaa-0000-0000-0000-000000000002
		start=34816,size=2048,type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F,name=swap,uuid=aaaaaaaa-0000-0000-0000-000000000003
	END
	put debian.img boot.fs 2048
	put debian.img root.fs 10240
	put debian.img sw 34816
	rm root.fs boot.fs sw
}

# Two volumes for swap, of which fstab names one.
guest_swap()
{
	local i

	have sfdisk mkswap || return 1
	debian_files
	printf 'UUID=%s / ext4 defaults 0 1\nUUID=%s none swap sw 0 0\n' $A dddddddd-1111-2222-3333-444444444442 | file etc/fstab
	fs root.fs 8M $A root || return 1
	truncate -s 12M swap.img
	sfdisk -q swap.img <<-END || return 1
		label: dos
		label-id: 0x12345678
		start=2048,size=16384,type=83
		start=18432,size=2048,type=82
		start=20480,size=2048,type=82
	END
	put swap.img root.fs 2048
	for i in 2 3; do
		truncate -s 1M sw
		mkswap -q -U dddddddd-1111-2222-3333-44444444444$i sw
		put swap.img sw $((18432 + 2048 * (i - 2)))
		rm sw
	done
	rm root.fs
}

# The same as it was: files and packages that differ.
guest_before()
{
	have sfdisk || return 1
	debian_files
	sed -i 's/^Version: 12.4+deb12u5/Version: 12.4+deb12u1/' t/var/lib/dpkg/status
	echo 12.3 | file etc/debian_version
	printf 'UUID=%s / ext4 errors=remount-ro 0 1\n' $A | file etc/fstab
	fs root.fs 12M $A rootfs && one_partition before.img root.fs
}

# The same, later: what changed, came and went has names that leave the others their inodes.
guest_after()
{
	have sfdisk || return 1
	debian_files
	echo 12.4 | file etc/debian_version
	printf 'UUID=%s / ext4 errors=remount-ro 0 1\n# a line\n' $A | file etc/fstab
	printf 'new\n' | file zz/new
	ln -s new t/zz/link
	fs root.fs 12M $A rootfs && one_partition after.img root.fs
}

# Names and values that would end an element, or are no text.
guest_evil()
{
	debian_files
	printf 'a<b>&"c"\n' | file etc/hostname
	printf '%s / ext4 defaults 0 1\n' /dev/sda1 | file etc/fstab
	printf 'Package: x</name><name>y\nStatus: install ok installed\nArchitecture: all\nVersion: 1&amp;2-]]>\n%s\n%s\n\n' \
		'Description: <![CDATA[ "quoted" & '"'single'" ' <!-- & -->' | file var/lib/dpkg/status
	png | file etc/favicon.png
	fs root.fs 12M $A 'la<b>el' && one_partition evil.img root.fs
}

# ---- other families: one filesystem in one partition ----

# linux NAME SIZE: what tree and file have made, as a guest
linux()
{
	[ -e t/etc/fstab ] || printf 'UUID=%s / ext4 defaults 0 1\n' $A | file etc/fstab
	fs root.fs "${2:-8M}" $A root && one_partition "$1.img" root.fs
}

guest_ubuntu()
{
	tree
	file etc/os-release <<-'END'
		PRETTY_NAME="Ubuntu 22.04.3 LTS"
		NAME="Ubuntu"
		VERSION_ID="22.04"
		ID=ubuntu
		ID_LIKE=debian
	END
	printf 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=22.04\nDISTRIB_CODENAME=jammy\nDISTRIB_DESCRIPTION="Ubuntu 22.04.3 LTS"\n' |
		file etc/lsb-release
	echo bookworm/sid | file etc/debian_version
	echo jammy.example.com | file etc/hostname
	elf t/bin/bash 2 267
	linux ubuntu
}

guest_fedora()
{
	tree
	file etc/os-release <<-'END'
		NAME="Fedora Linux"
		VERSION="38 (Server Edition)"
		ID=fedora
		VERSION_ID=38
		PRETTY_NAME="Fedora Linux 38 (Server Edition)"
		VARIANT="Server Edition"
		VARIANT_ID=server
	END
	echo 'Fedora release 38 (Thirty Eight)' | file etc/fedora-release
	ln -s fedora-release t/etc/redhat-release
	echo 'localhost.localdomain' | file etc/hostname
	elf t/usr/bin/ls 2 76
	png | file usr/share/icons/hicolor/96x96/apps/fedora-logo-icon.png
	linux fedora
}

guest_rhel()
{
	tree
	file etc/os-release <<-'END'
		NAME="Red Hat Enterprise Linux"
		VERSION="8.6 (Ootpa)"
		ID="rhel"
		ID_LIKE="fedora"
		VERSION_ID="8.6"
		PRETTY_NAME="Red Hat Enterprise Linux 8.6 (Ootpa)"
	END
	echo 'Red Hat Enterprise Linux release 8.6 (Ootpa)' | file etc/redhat-release
	printf 'NETWORKING=yes\nHOSTNAME=rhel.example.com\n' | file etc/sysconfig/network
	elf t/bin/ls 2 76
	png | file usr/share/pixmaps/redhat/shadowman-transparent.png
	linux rhel
}

guest_rhel4()
{
	tree
	echo 'Red Hat Enterprise Linux AS release 4 (Nahant Update 8)' | file etc/redhat-release
	printf 'NETWORKING=yes\nHOSTNAME=old.example.com\n' | file etc/sysconfig/network
	elf t/bin/ls 1 3
	linux rhel4
}

guest_centos()
{
	tree
	file etc/os-release <<-'END'
		NAME="CentOS Linux"
		VERSION="7 (Core)"
		ID="centos"
		ID_LIKE="rhel fedora"
		VERSION_ID="7"
		PRETTY_NAME="CentOS Linux 7 (Core)"
	END
	echo 'CentOS Linux release 7.9.2009 (Core)' | file etc/centos-release
	ln -s centos-release t/etc/redhat-release
	echo centos | file etc/hostname
	elf t/bin/ls 2 76
	linux centos
}

guest_opensuse()
{
	tree
	file etc/os-release <<-'END'
		NAME="openSUSE Leap"
		VERSION="15.4"
		ID="opensuse-leap"
		ID_LIKE="suse opensuse"
		VERSION_ID="15.4"
		PRETTY_NAME="openSUSE Leap 15.4"
	END
	echo leap.site | file etc/HOSTNAME
	elf t/bin/ls 2 76
	linux opensuse
}

guest_sles()
{
	tree
	file etc/os-release <<-'END'
		NAME="SLES"
		VERSION="12-SP5"
		VERSION_ID="12.5"
		PRETTY_NAME="SUSE Linux Enterprise Server 12 SP5"
		ID="sles"
	END
	printf 'SUSE Linux Enterprise Server 12 (x86_64)\nVERSION = 12\nPATCHLEVEL = 5\n' | file etc/SuSE-release
	elf t/bin/ls 2 76
	linux sles
}

guest_arch()
{
	tree
	printf 'NAME="Arch Linux"\nPRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n' | file etc/os-release
	: | file etc/arch-release
	echo archbox | file etc/hostname
	elf t/usr/bin/ls 2 76
	printf '%%NAME%%\nzlib\n\n%%VERSION%%\n1:1.2.13-2\n\n%%DESC%%\nCompression library\n\n%%ARCH%%\nx86_64\n\n%%URL%%\nhttps://www.zlib.net/\n\n' |
		file var/lib/pacman/local/zlib-1:1.2.13-2/desc
	linux arch
}

guest_alpine()
{
	tree
	file etc/os-release <<-'END'
		NAME="Alpine Linux"
		ID=alpine
		VERSION_ID=3.17.3
		PRETTY_NAME="Alpine Linux v3.17"
	END
	echo 3.17.3 | file etc/alpine-release
	echo alp | file etc/hostname
	elf t/bin/busybox 2 76
	file lib/apk/db/installed <<-'END'
		C:Q1xyz
		P:musl
		V:1.2.3-r4
		A:x86_64
		S:383459
		I:622592
		T:the musl c library (libc) implementation
		U:https://musl.libc.org/
		L:MIT
		o:musl
		m:A Person <a@example.org>

		P:busybox
		V:1.35.0-r29
		A:x86_64
		T:Size optimized toolbox of many common UNIX utilities
		U:https://busybox.net/
		o:busybox

	END
	linux alpine
}

guest_gentoo()
{
	tree
	printf 'NAME=Gentoo\nID=gentoo\nPRETTY_NAME="Gentoo Linux"\nVERSION_ID="2.13"\n' | file etc/os-release
	echo 'Gentoo Base System release 2.13' | file etc/gentoo-release
	echo 'hostname="gen"' | file etc/conf.d/hostname
	elf t/bin/ls 2 76
	linux gentoo
}

guest_mageia()
{
	tree
	printf 'NAME="Mageia"\nVERSION="8"\nID=mageia\nVERSION_ID=8\nPRETTY_NAME="Mageia 8"\n' | file etc/os-release
	elf t/bin/ls 2 76
	linux mageia
}

guest_void()
{
	tree
	printf 'NAME="void"\nID="void"\nPRETTY_NAME="void"\n' | file etc/os-release
	echo voidbox | file etc/hostname
	elf t/usr/bin/ls 2 76
	linux void
}

# Files that say FreeBSD, on a filesystem that both read.
guest_freebsd()
{
	tree
	mkdir -p t/usr/local
	: | file etc/freebsd-update.conf
	printf 'hostname="beastie.example.org"\n' | file etc/rc.conf
	echo FreeBSD | file etc/motd
	printf '/dev/ada0s1 / ufs rw 1 1\n' | file etc/fstab
	elf t/bin/ls 2 76
	linux freebsd
}

# The same of OpenBSD.
guest_openbsd()
{
	tree
	: | file bsd
	printf 'OpenBSD 7.3 (GENERIC.MP) #1125: Sat Mar 25 10:36:29 MDT 2023\n\nWelcome to OpenBSD.\n' | file etc/motd
	echo puffy.example.org | file etc/myname
	printf '/dev/sd0a / ffs rw 1 1\n' | file etc/fstab
	elf t/bin/ls 2 76
	linux openbsd
}

# Container Linux: a root without programs, and two volumes for /usr, of which the newer one is used.
guest_coreos()
{
	local release

	have sfdisk || return 1
	for release in 2079.3.0 2023.5.0; do
		tree
		rm -r t/*
		mkdir -p t/bin t/local t/share/coreos
		printf 'NAME="Container Linux by CoreOS"\nID=coreos\nVERSION=%s\nVERSION_ID=%s\nBUILD_ID=2019-04-22-2119\n%s\n' \
			$release $release "PRETTY_NAME=\"Container Linux by CoreOS $release (Rhyolite)\"" | file lib/os-release
		printf 'DISTRIB_ID="Container Linux by CoreOS"\nDISTRIB_RELEASE=%s\nDISTRIB_CODENAME="Rhyolite"\n%s\n' \
			$release "DISTRIB_DESCRIPTION=\"Container Linux by CoreOS $release (Rhyolite)\"" | file share/coreos/lsb-release
		ln -s ../../lib/os-release t/share/coreos/os-release
		printf 'COREOS_RELEASE_VERSION=%s\n' $release | file share/coreos/release
		elf t/bin/bash 2 76
		FS_TYPE=ext2 fs usr-$release.fs 4M $B USR-A || return 1
	done
	rm -rf t
	mkdir -p t/etc t/root t/home t/usr t/var
	echo GROUP=stable | file etc/coreos/update.conf
	echo core1 | file etc/hostname
	ln -s ../usr/lib/os-release t/etc/os-release
	fs root.fs 8M $A ROOT || return 1
	truncate -s 20M coreos.img
	sfdisk -q coreos.img <<-END || return 1
		label: gpt
		label-id: 11111111-2222-3333-4444-555555555555
		start=2048,size=8192,type=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6,name=USR-A,uuid=aaaaaaaa-0000-0000-0000-000000000001
		start=10240,size=8192,type=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6,name=USR-B,uuid=aaaaaaaa-0000-0000-0000-000000000002
		start=18432,size=16384,type=3884DD41-8582-4404-B9A8-E9B84F2DF50E,name=ROOT,uuid=aaaaaaaa-0000-0000-0000-000000000003
	END
	put coreos.img usr-2079.3.0.fs 2048
	put coreos.img usr-2023.5.0.fs 10240
	put coreos.img root.fs 18432
	rm usr-*.fs root.fs
}

# An operating system that nobody knows.
guest_unknown()
{
	tree
	printf 'NAME="Private OS"\nID=privateos\nVERSION_ID=1.2\nPRETTY_NAME="Private OS 1.2"\n' | file etc/os-release
	echo nobody | file etc/hostname
	linux unknown
}

# No operating system.
guest_data()
{
	mkdir -p t/music
	echo song | file music/a.ogg
	fs root.fs 4M $A data && one_partition data.img root.fs
}

# Two in one disk.
guest_two()
{
	have sfdisk || return 1
	tree
	printf 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=37\nPRETTY_NAME="Fedora Linux 37"\n' | file etc/os-release
	printf '/dev/sda2 / ext4 defaults 0 1\n' | file etc/fstab
	fs second.fs 8M $B fedora || return 1
	debian_files
	printf '/dev/sda1 / ext4 defaults 0 1\n' | file etc/fstab
	fs first.fs 8M $A debian || return 1
	truncate -s 20M two.img
	printf 'label: dos\nlabel-id: 0x12345678\nstart=2048,size=16384,type=83\nstart=18432,size=16384,type=83\n' | sfdisk -q two.img
	put two.img first.fs 2048
	put two.img second.fs 18432
	rm first.fs second.fs
}

# ---- ways to lie on a disk ----

# XFS, /home beside it, both logical volumes.
guest_lvm()
{
	have mkfs.xfs sfdisk || return 1
	rm -rf t proto
	debian_files
	printf '/dev/mapper/vg0-root / xfs defaults 0 1\n/dev/vg0/home /home ext4 defaults 0 2\n' | file etc/fstab
	{
		printf '/\n0 0\nd--755 0 0\n'
		proto t
	} >proto
	rm -f root.xfs
	truncate -s 16M root.xfs
	mkfs.xfs -q -f -p proto -m uuid=$A -L root -l size=5m root.xfs >/dev/null 2>&1 ||
		mkfs.xfs -q -f -p proto -m uuid=$A -L root --unsupported root.xfs >/dev/null 2>&1 ||
		{ reason="mkfs.xfs makes no filesystem of 16 MiB"; return 1; }
	rm -rf t proto
	echo words | file ann/letter
	fs home.fs 2M $B home || return 1
	(
		# shellcheck source=tests/broken/lib.sh
		. "$recorded/../broken/lib.sh"
		lv()
		{
			echo "$1 { id = \"$(lvm_id "$2")\" status = [\"READ\", \"WRITE\", \"VISIBLE\"] flags = []
			segment_count = 1 segment1 { start_extent = 0 extent_count = $3 type = \"striped\" stripe_count = 1
			stripes = [\"pv0\", $4] } }"
		}
		{
			echo "vg0 { id = \"$(lvm_id v)\" seqno = 3 status = [\"RESIZEABLE\", \"READ\", \"WRITE\"] flags = []
			extent_size = 2048 max_lv = 0 max_pv = 0 metadata_copies = 0
			physical_volumes { pv0 { id = \"$(lvm_id p)\" status = [\"ALLOCATABLE\"] flags = []
			dev_size = 40960 pe_start = 2048 pe_count = 19 } }
			logical_volumes {"
			lv root r 16 0
			lv home h 2 16
			echo "} }
			contents = \"Text Format Volume Group\" version = 1"
		} | lvm_pv pv p $((20 << 20)) $((1 << 20))
	) || return 1
	dd if=root.xfs of=pv bs=1M seek=1 conv=notrunc,sparse status=none
	dd if=home.fs of=pv bs=1M seek=17 conv=notrunc,sparse status=none
	one_partition lvm.img pv 8e
	rm root.xfs home.fs
}

# The lines of a mkfs.xfs prototype for what is in a folder.
proto()
{
	local f

	for f in "$1"/* "$1"/.[!.]*; do
		[ -e "$f" ] || [ -L "$f" ] || continue
		if [ -L "$f" ]; then
			printf '%s l--777 0 0 %s\n' "${f##*/}" "$(readlink "$f")"
		elif [ -d "$f" ]; then
			printf '%s d--755 0 0\n' "${f##*/}"
			proto "$f"
		else
			printf '%s ---644 0 0 %s\n' "${f##*/}" "$f"
		fi
	done
	echo '$'
}

# btrfs as Ubuntu and openSUSE use it: the root and /home are subvolumes.
guest_btrfs()
{
	as_root && have mkfs.btrfs btrfs mount || return 1
	grep -qw btrfs /proc/filesystems || { reason="this kernel mounts no btrfs"; return 1; }
	rm -rf t mnt
	debian_files
	printf 'UUID=%s / btrfs defaults,subvol=@ 0 1\nUUID=%s /home btrfs subvol=@home 0 2\n' $A $A | file etc/fstab
	find t -exec touch -h -d @1600000000 {} +
	rm -f root.fs
	truncate -s 110M root.fs
	mkfs.btrfs -q -U $A -L root root.fs >/dev/null 2>&1 && mkdir mnt && mount -o loop root.fs mnt ||
		{ reason="this machine cannot mount through a loop device"; return 1; }
	btrfs subvolume create mnt/@ >/dev/null
	btrfs subvolume create mnt/@home >/dev/null
	cp -a t/. mnt/@/
	echo words >mnt/@home/letter
	umount mnt
	rm -rf t mnt
	one_partition btrfs.img root.fs
}

# An encrypted volume over the whole disk but its first MiB; its passphrase is "pass".
guest_luks()
{
	have qemu-img || return 1
	rm -rf t
	debian_files
	printf 'UUID=%s / ext4 defaults 0 1\n' $A | file etc/fstab
	fs plain.fs 8M $A root || return 1
	rm -f crypt
	qemu-img convert -f raw -O luks --object secret,id=s,data=pass -o key-secret=s,iter-time=100 plain.fs crypt >/dev/null 2>&1 ||
		{ reason="qemu-img makes no LUKS volume"; return 1; }
	rm plain.fs
	one_partition luks.img crypt
}
