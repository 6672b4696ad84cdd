/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_table.c - the shell's commands by name, their help, and the names that guestfish has besides. */
#include "shell.h"

#include "alloc.h"

const struct shell_group *const shell_groups[] = {
	&shell_session_group, &shell_image_group,   &shell_settings_group, &shell_own_group,	&shell_mount_group,
	&shell_read_group,    &shell_list_group,    &shell_write_group,	   &shell_copy_group,	&shell_program_group,
	&shell_inspect_group, &shell_volumes_group, &shell_device_group,   &shell_disk_group,	&shell_crypt_group,
	&shell_mounted_group, &shell_augeas_group,  &shell_local_group, NULL,
};

/* What guestfish has, so that what is missing here can be told from what is misspelt. */
static const char peer_names[] =
	"acl-delete-def-file acl-get-file acl-set-file add-cdrom add-domain add-drive add-drive-ro "
	"add-drive-ro-with-if add-drive-scratch add-drive-with-if add-libvirt-dom alloc allocate aug-clear "
	"aug-close aug-defnode aug-defvar aug-get aug-init aug-insert aug-label aug-load aug-ls aug-match "
	"aug-mv aug-rm aug-save aug-set aug-setm aug-transform available available-all-groups base64-in "
	"base64-out blkdiscard blkdiscardzeroes blkid blockdev-flushbufs blockdev-getbsz blockdev-getro "
	"blockdev-getsize64 blockdev-getss blockdev-getsz blockdev-rereadpt blockdev-setra blockdev-setro "
	"blockdev-setrw btrfs-balance-cancel btrfs-balance-pause btrfs-balance-resume btrfs-balance-status "
	"btrfs-device-add btrfs-device-delete btrfs-filesystem-balance btrfs-filesystem-defragment "
	"btrfs-filesystem-resize btrfs-filesystem-show btrfs-filesystem-sync btrfs-image btrfs-qgroup-assign "
	"btrfs-qgroup-create btrfs-qgroup-destroy btrfs-qgroup-limit btrfs-qgroup-remove btrfs-qgroup-show "
	"btrfs-quota-enable btrfs-quota-rescan btrfs-replace btrfs-rescue-chunk-recover "
	"btrfs-rescue-super-recover btrfs-scrub-cancel btrfs-scrub-full btrfs-scrub-resume btrfs-scrub-start "
	"btrfs-scrub-status btrfs-set-seeding btrfs-subvolume-create btrfs-subvolume-delete "
	"btrfs-subvolume-get-default btrfs-subvolume-list btrfs-subvolume-set-default btrfs-subvolume-show "
	"btrfs-subvolume-snapshot btrfstune-enable-extended-inode-refs "
	"btrfstune-enable-skinny-metadata-extent-refs btrfstune-seeding c-pointer canonical-device-name "
	"cap-get-file cap-set-file case-sensitive-path cat checksum checksum-device checksums-out chmod "
	"chown clear-backend-setting clevis-luks-unlock command command-lines command-out "
	"compress-device-out compress-out config copy-attributes copy-device-to-device copy-device-to-file "
	"copy-file-to-device copy-file-to-file copy-in copy-out copy-size cp cp-a cp-r cpio-out "
	"cryptsetup-close cryptsetup-open dd debug debug-upload del-ev delete-event device-index device-name "
	"df df-h disk-create disk-format disk-has-backing-file disk-virtual-size display dmesg download "
	"download-blocks download-inode download-offset drop-caches du e2fsck e2fsck-f echo-daemon edit "
	"egrep egrepi emacs equal event exists extlinux f2fs-expand fallocate64 feature-available fgrep "
	"fgrepi file file-architecture filesize filesystem-available filesystem-walk fill fill-dir "
	"fill-pattern find find-inode find0 findfs-label findfs-partlabel findfs-partuuid findfs-uuid fsck "
	"fstrim get-append get-attach-method get-autosync get-backend get-backend-setting "
	"get-backend-settings get-cachedir get-direct get-e2attrs get-e2generation get-e2label get-e2uuid "
	"get-hv get-identifier get-libvirt-requested-credential-challenge "
	"get-libvirt-requested-credential-defresult get-libvirt-requested-credential-prompt "
	"get-libvirt-requested-credentials get-memsize get-network get-path get-pgroup get-pid get-program "
	"get-qemu get-recovery-proc get-selinux get-smp get-sockdir get-tmpdir get-trace get-umask "
	"get-verbose getcon getxattr getxattrs glob glob-expand grep grepi grub-install head head-n hexdump "
	"hexedit hivex-close hivex-commit hivex-node-add-child hivex-node-children hivex-node-delete-child "
	"hivex-node-get-child hivex-node-get-value hivex-node-name hivex-node-parent hivex-node-set-value "
	"hivex-node-values hivex-open hivex-root hivex-value-key hivex-value-string hivex-value-type "
	"hivex-value-value initrd-cat initrd-list inotify-add-watch inotify-close inotify-files inotify-init "
	"inotify-read inotify-rm-watch inspect-get-arch inspect-get-build-id inspect-get-distro "
	"inspect-get-drive-mappings inspect-get-filesystems inspect-get-hostname inspect-get-icon "
	"inspect-get-major-version inspect-get-minor-version inspect-get-mountpoints inspect-get-osinfo "
	"inspect-get-package-format inspect-get-package-management inspect-get-product-name "
	"inspect-get-product-variant inspect-get-roots inspect-get-type "
	"inspect-get-windows-current-control-set inspect-get-windows-group-policy "
	"inspect-get-windows-software-hive inspect-get-windows-system-hive inspect-get-windows-systemroot "
	"inspect-list-applications inspect-list-applications2 inspect-os internal-test is-blockdev "
	"is-chardev is-config is-dir is-fifo is-file is-lv is-socket is-symlink is-whole-device is-zero "
	"is-zero-device isoinfo isoinfo-device journal-close journal-get journal-get-data-threshold "
	"journal-get-realtime-usec journal-next journal-open journal-set-data-threshold journal-skip "
	"kill-subprocess launch lcd lchown ldmtool-create-all ldmtool-diskgroup-disks ldmtool-diskgroup-name "
	"ldmtool-diskgroup-volumes ldmtool-remove-all ldmtool-scan ldmtool-scan-devices ldmtool-volume-hint "
	"ldmtool-volume-partitions ldmtool-volume-type less lgetxattr lgetxattrs list-applications "
	"list-devices list-disk-labels list-dm-devices list-events list-filesystems list-ldm-partitions "
	"list-ldm-volumes list-md-devices list-partitions ll llz ln ln-f ln-s ln-sf lremovexattr ls ls0 "
	"lsetxattr lstat lstatlist lstatns lstatnslist luks-add-key luks-close luks-format "
	"luks-format-cipher luks-kill-slot luks-open luks-open-ro luks-uuid lvcreate lvcreate-free "
	"lvm-canonical-lv-name lvm-clear-filter lvm-remove-all lvm-scan lvm-set-filter lvremove lvrename "
	"lvresize lvresize-free lvs lvs-full lvuuid lxattrlist man manual max-disks md-create md-detail "
	"md-stat md-stop mkdir mkdir-mode mkdir-p mkdtemp mke2fs mkfifo mkfs mkfs-b mkfs-btrfs mkfs-opts "
	"mklost-and-found mkmountpoint mknod mknod-b mknod-c mksquashfs mkswap mkswap-L mkswap-U mkswap-file "
	"mktemp modprobe more mount mount-9p mount-local mount-local-run mount-loop mount-options mount-ro "
	"mount-vfs mountable-device mountable-subvolume mountpoints mounts mv not nr-devices ntfs-3g-probe "
	"ntfs-chmod ntfscat-i ntfsclone-in ntfsclone-out ntfsfix ntfsresize ntfsresize-opts ntfsresize-size "
	"parse-environment parse-environment-list part-add part-del part-disk part-expand-gpt "
	"part-get-bootable part-get-disk-guid part-get-gpt-attributes part-get-gpt-guid part-get-gpt-type "
	"part-get-mbr-id part-get-mbr-part-type part-get-name part-get-parttype part-init part-list "
	"part-resize part-set-bootable part-set-disk-guid part-set-disk-guid-random part-set-gpt-attributes "
	"part-set-gpt-guid part-set-gpt-type part-set-mbr-id part-set-name part-to-dev part-to-partnum "
	"ping-daemon pread pread-device pvchange-uuid pvchange-uuid-all pvcreate pvremove pvresize "
	"pvresize-size pvs pvs-full pvuuid pwrite pwrite-device read-file read-lines readdir readlink "
	"readlinklist realpath remount removexattr rename reopen resize2fs resize2fs-M resize2fs-size rm "
	"rm-f rm-rf rmdir rmmountpoint rsync rsync-in rsync-out scrub-device scrub-file scrub-freespace "
	"set-append set-attach-method set-autosync set-backend set-backend-setting set-backend-settings "
	"set-cachedir set-direct set-e2attrs set-e2generation set-e2label set-e2uuid set-hv set-identifier "
	"set-label set-libvirt-requested-credential set-libvirt-supported-credentials set-memsize "
	"set-network set-path set-pgroup set-program set-qemu set-recovery-proc set-selinux set-smp "
	"set-tmpdir set-trace set-uuid set-uuid-random set-verbose setcon setenv setfiles setxattr sfdisk "
	"sfdisk-N sfdisk-disk-geometry sfdisk-kernel-geometry sfdisk-l sfdiskM sh sh-lines sh-out shutdown "
	"sleep sparse stat statns statvfs strings strings-e supported swapoff-device swapoff-file "
	"swapoff-label swapoff-uuid swapon-device swapon-file swapon-label swapon-uuid sync syslinux tail "
	"tail-n tar-in tar-out tgz-in tgz-out time touch truncate truncate-size tune2fs tune2fs-l txz-in "
	"txz-out umask umount umount-all umount-local unsetenv upload upload-offset user-cancel utimens "
	"utsname version vfs-label vfs-minimum-size vfs-type vfs-uuid vg-activate vg-activate-all "
	"vgchange-uuid vgchange-uuid-all vgcreate vglvuuids vgmeta vgpvuuids vgremove vgrename vgs vgs-full "
	"vguuid vi wait-ready wc-c wc-l wc-w wipefs write write-append xfs-admin xfs-growfs xfs-info "
	"xfs-info2 xfs-repair yara-destroy yara-load yara-scan zegrep zegrepi zero zero-device "
	"zero-free-space zerofree zfgrep zfgrepi zfile zgrep zgrepi";

/* Is it one of the words of a text? */
static bool among(const char *name, const char *words)
{
	const size_t len = strlen(name);

	while (*(words += strspn(words, " "))) {
		const size_t n = strcspn(words, " ");

		if (n == len && memcmp(words, name, n) == 0)
			return true;
		words += n;
	}
	return false;
}

bool shell_peer_has(const char *name)
{
	return among(name, peer_names);
}

const struct shell_command *shell_find(const char *name)
{
	char dashed[64];
	size_t len = 0;

	/* The names of the library's calls do as well. */
	for (; len < sizeof dashed - 1 && name[len]; len++)
		dashed[len] = (char)(name[len] == '_' ? '-' : name[len]);
	dashed[len] = '\0';
	for (size_t g = 0; shell_groups[g] && !name[len]; g++) {
		for (size_t i = 0; i < shell_groups[g]->n; i++) {
			const struct shell_command *cmd = &shell_groups[g]->commands[i];

			if (strcmp(dashed, cmd->name) == 0 || (cmd->aliases && among(dashed, cmd->aliases)))
				return cmd;
		}
	}
	return NULL;
}

void shell_help(struct shell *s, const struct shell_command *cmd)
{
	CLEANUP(strbuf_free) struct strbuf form = STRBUF_INIT;

	shell_form(cmd, &form);
	shell_printf(s, "NAME\n    %s - %s\n\nSYNOPSIS\n     %s\n\n", cmd->name, cmd->help, form.s);
	if (cmd->aliases)
		shell_printf(s, "    Also called: %s\n\n", cmd->aliases);
	if (cmd->needs & SHELL_WRITES)
		shell_printf(s, s->peer ? "    In a session that only reads (--ro) it is thrown away.\n\n"
					: "    Not in a session that only reads (--ro).\n\n");
}

void shell_list_commands(struct shell *s)
{
	for (size_t g = 0; shell_groups[g]; g++) {
		shell_printf(s, "%s%s\n", g ? "\n" : "", shell_groups[g]->title);
		for (size_t i = 0; i < shell_groups[g]->n; i++)
			shell_printf(s, "  %-28s %s\n", shell_groups[g]->commands[i].name,
				     shell_groups[g]->commands[i].help);
	}
}
