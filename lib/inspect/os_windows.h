/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* os_windows.h - what a registry tells of a Windows beyond the facts that every system has. */
#ifndef DRYDOCK_OS_WINDOWS_H
#define DRYDOCK_OS_WINDOWS_H

#include "guest.h"
#include "os.h"

/* A letter as the mount manager keeps it: a place on a disk with an MBR, or a partition's GUID. */
struct os_drive {
	char letter;
	bool gpt;
	uint32_t mbr_id;
	uint64_t off;
	uint8_t guid[16]; /* in text order */
};

/* A service or driver that Windows knows; texts of tables, or freed with it. */
struct os_service {
	char *name;
	unsigned start; /* 0 boot, 1 system, 2 automatic, 3 on demand, 4 disabled */
	bool file;	/* a driver's file is there */
};

struct os_account {
	char *name;
	uint32_t rid; /* the last number of its SID */
	bool disabled;
};

enum os_flag { OS_UNKNOWN, OS_OFF, OS_ON };

struct os_windows {
	char *systemroot;	  /* "/Windows" */
	char *control_set;	  /* what CurrentControlSet is: "ControlSet001" */
	char *software_hive, *system_hive; /* files of the guest */
	char *edition;		  /* "Professional" */
	char *display_version;	  /* "22H2" */
	char *service_pack;	  /* "Service Pack 3" */
	uint64_t update_revision; /* behind the build; 0: not known */
	int64_t install_time;	  /* seconds since 1970; 0: not known */
	enum os_flag group_policy;
	enum os_flag firewall_domain, firewall_private, firewall_public;
	struct os_drive *drives;
	size_t ndrives;
	struct os_service *virtio; /* drivers for what a virtual machine offers */
	size_t nvirtio;
	struct os_service *services; /* programs that start by themselves */
	size_t nservices;
	struct os_account *accounts; /* of the machine itself */
	size_t naccounts;
};

/* os_windows_lists.c: drive letters, drivers, services, accounts.  What cannot be read is a warning. */
struct registry;
int os_windows_lists(struct registry *r, struct vfs *v, struct os *o, struct err *e);
/* What could not be read becomes a warning: 0, or < 0 when memory is out. */
int os_windows_failed(struct os *o, const struct err *why, struct err *e);

/* Which volume a letter is; NULL: none of those that are there. */
const struct content *os_drive_volume(const struct os_drive *d, const struct contents *c);

#endif
