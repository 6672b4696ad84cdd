# SPDX-License-Identifier: GPL-2.0-or-later
# An EFI system partition where guests have it: in /etc/fstab, by its serial number, below /boot.
load helpers

setup()
{
	make_folder
	requires mke2fs sfdisk mkfs.fat mcopy
	mkdir -p gt/etc gt/bin gt/usr gt/boot/efi esp/EFI/BOOT
	printf 'UUID=aaaaaaaa-1111-2222-3333-444444444444 / ext4 defaults 0 1\nUUID=1234-ABCD /boot/efi vfat umask=0077 0 1\n' >gt/etc/fstab
	echo 'ID=debian' >gt/etc/os-release
	echo loader >esp/EFI/BOOT/BOOTX64.EFI
	echo 'search --set=root' >esp/EFI/BOOT/grub.cfg
	mke2fs -q -t ext4 -d gt -U aaaaaaaa-1111-2222-3333-444444444444 root.fs 8M
	truncate -s 40M esp.fs
	mkfs.fat -F 32 -s 1 -n ESP -i 1234abcd esp.fs >/dev/null
	mcopy -s -i esp.fs esp/EFI ::
	truncate -s 64M g.img
	sfdisk -q g.img <<-END
		label: gpt
		start=2048,size=81920,type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B,name=esp
		start=83968,size=16384,type=0FC63DAF-8483-4772-8E79-3D69D8477DE4,name=root
	END
	dd if=esp.fs of=g.img bs=512 seek=2048 conv=notrunc status=none
	dd if=root.fs of=g.img bs=512 seek=83968 conv=notrunc status=none
}

@test "the EFI system partition of fstab is mounted and read" {
	[ "$(drydock cat g.img:/boot/efi/EFI/BOOT/grub.cfg)" = "search --set=root" ]
	drydock ls -lR g.img:/boot >out
	grep -q 'BOOTX64.EFI$' out
	drydock df g.img >out
	grep -q '/boot/efi$' out
	drydock volumes g.img >out
	grep -q '^/dev/sda1 .*vfat.*ESP.*1234-ABCD' out
}

@test "names of the EFI system partition are found in any case" {
	[ "$(drydock cat g.img:/boot/efi/efi/boot/bootx64.efi)" = loader ]
	run ! drydock cat g.img:/BOOT/efi/EFI/BOOT/BOOTX64.EFI
}

@test "files are copied out of a FAT filesystem as they are" {
	drydock cp -R esp.fs:/EFI .
	diff -r EFI esp/EFI
}
