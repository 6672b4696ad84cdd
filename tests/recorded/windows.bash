# shellcheck shell=bash disable=SC2034 # a reason is for those who source this
# SPDX-License-Identifier: GPL-2.0-or-later
#
# windows.bash - the Windows guests of guests.bash: hives that hivex writes, on FAT, for which no root is needed.

# hive FILE: of the keys and values on standard input, see make_hive.pl
hive()
{
	perl -MWin::Hivex -e 1 2>/dev/null || { reason="Win::Hivex is not installed"; return 1; }
	perl "$recorded/../cli/make_hive.pl" "$1"
}

# A program for i386 (machine 014c) or x86-64 (8664) that has headers only.  program FILE MACHINE
program()
{
	local optional=e0

	[ "$2" = 014c ] || optional=f0
	{
		printf 'MZ'
		head -c 58 /dev/zero
		printf '\200\0\0\0'
		head -c 64 /dev/zero
		# shellcheck disable=SC2059 # the format is made
		printf "PE\\0\\0\\x${2:2}\\x${2:0:2}\\1\\0"
		head -c 12 /dev/zero
		# shellcheck disable=SC2059
		printf "\\x$optional\\0\\x22\\0\\x0b\\$([ "$2" = 014c ] && echo 1 || echo 2)"
		head -c 66 /dev/zero
		printf '\3\0'
		head -c 300 /dev/zero
	} >"$1"
}

# What lies where MountedDevices says: the disk's signature and an offset of 1 MiB, or a partition's GUID; D: is another disk's, the
# last one a CD drive.
mounted_mbr='hex(3):785634120000100000000000'
mounted_gpt='hex(3):444d494f3a49443a000000aa0000aaaa0000000000000001'

# windows NAME MACHINE TABLE PRODUCT VERSION MAJOR(or -) BUILD TYPE
windows()
{
	local name=$1 machine=$2 table=$3 product=$4 version=$5 major=$6 build=$7 type=$8 mounted=mounted_$3

	have mkfs.vfat mmd mcopy sfdisk perl || return 1
	hive SOFTWARE <<-END || return 1
		[Microsoft\\Windows NT\\CurrentVersion]
		ProductName=sz:$product
		CurrentVersion=sz:$version
		CurrentBuild=sz:$build
		CurrentBuildNumber=sz:$build
		InstallationType=sz:$type
		$([ "$major" = - ] || printf 'CurrentMajorVersionNumber=dword:%s\nCurrentMinorVersionNumber=dword:0' "$major")
		[Microsoft\\Windows\\CurrentVersion\\Uninstall\\7-Zip]
		DisplayName=sz:7-Zip 23.01 (x64)
		DisplayVersion=sz:23.01
		Publisher=sz:Igor Pavlov
		InstallLocation=sz:C:\\Program Files\\7-Zip
		URLInfoAbout=sz:https://www.7-zip.org/
		Comments=sz:packs & unpacks
		[Microsoft\\Windows\\CurrentVersion\\Uninstall\\Nameless]
		DisplayVersion=sz:1
		[Microsoft\\Windows\\CurrentVersion\\Uninstall\\{0A1B2C3D-0000-1111-2222-333344445555}]
		DisplayName=sz:Tool <for> two
		$([ "$machine" = 014c ] || printf '%s\n' '[WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\Old]' \
			'DisplayName=sz:Old Tool' DisplayVersion=sz:1.0)
	END
	hive SYSTEM <<-END || return 1
		[Select]
		Current=dword:1
		Default=dword:1
		[ControlSet001\\Services\\Tcpip\\Parameters]
		Hostname=sz:${name^^}
		[ControlSet001\\Control\\Session Manager\\Environment]
		PROCESSOR_ARCHITECTURE=sz:$([ "$machine" = 014c ] && echo x86 || echo AMD64)
		[MountedDevices]
		\\DosDevices\\C:=${!mounted}
		\\DosDevices\\D:=hex(3):efbeadde0000100000000000
		\\DosDevices\\E:=hex(3):5c003f003f005c00530043005300490023004300640052006f006d00
		\\??\\Volume{aaaaaaaa-1111-2222-3333-444444444444}=${!mounted}
	END
	rm -f "$name.img" fat.img
	truncate -s 8M fat.img
	mkfs.vfat --invariant -F 16 -s 1 -i 1234abcd -n WINDOWS fat.img >/dev/null || { reason="mkfs.vfat fails"; return 1; }
	export MTOOLS_SKIP_CHECK=1
	program cmd.exe "$machine"
	mmd -i fat.img ::/Windows ::/Windows/System32 ::/Windows/System32/config ::/Users "::/Program Files" &&
		mcopy -i fat.img cmd.exe ::/Windows/System32/ &&
		mcopy -i fat.img SOFTWARE SYSTEM ::/Windows/System32/config/ || { reason="mtools fail"; return 1; }
	truncate -s 10M "$name.img"
	if [ "$table" = mbr ]; then
		printf 'label: dos\nlabel-id: 0x12345678\nstart=2048,size=16384,type=e,bootable\n'
	else
		printf 'label: gpt\nlabel-id: 11111111-2222-3333-4444-555555555555\nstart=2048,size=16384,%s,%s\n' \
			type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 uuid=aa000000-0000-aaaa-0000-000000000001
	fi | sfdisk -q "$name.img" || return 1
	put "$name.img" fat.img 2048
	rm fat.img cmd.exe SOFTWARE SYSTEM
}

guest_win7() { windows win7 014c mbr 'Windows 7 Professional' 6.1 - 7601 Client; }
guest_win81() { windows win81 8664 mbr 'Windows 8.1 Pro' 6.3 - 9600 Client; }
guest_win10() { windows win10 8664 gpt 'Windows 10 Pro' 6.3 10 19045 Client; }
guest_win11() { windows win11 8664 gpt 'Windows 10 Pro' 6.3 10 22631 Client; }
guest_win2k12() { windows win2k12 8664 mbr 'Windows Server 2012 Standard' 6.2 - 9200 Server; }
guest_win2k16() { windows win2k16 8664 gpt 'Windows Server 2016 Standard' 6.3 10 14393 Server; }
guest_win2k19() { windows win2k19 8664 gpt 'Windows Server 2019 Datacenter' 6.3 10 17763 'Server Core'; }
guest_win2k22() { windows win2k22 8664 gpt 'Windows Server 2022 Standard' 6.3 10 20348 Server; }
guest_win2k25() { windows win2k25 8664 gpt 'Windows Server 2025 Standard' 6.3 10 26100 Server; }
