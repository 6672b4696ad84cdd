/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "type_name.h"

#include "alloc.h"

struct mbr_name {
	uint8_t type;
	const char *name;
};
struct gpt_name {
	const char *uuid, *name;
};

static const struct mbr_name mbr_names[] = {
	{ 0x01, "FAT12" },
	{ 0x04, "FAT16 under 32 MB" },
	{ 0x05, "extended" },
	{ 0x06, "FAT16" },
	{ 0x07, "NTFS or exFAT" },
	{ 0x0b, "FAT32" },
	{ 0x0c, "FAT32 (LBA)" },
	{ 0x0e, "FAT16 (LBA)" },
	{ 0x0f, "extended (LBA)" },
	{ 0x11, "hidden FAT12" },
	{ 0x14, "hidden FAT16 under 32 MB" },
	{ 0x16, "hidden FAT16" },
	{ 0x17, "hidden NTFS" },
	{ 0x1b, "hidden FAT32" },
	{ 0x1c, "hidden FAT32 (LBA)" },
	{ 0x1e, "hidden FAT16 (LBA)" },
	{ 0x27, "Windows recovery" },
	{ 0x42, "Windows dynamic disk" },
	{ 0x82, "Linux swap" },
	{ 0x83, "Linux" },
	{ 0x85, "Linux extended" },
	{ 0x8e, "Linux LVM" },
	{ 0xa5, "FreeBSD" },
	{ 0xa6, "OpenBSD" },
	{ 0xa8, "macOS UFS" },
	{ 0xa9, "NetBSD" },
	{ 0xaf, "macOS HFS+" },
	{ 0xbe, "Solaris boot" },
	{ 0xbf, "Solaris" },
	{ 0xea, "Linux extended boot" },
	{ 0xee, "GPT protective" },
	{ 0xef, "EFI system" },
	{ 0xfd, "Linux RAID" },
};

/* UEFI specification 5.3.3, the Discoverable Partitions Specification, and what the systems' own tools document. */
static const struct gpt_name gpt_names[] = {
	{ "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system" },
	{ "21686148-6449-6e6f-744e-656564454649", "BIOS boot" },
	{ "024dee41-33e7-11d3-9d69-0008c781f39f", "MBR partition scheme" },
	{ "0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux filesystem" },
	{ "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "Linux swap" },
	{ "e6d6d379-f507-44c2-a23c-238f2a3df928", "Linux LVM" },
	{ "a19d880f-05fc-4d3b-a006-743f0f84911e", "Linux RAID" },
	{ "ca7d7ccb-63ed-4c53-861c-1742536059cc", "Linux LUKS" },
	{ "933ac7e1-2eb4-4f13-b844-0e14e2aef915", "Linux home" },
	{ "3b8f8425-20e0-4f3b-907f-1a25a76f98e8", "Linux srv" },
	{ "4d21b016-b534-45c2-a9fb-5c16e091fd2d", "Linux var" },
	{ "7ec6f557-3bc5-4aca-b293-16ef5df639d1", "Linux var/tmp" },
	{ "bc13c2ff-59e6-4262-a352-b275fd6f7172", "Linux extended boot" },
	{ "8da63339-0007-60c0-c436-083ac8230908", "Linux reserved" },
	{ "44479540-f297-41b2-9af7-d131d5f0458a", "Linux root (x86)" },
	{ "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "Linux root (x86-64)" },
	{ "69dad710-2ce4-4e3c-b16c-21a1d49abed3", "Linux root (ARM)" },
	{ "b921b045-1df0-41c3-af44-4c6f280d3fae", "Linux root (ARM 64)" },
	{ "72ec70a6-cf74-40e6-bd49-4bda08e8f224", "Linux root (RISC-V 64)" },
	{ "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Windows basic data" },
	{ "e3c9e316-0b5c-4db8-817d-f92df00215ae", "Windows reserved" },
	{ "de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery" },
	{ "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", "Windows dynamic disk metadata" },
	{ "af9b60a0-1431-4f62-bc68-3311714a69ad", "Windows dynamic disk data" },
	{ "e75caf8f-f680-4cee-afa3-b001e56efc2d", "Windows storage spaces" },
	{ "83bd6b9d-7f41-11dc-be0b-001560b84f0f", "FreeBSD boot" },
	{ "516e7cb4-6ecf-11d6-8ff8-00022d09712b", "FreeBSD data" },
	{ "516e7cb5-6ecf-11d6-8ff8-00022d09712b", "FreeBSD swap" },
	{ "516e7cb6-6ecf-11d6-8ff8-00022d09712b", "FreeBSD UFS" },
	{ "516e7cba-6ecf-11d6-8ff8-00022d09712b", "FreeBSD ZFS" },
	{ "824cc7a0-36a8-11e3-890a-952519ad3f61", "OpenBSD data" },
	{ "48465300-0000-11aa-aa11-00306543ecac", "macOS HFS+" },
	{ "7c3457ef-0000-11aa-aa11-00306543ecac", "macOS APFS" },
	{ "6a898cc3-1dd2-11b2-99a6-080020736631", "ZFS" },
	{ "9d275380-40ad-11db-bf97-000c2911d1b8", "VMware ESX diagnostics" },
	{ "aa31e02a-400f-11db-9590-000c2911d1b8", "VMware ESX VMFS" },
	{ "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6", "ChromeOS user data" },
	{ "fe3a2a5d-4f32-41a7-b725-accc3285a309", "ChromeOS kernel" },
	{ "3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec", "ChromeOS root" },
};

const char *volume_mbr_type_name(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(mbr_names); i++)
		if (mbr_names[i].type == type)
			return mbr_names[i].name;
	return NULL;
}

const char *volume_gpt_type_name(const char *uuid)
{
	for (size_t i = 0; i < ARRAY_LEN(gpt_names); i++)
		if (strcmp(gpt_names[i].uuid, uuid) == 0)
			return gpt_names[i].name;
	return NULL;
}
