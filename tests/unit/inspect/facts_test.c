/* SPDX-License-Identifier: GPL-2.0-or-later */
/* facts_test.c - how guests boot, who can log in, what they start and what they are for: of small trees, and of whole disks. */
#include "testing.h"

#include "alloc.h"
#include "facts.h"
#include "tree.h"

#include <string.h>

static const char *or_dash(const char *s)
{
	return s ? s : "-";
}

/* Everything that was found, a line each. */
static void describe(const struct facts *f, struct strbuf *out)
{
	static const char *const passwords[] = { "unknown", "set", "none", "locked" };

	if (f->bios || f->uefi)
		strbuf_printf(out, "firmware%s%s\n", f->bios ? " bios" : "", f->uefi ? " uefi" : "");
	for (size_t i = 0; i < f->nkernels; i++) {
		const struct kernel *k = &f->kernels[i];

		strbuf_printf(out, "kernel %s%s %s %s %s%s", k->volume ? k->volume : "", k->path, or_dash(k->version),
			      or_dash(k->arch), or_dash(k->format), k->modules ? " modules" : "");
		for (size_t n = 0; n < f->ninitrds; n++)
			if (f->initrds[n].kernel == i)
				strbuf_printf(out, " + %s", f->initrds[n].path);
		strbuf_putc(out, '\n');
	}
	for (size_t n = 0; n < f->ninitrds; n++)
		if (f->initrds[n].kernel == NO_KERNEL)
			strbuf_printf(out, "initrd %s\n", f->initrds[n].path);
	for (size_t i = 0; i < f->nsigns; i++)
		strbuf_printf(out, "%s %s%s: %s\n", f->signs[i].name, f->signs[i].volume ? f->signs[i].volume : "",
			      f->signs[i].path, or_dash(f->signs[i].value));
	for (size_t i = 0; i < f->nlogins; i++) {
		const struct login *u = &f->logins[i];

		strbuf_printf(out, "login %s %u:%u \"%s\" %s %s %s%s\n", u->name, u->uid, u->gid, u->real_name, u->home, u->shell,
			      passwords[u->password], u->ssh_keys ? " keys" : "");
	}
	for (size_t i = 0; i < f->nservices; i++)
		strbuf_printf(out, "%s %s %s %s\n", f->services[i].manager, f->services[i].name, f->services[i].state,
			      or_dash(f->services[i].when));
	for (size_t i = 0; i < f->nmounts; i++)
		strbuf_printf(out, "fstab %s on %s: %s\n", f->mounts[i].spec, f->mounts[i].dir,
			      f->mounts[i].content ? f->mounts[i].content->vol->name : "-");
	for (size_t i = 0; i < f->nwarnings; i++)
		strbuf_printf(out, "warning: %s\n", f->warnings[i]);
	ck_assert(!out->failed);
}

static void tells(const char *script, const char *wanted)
{
	struct guest g = { .vfs = tree(script) };
	struct strbuf text = STRBUF_INIT;
	struct facts f;
	struct os os;
	const struct facts_from from = { .g = &g, .os = &os };

	ok(os_inspect(g.vfs, &os, &e));
	ok(facts_inspect(&from, &f, &e));
	describe(&f, &text);
	ck_assert_msg(strcmp(text.s, wanted) == 0, "%s\ntells\n%s\nand not\n%s", script, text.s, wanted);
	strbuf_free(&text);
	facts_free(&f);
	os_free(&os);
	vfs_free(g.vfs);
}

/* ---- kernels ---- */

/* A function of the shell: NAME becomes a kernel of x86_64 that says it is of version VERSION. */
#define MAKE_KERNEL                                                                                                    \
	"kernel() { head -c 600 /dev/zero >$1; at() { printf \"$2\" | dd of=$f bs=1 seek=$1 conv=notrunc status=none; }\n" \
	"f=$1; at 510 '\\125\\252'; at 514 'HdrS\\014\\002'; at 526 '\\120\\000'; at 529 '\\001'; at 566 '\\001'\n"       \
	"at 592 \"$2 (me@here) #1 SMP\"; }\n"

START_TEST(kernels_are_told_with_their_initrds_the_newest_first)
{
	tells("touch etc/fstab; mkdir -p boot lib/modules/6.1.0-18-amd64\n" MAKE_KERNEL
	      "kernel boot/vmlinuz-6.1.0-9-amd64 6.1.0-9-amd64; kernel boot/vmlinuz-6.1.0-18-amd64 6.1.0-18-amd64\n"
	      "ln -s vmlinuz-6.1.0-18-amd64 boot/vmlinuz; ln -s boot/vmlinuz-6.1.0-18-amd64 vmlinuz; ln -s boot/nowhere "
	      "vmlinuz.old\n"
	      "echo 1 >boot/initrd.img-6.1.0-18-amd64; echo 2 >boot/initrd.img-6.1.0-9-amd64; echo 3 >boot/initrd.img-5.0\n"
	      "echo 4 >boot/initramfs-6.1.0-9-amd64kdump.img; echo 5 >boot/config-6.1.0-9-amd64; mkdir boot/vmlinuz-folder",
	      "kernel /boot/vmlinuz-6.1.0-18-amd64 6.1.0-18-amd64 x86_64 bzImage modules + /boot/initrd.img-6.1.0-18-amd64\n"
	      "kernel /boot/vmlinuz-6.1.0-9-amd64 6.1.0-9-amd64 x86_64 bzImage + /boot/initrd.img-6.1.0-9-amd64\n"
	      "initrd /boot/initrd.img-5.0\n");
}
END_TEST

START_TEST(a_kernel_without_a_version_in_its_name_has_its_own)
{
	tells("touch etc/fstab; mkdir boot lib; " MAKE_KERNEL "kernel boot/vmlinuz-linux 6.9.1-arch1-1\n"
	      "echo 1 >boot/initramfs-linux.img; echo 2 >boot/initramfs-linux-fallback.img",
	      "kernel /boot/vmlinuz-linux 6.9.1-arch1-1 x86_64 bzImage + /boot/initramfs-linux-fallback.img"
	      " + /boot/initramfs-linux.img\n");
}
END_TEST

START_TEST(kernels_lie_beside_their_modules_and_in_entries_of_the_boot_loader)
{
	tells("touch etc/fstab; mkdir -p boot/loader/entries boot/ab/6.5 usr/lib/modules/6.4-x usr/lib/modules/6.5; " MAKE_KERNEL
	      "ln -s usr/lib lib; kernel usr/lib/modules/6.4-x/vmlinuz 6.4-x; ln -s ../usr/lib/modules/6.4-x/vmlinuz "
	      "boot/vmlinuz-6.4-x\n"
	      "kernel boot/ab/6.5/linux 6.5; kernel usr/lib/modules/6.5/vmlinuz 6.5; echo 1 >boot/ab/6.5/initrd\n"
	      "printf 'title T\\nversion 6.5\\nlinux /boot/ab/6.5/linux\\ninitrd /boot/ab/6.5/initrd\\n"
	      "' >boot/loader/entries/a.conf\n"
	      "printf 'linux /../../nowhere\\ninitrd /etc\\n' >boot/loader/entries/b.conf",
	      "kernel /boot/ab/6.5/linux 6.5 x86_64 bzImage modules + /boot/ab/6.5/initrd\n"
	      "kernel /boot/vmlinuz-6.4-x 6.4-x x86_64 bzImage modules\n");
}
END_TEST

/* What the first bytes of a file say; offsets are in the script. */
START_TEST(kernels_of_every_processor_are_known_by_their_headers)
{
	tells("touch etc/fstab; mkdir boot; at() { printf \"$3\" | dd of=boot/$1 bs=1 seek=$2 conv=notrunc status=none; }\n"
	      "at Image-1 0 MZ; at Image-1 56 'ARM\\144'; at Image-1 100 x; at Image-2 56 'RSC\\005'; at Image-2 100 x\n"
	      "at zImage-3 36 '\\030\\050\\157\\001'; at zImage-3 100 x; at vmlinuz-4 0 '\\037\\213'\n"
	      "at uImage-5 0 '\\047\\005\\031\\126'; at uImage-5 29 '\\002'; at uImage-5 32 Linux-5.10.4; at uImage-5 63 "
	      "'\\000'\n"
	      "at vmlinux-6 0 '\\177ELF\\002\\002\\001'; at vmlinux-6 18 '\\000\\025'; at vmlinux-6 100 x\n"
	      "at vmlinuz-7 65544 S390EP; at vmlinuz-8 0 text",
	      "kernel /boot/vmlinuz-8 8 - -\nkernel /boot/vmlinuz-7 7 s390x Image\nkernel /boot/vmlinux-6 6 ppc64 elf\n"
	      "kernel /boot/uImage-5 5.10.4 arm uImage\nkernel /boot/vmlinuz-4 4 - gzip\nkernel /boot/zImage-3 3 arm zImage\n"
	      "kernel /boot/Image-2 2 riscv64 Image\nkernel /boot/Image-1 1 aarch64 Image\n");
}
END_TEST

START_TEST(the_last_part_of_an_initrd_tells_how_it_is_compressed)
{
	static const struct {
		const char *script, *compression;
	} rows[] = {
		{ "printf '\\037\\213\\010\\000\\000\\000' >boot/initrd", "gzip" },
		{ "printf '\\050\\265\\057\\375\\000\\000' >boot/initrd", "zstd" },
		{ "echo bin | cpio -o -H newc -F boot/initrd", "none" },
		{ "cd boot; for i in 1 2 3; do echo $i >$i; done; ls | cpio -o -H newc -F initrd; printf '\\3757zXZ\\000' "
		  ">>initrd", "xz" },
		{ "cd boot; ls / | head -1 >a; ls | cpio -o -H newc -F initrd; head -c 512 /dev/zero >>initrd; "
		  "printf '\\002\\041\\114\\030xx' >>initrd",
		  "lz4" },
		{ "head -c 3000 /dev/zero >boot/initrd", NULL },
		{ "printf 0707 >boot/initrd", NULL },
	};

	if (system("command -v cpio >/dev/null") != 0) /* not everywhere */
		return;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char script[300];
		struct guest g = { .vfs = NULL };
		struct facts f;
		struct os os;
		const struct facts_from from = { .g = &g, .os = &os };

		snprintf(script, sizeof script, "touch etc/fstab; mkdir boot; (%s)", rows[i].script);
		g.vfs = tree(script);
		ok(os_inspect(g.vfs, &os, &e));
		ok(facts_inspect(&from, &f, &e));
		ck_assert_uint_eq(f.ninitrds, 1);
		ck_assert_str_eq(or_dash(f.initrds[0].compression), or_dash(rows[i].compression));
		facts_free(&f);
		os_free(&os);
		vfs_free(g.vfs);
	}
}
END_TEST

START_TEST(other_systems_have_their_kernels_in_their_own_places)
{
	tells("touch etc/fstab etc/freebsd-update.conf; mkdir -p boot/kernel; printf '\\177ELF\\002\\001\\001' "
	      ">boot/kernel/kernel\n"
	      "printf '\\076' | dd of=boot/kernel/kernel bs=1 seek=18 conv=notrunc; truncate -s 100 boot/kernel/kernel; echo x "
	      ">boot/loader",
	      "kernel /boot/kernel/kernel - x86_64 elf\nfreebsd-loader /boot/loader: -\n");
	tells("touch etc/fstab etc/motd bsd bsd.rd", "kernel /bsd - - -\nkernel /bsd.rd - - -\n");
}
END_TEST

/* ---- logins ---- */

START_TEST(who_can_log_in_is_told_and_no_hash_is_kept)
{
	tells("touch etc/fstab; cat >etc/passwd <<'X'\n"
	      "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
	      "ann:x:1000:1000:Ann A,,,:/home/ann:/bin/zsh\n"
	      "bob:x:1001:1001::/home/bob:\nold:$1$abc:1002:100::/:/bin/sh\nopen::1003:100::/:/bin/sh\n"
	      "sync:x:4:65534:sync:/bin:/bin/sync\n"
	      "bad:x:minus:1::/:/bin/sh\nshort:x:5\n+::::::\nX\n"
	      "printf 'ann:$6$salt$hash:19000:0:99999:7:::\\nroot:*:19000::::::\\nbob:!$6$x:1::::::\\nnobody:x\\n' >etc/shadow\n"
	      "mkdir -p home/ann/.ssh; echo key >home/ann/.ssh/authorized_keys; mkdir -p home/bob/.ssh; : "
	      ">home/bob/.ssh/authorized_keys",
	      "login root 0:0 \"root\" /root /bin/bash locked\nlogin ann 1000:1000 \"Ann A\" /home/ann /bin/zsh set keys\n"
	      "login bob 1001:1001 \"\" /home/bob /bin/sh locked\nlogin old 1002:100 \"\" / /bin/sh set\n"
	      "login open 1003:100 \"\" / /bin/sh none\n");
}
END_TEST

START_TEST(the_bsds_have_it_in_one_file)
{
	tells("touch etc/fstab etc/motd; : >bsd; echo 'root:*:0:0:daemon:0:0:Charlie &:/root:/bin/ksh' >etc/master.passwd\n"
	      "echo 'ann:$2b$x:1000:1000::0:0:Ann:/home/ann:/bin/ksh' >>etc/master.passwd; echo 'x:*:1:1::/:/bin/sh' >etc/passwd",
	      "kernel /bsd - - -\nlogin root 0:0 \"Charlie &\" /root /bin/ksh locked\n"
	      "login ann 1000:1000 \"Ann\" /home/ann /bin/ksh set\n");
}
END_TEST

/* ---- services ---- */

START_TEST(what_systemd_is_linked_to_start_is_told)
{
	tells("touch etc/fstab; echo abc >etc/machine-id; mkdir -p usr/lib/systemd; touch usr/lib/systemd/systemd; (mkdir -p "
	      "etc/systemd/system\n"
	      "cd etc/systemd/system; mkdir multi-user.target.wants sockets.target.requires x.target.wants\n"
	      "for u in ssh cron masked; do ln -s /lib/systemd/system/$u.service multi-user.target.wants/; done\n"
	      "ln -s /lib/systemd/system/cron.service x.target.wants/; ln -s /lib/x.socket sockets.target.requires/\n"
	      "ln -s /dev/null masked.service; ln -s /dev/null tmp.mount; ln -s /lib/systemd/system/ssh.service sshd.service)",
	      "systemd-firstboot /etc/machine-id: has run\n"
	      "systemd cron.service enabled multi-user.target\nsystemd cron.service enabled x.target\n"
	      "systemd masked.service masked -\n"
	      "systemd ssh.service enabled multi-user.target\nsystemd tmp.mount masked -\n"
	      "systemd x.socket enabled sockets.target\n");
}
END_TEST

START_TEST(a_system_that_was_never_started_has_what_its_presets_enable)
{
	tells("touch etc/fstab; : >etc/machine-id; mkdir -p usr/lib/systemd/system usr/lib/systemd/system-preset "
	      "etc/systemd/system-preset\n"
	      "touch usr/lib/systemd/systemd; (cd usr/lib/systemd/system; touch sshd.service a.service ab.service other.service "
	      "getty@.service\n"
	      "cd ../system-preset; printf '# x\\nenable sshd.service\\nenable a*\\nenable getty@.service tty1 tty2\\n"
	      "' >90-default.preset\n"
	      "printf 'disable ab.service\\n' >10-first.preset; printf 'enable other.service\\n' >50-hidden.preset\n"
	      "ln -s /dev/null ../../../../etc/systemd/system-preset/50-hidden.preset; echo '' "
	      ">../../../../etc/systemd/system-preset/60.preset)",
	      "systemd-firstboot /etc/machine-id: has not run\n"
	      "systemd a.service preset -\nsystemd getty@.service preset -\nsystemd sshd.service preset -\n");
}
END_TEST

START_TEST(services_of_other_inits_are_told)
{
	tells("touch etc/fstab; mkdir -p sbin etc/runlevels/default etc/runlevels/boot etc/init.d; touch sbin/openrc\n"
	      "ln -s /etc/init.d/sshd etc/runlevels/default/sshd; ln -s /etc/init.d/hwclock etc/runlevels/boot/hwclock",
	      "openrc hwclock enabled boot\nopenrc sshd enabled default\n");
	tells("touch etc/fstab; printf '# id:2:initdefault:\\nid:3:initdefault:\\n"
	      "' >etc/inittab; mkdir -p etc/rc3.d etc/rc2.d etc/rcS.d\n"
	      "touch etc/rc3.d/S20ssh etc/rc3.d/K20off etc/rc3.d/README etc/rc2.d/S20two etc/rcS.d/S01udev",
	      "sysvinit ssh enabled 3\nsysvinit udev enabled S\n");
	tells("touch etc/fstab; mkdir -p sbin etc/init; touch sbin/initctl; printf 'start on x\\nexec y\\n' >etc/init/cron.conf\n"
	      "echo 'exec y' >etc/init/manual.conf",
	      "upstart cron enabled -\n");
	tells("touch etc/fstab; mkdir -p sbin etc/runit/runsvdir/default; touch sbin/runit-init; ln -s /etc/sv/sshd "
	      "etc/runit/runsvdir/default/",
	      "runit sshd enabled -\n");
	tells("touch etc/fstab etc/freebsd-update.conf; printf '%s\\n"
	      "' 'sshd_enable=\"YES\"' 'ntpd_enable=\"NO\"' 'hostname=\"x\"'"
	      " '#a_enable=YES' >etc/rc.conf; echo 'zfs_enable=yes' >etc/rc.conf.local",
	      "rc sshd enabled -\nrc zfs enabled -\n");
	tells("touch etc/fstab etc/motd bsd; echo 'sshd_flags=' >etc/rc.conf; printf '%s\\n' 'httpd_flags=' 'smtpd_flags=NO'"
	      " 'pkg_scripts=\"messagebus  avahi\"' 'ntpd_flags=\"-s\"' >etc/rc.conf.local",
	      "kernel /bsd - - -\nrc avahi enabled -\nrc httpd enabled -\nrc messagebus enabled -\nrc ntpd enabled -\n");
}
END_TEST

/* ---- signs ---- */

START_TEST(boot_loaders_and_roles_are_seen_by_their_files)
{
	tells("touch etc/fstab; mkdir -p boot/grub boot/extlinux boot/efi/EFI/debian boot/efi/EFI/BOOT usr/bin usr/sbin "
	      "etc/selinux etc/default\n"
	      "touch boot/grub/grub.cfg boot/extlinux/extlinux.conf boot/efi/EFI/debian/grubx64.efi "
	      "boot/efi/EFI/debian/shimx64.efi\n"
	      "touch boot/efi/EFI/BOOT/BOOTX64.EFI usr/bin/dockerd usr/bin/qemu-ga usr/bin/cloud-init; mkdir -p "
	      "var/lib/cloud/data\n"
	      "printf '# SELINUX=disabled\\nSELINUX=enforcing\\nSELINUXTYPE=targeted\\n' >etc/selinux/config\n"
	      "printf '#X=\"enforcing=0\"\\nGRUB_CMDLINE_LINUX=\"quiet apparmor=0\"\\n"
	      "' >etc/default/grub; touch usr/sbin/apparmor_parser",
	      "grub2 /boot/grub/grub.cfg: -\nextlinux /boot/extlinux/extlinux.conf: -\n"
	      "efi-fallback /boot/efi/EFI/BOOT/BOOTX64.EFI: -\nshim /boot/efi/EFI/debian/shimx64.efi: -\n"
	      "cloud-init /usr/bin/cloud-init: has not run\nselinux /etc/selinux/config: enforcing\n"
	      "apparmor /usr/sbin/apparmor_parser: disabled\ndocker /usr/bin/dockerd: container host\n"
	      "qemu-guest-agent /usr/bin/qemu-ga: guest agent\n");
	tells("touch etc/fstab etc/.ignition-result.json; mkdir -p var/lib/cloud/data etc/kernel etc/selinux; echo i-1 "
	      ">var/lib/cloud/data/instance-id\n"
	      "echo 'root=x selinux=0' >etc/kernel/cmdline; echo SELINUX=enforcing >etc/selinux/config",
	      "cloud-init /var/lib/cloud/data/instance-id: has run\nignition /etc/.ignition-result.json: has run\n"
	      "selinux /etc/selinux/config: disabled\n");
}
END_TEST

/* ---- what stands in the way ---- */

START_TEST(hostile_files_are_warnings_and_the_rest_is_told)
{
	tells("ln -s loop etc/loop; ln -s loop etc/shadow; truncate -s 10G etc/passwd; truncate -s 10G etc/fstab; mkdir -p "
	      "boot/loader/entries\n"
	      "truncate -s 10G boot/loader/entries/a.conf; ln -s boot boot/boot; ln -s /boot/loader "
	      "boot/loader/entries/loader.conf\n"
	      "mkdir etc/selinux; ln -s /proc/self/mem etc/selinux/config; mkdir -p boot/grub; touch boot/grub/grub.cfg",
	      "grub2 /boot/grub/grub.cfg: -\n"
	      "warning: /boot/loader/entries/a.conf: 10737418240 bytes\n"
	      "warning: /boot/loader/entries/loader.conf: Is a directory\n"
	      "warning: /etc/passwd: 10737418240 bytes\n"
	      "warning: /etc/fstab: 10737418240 bytes\n");
}
END_TEST

/* Folders without end are left after a while, and what was found in them is told. */
START_TEST(a_folder_without_end_is_left)
{
	struct guest g = { .vfs = NULL };
	struct facts f;
	struct os os;
	const struct facts_from from = { .g = &g, .os = &os };
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	struct fs *fs = NULL;

	run("mkdir -p t/etc/runlevels/default t/bin t/sbin t/boot; touch t/etc/fstab t/sbin/openrc t/boot/vmlinuz-1; cd "
	    "t/etc/runlevels/default\n"
	    "seq 40000 | xargs touch; cd ../../../..; mksquashfs t d -quiet -no-progress");
	ok(block_open("d", &how, &b, &e));
	ok(fs_open(b, &fs, &e));
	block_unref(b);
	ok(vfs_new(&g.vfs, &e));
	ok(vfs_mount(g.vfs, fs, "/", &e));
	ok(os_inspect(g.vfs, &os, &e));
	ok(facts_inspect(&from, &f, &e));
	ck_assert_uint_eq(f.nkernels, 1);
	ck_assert_uint_gt(f.nservices, 30000);
	ck_assert_uint_lt(f.nservices, 40000);
	ck_assert_uint_eq(f.nwarnings, 1);
	ck_assert_ptr_nonnull(strstr(f.warnings[0], "/etc/runlevels/default: of its folders no more than"));
	facts_free(&f);
	os_free(&os);
	vfs_free(g.vfs);
}
END_TEST

/* ---- disks ---- */

static void disk_tells(const char *script, const char *wanted)
{
	const struct block_open how = { .format = "raw" };
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	struct block *disk = NULL;
	struct volume_list vols = { 0 };
	struct contents c;
	struct guest g;
	struct facts f;
	struct os os;
	const struct facts_from from = { .c = &c, .disks = &disk, .ndisks = 1, .g = &g, .os = &os };

	run(script);
	ok(block_open("d", &how, &disk, &e));
	ok(volume_scan(disk, 0, &vols, &e));
	ok(contents_scan(&vols, NULL, &c, &e));
	ok(guest_open(&c, false, &g, &e));
	ok(os_inspect(g.vfs, &os, &e));
	ok(facts_inspect(&from, &f, &e));
	describe(&f, &text);
	ck_assert_str_eq(text.s, wanted);
	facts_free(&f);
	os_free(&os);
	guest_free(&g);
	contents_free(&c);
	volume_list_free(&vols);
	block_unref(disk);
}

#define MAKE_ROOT                                                                                                      \
	"mkdir -p r/etc r/bin; printf '%s\\n' 'LABEL=root / ext4 x' 'UUID=none /srv ext4 x' '/dev/vda1 /somewhere vfat x'" \
	" >r/etc/fstab\n"                                                                                              \
	"truncate -s 6M root; mke2fs -q -F -t ext4 -O ^has_journal -L root -d r root\n"

START_TEST(an_esp_that_is_not_mounted_is_looked_into)
{
	disk_tells(MAKE_ROOT "truncate -s 16M d; sgdisk -n 1:2048:+5M -t 1:EF00 -n 2:0:+1M -t 2:EF02 -n 3:0:+6M d\n"
			     "truncate -s 5M esp; mkfs.vfat esp; mmd -i esp ::EFI ::EFI/systemd ::EFI/Linux\n"
			     "echo x >x; mcopy -i esp x ::EFI/systemd/systemd-bootx64.efi; mcopy -i esp x ::EFI/Linux/arch.efi\n"
			     "dd if=esp of=d bs=1M seek=1 conv=notrunc; dd if=root of=d bs=1M seek=7 conv=notrunc\n"
			     "sed -i d r/etc/fstab",
		   "firmware bios uefi\nkernel /dev/sda1/EFI/Linux/arch.efi - - -\n"
		   "systemd-boot /dev/sda1/EFI/systemd/systemd-bootx64.efi: -\n"
		   "fstab LABEL=root on /: /dev/sda3\nfstab UUID=none on /srv: -\nfstab /dev/vda1 on /somewhere: /dev/sda1\n");
}
END_TEST

START_TEST(an_esp_on_an_mbr_disk_and_boot_code_make_both_firmwares)
{
	disk_tells(MAKE_ROOT "truncate -s 16M d; printf 'label: dos\\nstart=2048,size=10240,type=ef\\n"
	"start=12288,size=16384,type=83\\n' |"
			     " sfdisk -q d\n"
			     "printf '\\353\\143LILO' | dd of=d conv=notrunc; dd if=root of=d bs=1M seek=6 conv=notrunc",
		   "firmware bios uefi\nlilo disk 0: boot sector\n"
		   "fstab LABEL=root on /: /dev/sda2\nfstab UUID=none on /srv: -\nfstab /dev/vda1 on /somewhere: /dev/sda1\n");
}
END_TEST

START_TEST(without_boot_code_and_esp_the_firmware_is_not_known)
{
	disk_tells(MAKE_ROOT "truncate -s 16M d; printf 'label: dos\\nstart=12288,size=16384,type=83\\n' | sfdisk -q d\n"
			     "dd if=root of=d bs=1M seek=6 conv=notrunc",
		   "fstab LABEL=root on /: /dev/sda1\nfstab UUID=none on /srv: -\nfstab /dev/vda1 on /somewhere: /dev/sda1\n");
}
END_TEST

/* Flatcar: two volumes for /usr, of which the newer counts, and no word of them in the root. */
START_TEST(the_newer_of_two_volumes_for_usr_is_mounted_there)
{
	const struct block_open how = { .format = "raw" };
	struct block *disk = NULL;
	struct volume_list vols = { 0 };
	struct contents c;
	struct guest g;
	struct os os;

	run("mkdir -p r/etc/flatcar r/root r/home r/usr a/bin a/lib a/share b/bin b/lib b/share; touch "
	"r/etc/flatcar/update.conf\n"
	    "printf 'ID=flatcar\\nVERSION_ID=3815.2.5\\n' >a/lib/os-release; printf 'ID=flatcar\\nVERSION_ID=3900.1.0\\n"
	    "' >b/lib/os-release\n"
	    "truncate -s 32M d; sgdisk -n 1:2048:+4M -n 2:0:+4M -n 3:0:+4M d; at=1\n"
	    "for v in a b r; do truncate -s 4M $v.fs; mke2fs -q -F -t ext4 -O ^has_journal -d $v $v.fs\n"
	    "dd if=$v.fs of=d bs=1M seek=$at conv=notrunc; at=$((at + 4)); done");
	ok(block_open("d", &how, &disk, &e));
	ok(volume_scan(disk, 0, &vols, &e));
	ok(contents_scan(&vols, NULL, &c, &e));
	ok(guest_open(&c, false, &g, &e));
	ck_assert_uint_eq(g.nmounted, 2);
	ck_assert_str_eq(g.mounted[0]->vol->name, "/dev/sda3");
	ck_assert_str_eq(g.mounted[1]->vol->name, "/dev/sda2");
	ok(os_inspect(g.vfs, &os, &e));
	ck_assert_str_eq(os.distro, "flatcar");
	ck_assert_str_eq(os.version_id, "3900.1.0");
	os_free(&os);
	guest_free(&g);
	contents_free(&c);
	volume_list_free(&vols);
	block_unref(disk);
}
END_TEST

TEST_MAIN("facts", the_newer_of_two_volumes_for_usr_is_mounted_there,
	  kernels_are_told_with_their_initrds_the_newest_first, a_kernel_without_a_version_in_its_name_has_its_own,
	  kernels_lie_beside_their_modules_and_in_entries_of_the_boot_loader, kernels_of_every_processor_are_known_by_their_headers,
	  the_last_part_of_an_initrd_tells_how_it_is_compressed, other_systems_have_their_kernels_in_their_own_places,
	  who_can_log_in_is_told_and_no_hash_is_kept, the_bsds_have_it_in_one_file, what_systemd_is_linked_to_start_is_told,
	  a_system_that_was_never_started_has_what_its_presets_enable, services_of_other_inits_are_told,
	  boot_loaders_and_roles_are_seen_by_their_files, hostile_files_are_warnings_and_the_rest_is_told,
	  a_folder_without_end_is_left,
	  an_esp_that_is_not_mounted_is_looked_into, an_esp_on_an_mbr_disk_and_boot_code_make_both_firmwares,
	  without_boot_code_and_esp_the_firmware_is_not_known)
