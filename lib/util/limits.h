/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.h - every cap on what an image may claim, each with its reason.
 *
 * An image that claims more is refused with ERR_LIMIT before anything is allocated for it.
 */
#ifndef DRYDOCK_LIMITS_H
#define DRYDOCK_LIMITS_H

#define KiB (1024ULL)
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define TiB (1024 * GiB)
#define PiB (1024 * TiB)
#define EiB (1024 * PiB)

/* Offsets must fit an off_t with room to round up to any cluster. */
#define LIMIT_IMAGE_SIZE (8 * EiB - 2 * MiB)
/* One request; larger jobs are cut up by the copy engine. */
#define LIMIT_REQUEST (1 * GiB)
/* A chain longer than this is a loop or an accident; QEMU itself runs out of stack near there. */
#define LIMIT_BACKING_DEPTH 200
/* json: names and option strings: nesting of nodes, and their text. */
#define LIMIT_NODE_DEPTH 32
#define LIMIT_JSON_NAME (64 * KiB)
/* qcow2 says a backing file name has at most 1023 bytes. */
#define LIMIT_QCOW2_BACKING_NAME 1023
/* What QEMU itself refuses above (qcow2 specification leaves it open): 32 MiB of L1, 8 MiB of refcount table. */
#define LIMIT_QCOW2_L1_BYTES (32 * MiB)
#define LIMIT_QCOW2_REFTABLE_BYTES (8 * MiB)
#define LIMIT_QCOW2_SNAPSHOTS 65536
/*
 * An L1 table with so many entries, of which so many on average name the same L2 table, claims a disk out of all
 * proportion to the file: who walks it would not come to an end.  Fewer are damage, and can be read.
 */
#define LIMIT_QCOW2_L1_REPEATS_FROM 64
#define LIMIT_QCOW2_L1_REPEATS 8
#define LIMIT_QCOW2_SNAPSHOT_TABLE (16 * MiB)
#define LIMIT_QCOW2_SNAPSHOT_EXTRA 1024
/* What QEMU itself refuses above: the bitmaps of an image, and the directory that lists them. */
#define LIMIT_QCOW2_BITMAPS 65535
#define LIMIT_QCOW2_BITMAP_DIR (64 * MiB)
/* What a check looks at: 2^33 clusters are 512 TiB of 64 KiB, with an index of 48 MiB over their counts. */
#define LIMIT_QCOW2_CHECK_CLUSTERS (1ULL << 33)
/* What a check may hold before it has read anything that explains it; 4 bytes more for each byte of metadata. */
#define LIMIT_QCOW2_CHECK_MEMORY (64 * MiB)
/* L2 tables that a check tells apart: as many as the largest L1 table names, 24 bytes each. */
#define LIMIT_QCOW2_CHECK_L2 (LIMIT_QCOW2_L1_BYTES / 8)
/* Sentences of one check: an image can have millions of errors, and nobody reads them. */
#define LIMIT_CHECK_FINDINGS 20000

/*
 * The window a zstd stream may ask for when it cannot be decompressed in one go: what libzstd's highest usual level (19)
 * asks for.  It is allocated, once for each thread that decompresses.
 */
#define LIMIT_ZSTD_WINDOW_LOG 23

/*
 * The memory that a virtual machine may share with us: mapped, not allocated.  What it may send with one message, and
 * as the table of one request.
 */
#define LIMIT_VHOST_MEMORY (64 * GiB)
#define LIMIT_VHOST_MESSAGE 1024

/*
 * NBD: what a client may ask for or send at once (what QEMU itself refuses above), as an option before that, and how many
 * options; the memory that each thread of a client has for data, and the extents of one answer.
 */
#define LIMIT_NBD_PAYLOAD (32 * MiB)
#define LIMIT_NBD_OPTION (64 * KiB)
#define LIMIT_NBD_OPTIONS 4096
#define LIMIT_NBD_NAME 4096
#define LIMIT_NBD_BUFFER (512 * KiB)
#define LIMIT_NBD_EXTENTS 4096
/* Extents that are looked at for one answer, most of which become one. */
#define LIMIT_NBD_STEPS 65536

/* Clients of one server where the user has set no other limit: four threads each with LIMIT_NBD_BUFFER make 512 MiB. */
#define LIMIT_NBD_CLIENTS 256
/* Exports that a server lists and contexts of one, as far as a client of ours looks. */
#define LIMIT_NBD_LIST 4096
/* Lines of a file of shared keys for TLS. */
#define LIMIT_TLS_KEYS 4096

/* Linux numbers at most 128 GPT partitions by default and 256 minors of a disk; an MBR chain longer than this is a loop. */
#define LIMIT_MBR_LOGICAL 256
/* The UEFI minimum is 128 entries of 128 bytes (16 KiB); sgdisk makes up to 1024.  The array is read whole. */
#define LIMIT_GPT_ENTRIES 4096
#define LIMIT_GPT_ENTRY_SIZE 4096
#define LIMIT_GPT_ARRAY (1 * MiB)

/* What decompressing an .xz block may need: dictionaries of 1 MiB are what filesystems use, 64 MiB what xz -9 makes. */
#define LIMIT_XZ_MEMORY (80 * MiB)

/* Linux takes no more entries of an Apple map; each is read by itself. */
#define LIMIT_MAC_ENTRIES 256

/* Partitions, arrays, logical and encrypted volumes of one guest; each costs an open block. */
#define LIMIT_VOLUMES 8192
/* MD: the kernel reads one page of bad blocks, in each member. */
#define LIMIT_MD_BAD_BLOCKS (4 * KiB)
/* Disks of all zones of a raid0 together: 512 disks of 512 sizes; each is remembered. */
#define LIMIT_MD_ZONE_DISKS (256 * 1024)
/* Blocks of an MD journal that hold nothing, in a row: the kernel writes one after each start. */
#define LIMIT_MD_JOURNAL_EMPTY 64

/* LUKS on LVM on LUKS on MD on a partition is five deep; more is made to hurt. */
#define LIMIT_VOLUME_DEPTH 8
/*
 * Mirrors and arrays with parity in each other: for one read of what is lost, each reads all of its members, so that the reads
 * multiply.  RAID 61 is two deep.
 */
#define LIMIT_VOLUME_ARRAYS 2

/*
 * LVM2.  A metadata area has 1 MiB by default, half of which is one copy of the text: 8 MiB are some ten thousand logical
 * volumes.  The text is held, and as many values of 32 bytes.  All copies of one scan together may have the third.
 */
#define LIMIT_LVM_TEXT (8 * MiB)
#define LIMIT_LVM_VALUES (512 * 1024)
#define LIMIT_LVM_TEXT_TOTAL (256 * MiB)
/* Groups in groups of the text: LVM itself writes 4 deep. */
#define LIMIT_LVM_TEXT_DEPTH 8
/* Physical volumes of one group; each logical volume has a bit for each. */
#define LIMIT_LVM_PVS 1024
/* Logical volumes in each other: a thin snapshot of a volume in a pool on RAID on a volume that is moved is five deep. */
#define LIMIT_LVM_DEPTH 12
/* What the kernel's dm-raid takes at most; a striped volume has no more either. */
#define LIMIT_LVM_LEGS 253
/* B-trees of dm-thin: nodes at least a third full would hold 84^12 blocks. */
#define LIMIT_THIN_DEPTH 12
/* Changed chunks of an old snapshot, 16 bytes each in memory: 8 GiB of the default 4 KiB. */
#define LIMIT_SNAPSHOT_CHUNKS (2 * 1024 * 1024)

/* Linux gives up at 40 symlinks in one path. */
#define LIMIT_SYMLINKS 40
/* PATH_MAX of Linux: a path given to a call, and the target of a symlink. */
#define LIMIT_PATH 4096
/* A walk's depth: as deep as a path of PATH_MAX bytes can name; deeper is made to hurt walkers. */
#define LIMIT_DIR_DEPTH 2048
/* Mounts of one guest: more than any fstab has, and each costs an open filesystem. */
#define LIMIT_MOUNTS 256
/* Entries of one directory that are held at once for sorting and walking: names and numbers, in bytes. */
#define LIMIT_DIR_BYTES (512 * MiB)
/* The value of one extended attribute and the list of names, as Linux limits them. */
#define LIMIT_XATTR_SIZE (64 * KiB)

/* Group descriptors, all of which df adds up: 128 TiB in blocks of 4 KiB. */
#define LIMIT_EXT_GDT_BYTES (64 * MiB)
/* Stretches of free space that a copy leaves out: 32 MiB of memory; with more of them the shortest are copied. */
#define LIMIT_FREE_RANGES (2 * 1024 * 1024)
/* Kernel's depth of an extent tree. */
#define LIMIT_EXT_DEPTH 5
/* e2fsprogs makes journals of at most 10240000 blocks; what a replay remembers of each is 24 bytes. */
#define LIMIT_EXT_JOURNAL_BLOCKS 10240000
#define LIMIT_EXT_PATCHES (4 * 1024 * 1024)
/* Linux limits directories to 2 GiB without large_dir. */
#define LIMIT_EXT_DIR_SIZE (16 * GiB)

/* Each is an open image; what a chunk item in a node of 16 KiB can name is about 500. */
#define LIMIT_BTRFS_DEVICES 1024
/* Subvolumes that are met in one run: their places in a table are a part of the nodes' numbers.  Snapshots go to thousands. */
#define LIMIT_BTRFS_SUBVOLS 65536
/* Of one extent, as it lies on the disk and as it was: what the kernel makes, and all that it reads. */
#define LIMIT_BTRFS_COMPRESSED (128 * KiB)

/* What Windows itself keeps to: a list of a file's attributes, the value of a reparse point. */
#define LIMIT_NTFS_ATTR_LIST (256 * KiB)
#define LIMIT_NTFS_REPARSE (16 * KiB)
/* An index of names: ten million of them. */
#define LIMIT_NTFS_INDEX_SIZE (1 * GiB)

/* ISO 9660: a directory of 100,000 files with long names takes 20 MiB. */
#define LIMIT_ISO_DIR_SIZE (64 * MiB)
/* A file's extents, of up to 4 GiB each. */
#define LIMIT_ISO_EXTENTS 4096

/* squashfs: its owners and fragments are counted in 32 bits; a tool that packs a whole Debian makes some thousands. */
#define LIMIT_SQUASHFS_FRAGMENTS (16 * 1024 * 1024)
/* A directory's listing: names of 65,536 files that are 255 bytes long take 17 MiB. */
#define LIMIT_SQUASHFS_DIR_SIZE (64 * MiB)
/* Bytes of extended attributes of one inode. */
#define LIMIT_SQUASHFS_XATTRS (4 * MiB)

/* The picture of an operating system: those of distributions have some KiB. */
#define LIMIT_ICON_BYTES (1 * MiB)
/* An XML document about a guest that is asked a question: one of 65,000 packages with their descriptions has 40 MiB. */
#define LIMIT_XML_BYTES (256 * MiB)

/* Files that name a system: persons and installers write lines into them. */
#define LIMIT_CONFIG_BYTES (256 * KiB)

/* passwd and shadow of a place with some ten thousand users. */
#define LIMIT_PASSWD_BYTES (4 * MiB)
/* Users that are told; each takes some hundred bytes. */
#define LIMIT_LOGINS 16384
/* Entries of all folders that are looked at for a guest's facts: an ordinary one has a thousand or two. */
#define LIMIT_FACT_ENTRIES 32768
/* And what is read of its files for them, one after the other: four times the largest passwd and shadow. */
#define LIMIT_FACT_KIB (32 * MiB / KiB)
/*
 * Rules of systemd's presets, and files of them: Fedora has some hundred.  Each is held against each unit, which takes Fedora a
 * million steps.
 */
#define LIMIT_PRESETS 2048
#define LIMIT_PRESET_STEPS (1 << 26)
/* Kernels, and initrds, that are told: each costs a look at its head. */
#define LIMIT_KERNELS 256
/* What is read of a kernel to know it: its header, and the version that lies in its first 32 KiB. */
#define LIMIT_KERNEL_HEAD (32 * KiB)
/* Files in the uncompressed beginning of an initrd: microcode is some six. */
#define LIMIT_INITRD_EARLY 64

/*
 * Differences of lines: 48 bytes are held for each line, and what is larger is no text that a person compares.  The work is
 * counted in lines looked at; what is left when it is done is shown as replaced.
 */
#define LIMIT_LINE_DIFF_BYTES (16 * MiB)
#define LIMIT_LINE_DIFF_LINES (1024 * 1024)
#define LIMIT_LINE_DIFF_WORK (32 * MiB)

/* The header of an rpm with the most files is some megabytes. */
#define LIMIT_RPM_HEADER (64 * MiB)
/* SQLite checkpoints at 1000 pages. */
#define LIMIT_SQLITE_WAL_PAGES (1024 * 1024)
/* Of one database: Debian's archive has 65,000. */
#define LIMIT_PACKAGES 1000000

/* A time zone: the largest file of the database has 4 KiB, and some 250 changes. */
#define LIMIT_ZONE_BYTES (64 * KiB)

/* Files of logs of one kind: each costs a little memory as long as the logs are read. */
#define LIMIT_LOG_FILES 16384
/* A line of a text log: syslog daemons cut at 8 KiB, and a longer one is read up to here. */
#define LIMIT_LOG_LINE (64 * KiB)
/* Compressed text becomes ten to a hundred times as large; what is more than that, and more than a little, was made to hurt. */
#define LIMIT_LOG_GROWTH 256ULL
#define LIMIT_LOG_UNPACKED (64 * MiB)
/*
 * The systemd journal.  It takes 1024 fields in an entry itself; one is seldom larger than the 64 KiB that journalctl shows.
 * Fields are shared: what entries give in all is ten times as much as an ordinary file, and a hundred times makes a reader
 * work for minutes.
 */
#define LIMIT_JOURNAL_FIELDS 1024
#define LIMIT_JOURNAL_FIELD (1 * MiB)
#define LIMIT_JOURNAL_ENTRY (4 * MiB)
#define LIMIT_JOURNAL_GROWTH 100ULL
/* Where objects are looked for in a damaged journal: as far as a file is made longer in advance, and again. */
#define LIMIT_JOURNAL_SEEK (16 * MiB)
/* Boots that a journal tells of, 24 bytes each. */
#define LIMIT_JOURNAL_BOOTS 65536

/*
 * Windows event logs.  Their chunks have 64 KiB: 4 GiB of them are more than Windows lets a log grow by itself.  An event fits
 * a chunk, and its XML is some times as large; elements and templates are nested six deep.  What is read and written of a file
 * is some ten bytes for each of its own.
 */
#define LIMIT_EVTX_CHUNKS 65536
/* Windows has some 400 logs; each has a chunk in memory while it is read. */
#define LIMIT_LOG_EVTX_FILES 2048
#define LIMIT_EVTX_EVENT (1 * MiB)
#define LIMIT_EVTX_DEPTH 32
#define LIMIT_EVTX_STEPS 200ULL

/* The format's own: blocks, and directory blocks, of at most 64 KiB; targets of symlinks; directories. */
#define LIMIT_XFS_BLOCK 65536u
#define LIMIT_XFS_LINK 1024
#define LIMIT_XFS_DIR_SIZE (32 * GiB)
/* 2^48 extents in blocks of 1 KiB, none less than half full, take a tree of 10 levels. */
#define LIMIT_XFS_LEVELS 12
/* Kernel's depth of a tree of hashes. */
#define LIMIT_XFS_DA_LEVELS 5
/* Leaves of one inode's attributes, leaves and names of one hash: more than anybody has, as leaves may be linked in a circle. */
#define LIMIT_XFS_LEAVES 65536
/* Groups whose counters are added up: 4 TiB of the smallest, 1 EiB of the largest. */
#define LIMIT_XFS_GROUPS (256 * 1024)
/* 64 inodes of 2 KiB, or a block of the largest. */
#define LIMIT_XFS_INODE_CHUNK (128 * KiB)
/* Kernel's largest log, and twice its largest record. */
#define LIMIT_XFS_LOG (2 * GiB)
#define LIMIT_XFS_RECORD (512 * KiB)
/*
 * What a replay remembers: 24 bytes for each record, 24 for each piece of a buffer and 80 for each inode (after what was logged
 * again and again has become one), and for a while as much again to sort them; 16 for each part of what records cut, 32 for
 * each region of a transaction that is not committed yet.  All together stays near 64 MiB.  More is waiting only in a log of
 * some hundred MiB that was written faster than the disk could follow.
 */
#define LIMIT_XFS_RECORDS (512 * 1024)
#define LIMIT_XFS_PIECES (1024 * 1024)
#define LIMIT_XFS_LOGGED_INODES (192 * 1024)
#define LIMIT_XFS_SPANS (256 * 1024)
#define LIMIT_XFS_REGIONS (512 * 1024)
/* Transactions that are written at once: some dozens, one for each processor at most. */
#define LIMIT_XFS_TRANSACTIONS 1024
/* Announced changes of maps and attributes that are not done: one for each transaction at most. */
#define LIMIT_XFS_INTENTS 4096
/* Steps of looking for both of these, in all: seconds.  A full log of 2 GiB with ten at once takes a tenth of it. */
#define LIMIT_XFS_LOG_STEPS (1ULL << 30)

/* The specification says 65536 entries of 32 bytes; some systems make more of FAT32's. */
#define LIMIT_FAT_DIR_SIZE (64 * MiB)
/* What the specification allows. */
#define LIMIT_EXFAT_DIR_SIZE (256 * MiB)

/* fstab: a person writes it. */
#define LIMIT_FSTAB_BYTES (1 * MiB)
#define LIMIT_FSTAB_LINES 4096

/* A passphrase or key file; cryptsetup reads no more of a key file either. */
#define LIMIT_SECRET (8 * MiB)
/* What somebody types: eight times what cryptsetup takes. */
#define LIMIT_PASSPHRASE 4096
/* LUKS writes 4000 stripes since its first day; the format has room for more. */
#define LIMIT_LUKS_STRIPES 65536
/*
 * What unlocking one header with one passphrase may cost, all tried slots together, in hash computations (HMACs), of which
 * four are as long as a block of Argon2: some minutes.  A slot made for two seconds of a fast processor takes about 20
 * million; none of ours takes more than a tenth of the limit.
 */
#define LIMIT_LUKS_WORK (1ULL << 30)
/* The same for all encrypted volumes of one guest with all keys that are tried on them: honest ones stay far below. */
#define LIMIT_LUKS_GUEST_WORK (4 * LIMIT_LUKS_WORK)
/*
 * Memory of Argon2: cryptsetup by itself takes 1 GiB at most, and it must fit the 4 GiB of address space that a confined
 * command has, beside all else.
 */
#define LIMIT_ARGON2_KIB (2 * GiB / KiB)
/* cryptsetup has 4 at most. */
#define LIMIT_ARGON2_LANES 64
/*
 * LUKS version 2, the JSON of a header: a header has at most 4 MiB by the format.  An ordinary one has some hundred values, four
 * deep; tokens are anybody's.  A value takes less than 200 bytes of memory.
 */
#define LIMIT_LUKS2_HEADER (4 * MiB)
#define LIMIT_LUKS2_JSON_VALUES 16384
#define LIMIT_LUKS2_JSON_DEPTH 32

/* A domain's XML is some kilobytes; libvirt's own messages take 32 MiB.  A bus has room for some hundred disks. */
#define LIMIT_DOMAIN_XML (4 * MiB)
#define LIMIT_DOMAIN_DISKS 1024

/* virt-builder's own index has some hundred KiB. */
#define LIMIT_BUILDER_INDEX (16 * MiB)

/* Runs of data of one file that an archive tells apart: 16 bytes of memory and up to 40 of the archive each. */
#define LIMIT_TAR_RUNS (256 * 1024)

/*
 * A registry hive has its place in the address space.  Those of Windows have up to some 200 MiB after years; a confined command
 * has 4 GiB.
 */
#define LIMIT_HIVE_BYTES (512 * MiB)
/* So much of each is in memory at a time, and what is looked at just now: a key with 10,000 subkeys takes 1 MiB. */
#define LIMIT_HIVE_HELD (4 * MiB)
/* A log of a hive: Windows begins another one after some MiB.  It is read to judge its checksums. */
#define LIMIT_HIVE_LOG_BYTES (256 * MiB)
/* Windows itself allows 512 levels of keys. */
#define LIMIT_HIVE_DEPTH 512
/* Windows allows 255 letters of two bytes. */
#define LIMIT_HIVE_KEY_NAME 512
/* Windows says 1 MiB; a few programs write more.  A value is copied. */
#define LIMIT_HIVE_VALUE (16 * MiB)
/*
 * Keys and values that are looked at through one handle, and 64 bytes of data or of a path as one more: seconds.  A hive of the
 * largest size has 16 Mi cells of the usual 32 bytes, each of which is met once by a walk through all of it.
 */
#define LIMIT_HIVE_STEPS (64 * 1024 * 1024)

/*
 * Changes to a registry: a text of regedit with all of a machine's hive of programs has 200 MiB, one that a person merges some
 * KiB.  A cell of a hive takes so much of a value; larger ones are kept in pieces, which libhivex does not write.
 */
#define LIMIT_REG_TEXT (64 * MiB)
#define LIMIT_REG_EDITS 1000000
#define LIMIT_HIVE_CELL 16344

/* A job that goes through folders calls itself for each: some hundred bytes and a path's length. */
#define LIMIT_TREE_DEPTH 256
/* Paths that keep their SELinux labels, each two words of a program's. */
#define LIMIT_UNLABELLED 100
/* Folders of a medium with drivers for one Windows: the public one has some forty. */
#define LIMIT_MEDIA_FOLDERS 1024
/* Scripts, keys and lists of operations that a guest is customised with: a person writes them. */
#define LIMIT_SCRIPT_BYTES (16 * MiB)

/*
 * What a kernel may write to a filesystem that it only mounts to read, in memory: journals and logs are replayed, of which few
 * are larger and none is full of what must be written.
 */
#define LIMIT_SCRATCH_BYTES (256 * MiB)

/*
 * Journals of changes, and undo files.  A disk that is changed: the map of its blocks has a pointer for each 64 MiB.  The index of
 * one change: 8 bytes for each block of 4 KiB, so that 512 GiB may change at once.  Disks of one transaction; a path of the host.
 */
#define LIMIT_REDO_DISK (256 * TiB)
#define LIMIT_REDO_INDEX (1 * GiB)
#define LIMIT_REDO_DISKS 256
#define LIMIT_REDO_PATH 4096

/*
 * The talk with the appliance.  A body holds 1 MiB of a file and its head; one error sentence of the agent; names of one
 * folder's listing are held a page at a time.
 */
#define LIMIT_PROTO_DATA (1 * MiB)
#define LIMIT_PROTO_BODY (LIMIT_PROTO_DATA + 4 * KiB)
/* A slot for bulk data, and how many there are: 12 MiB of memory, where a file is read and written that is large. */
#define LIMIT_PROTO_SLOT (1 * MiB)
#define LIMIT_PROTO_SLOTS 12
/* Extended attributes of one file, all together, as the agent tells them: Linux allows 64 KiB of names. */
#define LIMIT_PROTO_XATTRS (16 * MiB)
/* Programs that run in the appliance at once; words of one command and its environment, and their bytes. */
#define LIMIT_PROTO_RUNS 8
#define LIMIT_PROTO_WORDS 4096
#define LIMIT_PROTO_WORD (32 * KiB)

/*
 * What an appliance is built from are files of this host and of its packages.  A kernel of Debian has 14 MB and 60 when it is
 * unpacked, one with all its debugging symbols is not taken; the largest module has 10 MB, the largest program 8.
 */
#define LIMIT_KERNEL_IMAGE (256 * MiB)
#define LIMIT_KERNEL_MODULE (64 * MiB)
#define LIMIT_TOOL_FILE (128 * MiB)
/* modules.dep and modules.alias of a full kernel have less than 2 MB, with some 4000 modules. */
#define LIMIT_MODULES_TEXT (16 * MiB)
#define LIMIT_MODULES 65536
/* Soft dependencies of each other: the deepest of today are 4. */
#define LIMIT_MODULES_DEPTH 64
/* Names of one folder of the host that are looked at: /usr/lib's has some thousands. */
#define LIMIT_SOURCE_NAMES 65536
/* Libraries that one program or library names: the most have some 30. */
#define LIMIT_ELF_NEEDED 256
#define LIMIT_ELF_HEADERS 1024
/* Files of the image of tools, libraries and what augtool knows of forms with them: some 600. */
#define LIMIT_TOOL_FILES 8192
/* What QEMU writes of a saved machine besides its memory: some 100 KB with nine disks. */
#define LIMIT_SAVED_STATE (16 * MiB)
/* Text in an appliance's folder that tells what is in it. */
#define LIMIT_APPLIANCE_INFO (1 * MiB)
/* A package for Debian: the largest of kernels has some 70 MB, and its files 400 MB. */
#define LIMIT_DEB_FILES 65536
#define LIMIT_DEB_BYTES (4 * GiB)

/*
 * What is remembered of a source that is far away, of each: the metadata of a disk of some hundred GiB, which is looked at again
 * and again.  What is read ahead, of which no stream gets more than a question's worth.
 */
#define LIMIT_READAHEAD_HELD (16 * MiB)
#define LIMIT_READAHEAD (2 * MiB)
/* What such a source is told that a stream will want next: as much as its idle connections can bring at a time. */
#define LIMIT_READAHEAD_RUN (10 * MiB)
/* Images on a network above each other: each has a process of its own. */
#define LIMIT_REMOTE_DEPTH 16
/* Seconds that a server may take to answer an NBD client: a flush of what it holds in memory is the longest. */
#define LIMIT_NBD_SECONDS 120

/*
 * Editing texts by expressions.  A match of a sane pattern takes some thousand steps; so many take seconds.  A line that
 * comes out, and a file that is edited in memory: both are configuration, not data.
 */
#define LIMIT_REGEX_STEPS (2 * 1000 * 1000)
#define LIMIT_REGEX_MEMORY (64 * MiB)
#define LIMIT_EDIT_FILE (64 * MiB)
/* An expression that a person typed: its bytes, and how deep its parentheses and blocks go. */
#define LIMIT_EDIT_EXPRESSION (64 * KiB)
#define LIMIT_EDIT_DEPTH 32

/*
 * Archives that are read.  A long name, or the pax records of one member: Linux has 64 KiB of names and values of extended
 * attributes, and what else is told is short.
 */
#define LIMIT_TAR_HEADER (1 * MiB)
/* Folders, and links that lead out, of one archive: they are remembered up to its end, some 200 bytes each. */
#define LIMIT_TAR_LATER (1 << 20)

#endif
