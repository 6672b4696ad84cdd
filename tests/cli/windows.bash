# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# windows.bash - a small Windows for tests: its hives are written by hivex, its files lie on FAT, for which no root is needed.

# make_hive FILE: a hive of the keys and values on standard input, see make_hive.pl.
make_hive()
{
	requires perl
	perl -MWin::Hivex -e 1 2>/dev/null || skip "Win::Hivex is not installed"
	perl "$(dirname "${BASH_SOURCE[0]}")/make_hive.pl" "$1"
}

# windows_hives: SOFTWARE, SYSTEM, SAM and NTUSER.DAT of a Windows 11, in this folder.
windows_hives()
{
	make_hive SOFTWARE <<-'EOF'
		[Microsoft\Windows NT\CurrentVersion]
		ProductName=sz:Windows 10 Pro
		CurrentVersion=sz:6.3
		CurrentMajorVersionNumber=dword:10
		CurrentMinorVersionNumber=dword:0
		CurrentBuild=sz:22631
		UBR=dword:3007
		InstallationType=sz:Client
		EditionID=sz:Professional
		DisplayVersion=sz:23H2
		InstallDate=dword:1700000000
		[Microsoft\Windows NT\CurrentVersion\ProfileList\S-1-5-18]
		ProfileImagePath=expand:%systemroot%\system32\config\systemprofile
		[Microsoft\Windows NT\CurrentVersion\ProfileList\S-1-5-21-1-2-3-1001]
		ProfileImagePath=expand:C:\Users\Ann
		[Microsoft\Windows\CurrentVersion\Group Policy\History\{35378EAC-683F-11D2-A89A-00C04FBBCFA2}\0]
		DSPath=sz:LDAP://cn=Policy,dc=example
		[Microsoft\Windows\CurrentVersion\Uninstall\7-Zip]
		DisplayName=sz:7-Zip 23.01 (x64)
		DisplayVersion=sz:23.01
		Publisher=sz:Igor Pavlov
		InstallLocation=sz:C:\Program Files\7-Zip
		InstallDate=sz:20240131
		[Microsoft\Windows\CurrentVersion\Uninstall\Part]
		DisplayVersion=sz:1
		[WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\{12345678-9ABC-DEF0-1122-334455667788}]
		DisplayName=sz:Old Tool
		DisplayVersion=sz:1.0
		[Microsoft\Windows\CurrentVersion\Installer\UserData\S-1-5-18\Products\87654321CBA90FED1122334455667788\InstallProperties]
		DisplayName=sz:Twice
		[Microsoft\Windows\CurrentVersion\Installer\UserData\S-1-5-18\Products\00000000000000000000000000000001\InstallProperties]
		DisplayName=sz:Hidden MSI
		DisplayVersion=sz:2.5
	EOF
	make_hive SYSTEM <<-'EOF'
		[Select]
		Current=dword:1
		[ControlSet001\Services\Tcpip\Parameters]
		Hostname=sz:WINBOX
		[ControlSet001\Control\TimeZoneInformation]
		TimeZoneKeyName=sz:W. Europe Standard Time
		[ControlSet001\Control\Session Manager\Environment]
		PROCESSOR_ARCHITECTURE=sz:AMD64
		[ControlSet001\Services\viostor]
		Start=dword:0
		Type=dword:1
		[ControlSet001\Services\netkvm]
		Start=dword:3
		Type=dword:1
		[ControlSet001\Services\Spooler]
		Start=dword:2
		Type=dword:272
		[ControlSet001\Services\SharedAccess\Parameters\FirewallPolicy\StandardProfile]
		EnableFirewall=dword:1
		[ControlSet001\Services\SharedAccess\Parameters\FirewallPolicy\PublicProfile]
		EnableFirewall=dword:0
		[MountedDevices]
		\DosDevices\C:=hex(3):785634120000100000000000
		\DosDevices\D:=hex(3):444d494f3a49443a000102030405060708090a0b0c0d0e0f
	EOF
	make_hive SAM <<-EOF
		[SAM\\Domains\\Account\\Users\\Names\\Administrator]
		@=hex(500):
		[SAM\\Domains\\Account\\Users\\Names\\Ann]
		@=hex(1001):
		[SAM\\Domains\\Account\\Users\\000001F4]
		F=hex(3):$(printf '%0112d' 0)0100
	EOF
	make_hive NTUSER.DAT <<-'EOF'
		[Software\X]
		a=sz:b
	EOF
}

# windows_disk FILE: an MBR disk, its one partition of FAT with the Windows whose hives are in this folder.
windows_disk()
{
	requires mkfs.vfat mmd mcopy sfdisk
	local hive

	export MTOOLS_SKIP_CHECK=1
	truncate -s 33M fat.img
	mkfs.vfat -F 32 fat.img >/dev/null
	mmd -i fat.img ::/Windows ::/Windows/System32 ::/Windows/System32/config ::/Windows/System32/drivers ::/Users ::/Users/Ann
	# The smallest program that is one for x86-64.
	{
		printf 'MZ%058d\200\0\0\0' 0 | tr 0 '\0'
		printf '%064d' 0 | tr 0 '\0'
		printf 'PE\0\0\x64\x86\1\0%012d\xf0\0\x22\0\x0b\2%066d\3\0' 0 0 | tr 0 '\0'
		printf '%0300d' 0 | tr 0 '\0'
	} >cmd.exe
	mcopy -i fat.img cmd.exe ::/Windows/System32/
	mcopy -i fat.img cmd.exe ::/Windows/System32/drivers/viostor.sys
	for hive in SOFTWARE SYSTEM SAM; do
		[ ! -e $hive ] || mcopy -i fat.img $hive ::/Windows/System32/config/
	done
	[ ! -e NTUSER.DAT ] || mcopy -i fat.img NTUSER.DAT ::/Users/Ann/
	truncate -s 34M "$1"
	printf 'label: dos\nlabel-id: 0x12345678\nstart=2048,type=c\n' | sfdisk -q "$1"
	dd if=fat.img of="$1" bs=1M seek=1 conv=notrunc status=none
	rm fat.img
}
