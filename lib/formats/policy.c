/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy.h"

#include "alloc.h"
#include "uri.h"

#include <errno.h>
#include <limits.h>

/* Is path the folder (or file) `top` itself, or beneath it?  Both are real paths. */
static bool is_beneath(const char *path, const char *top)
{
	size_t len = strlen(top);

	if (strcmp(top, "/") == 0)
		return true;
	return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool allowed_by_name(const struct block_policy *p, const char *real)
{
	for (size_t i = 0; i < p->nallowed; i++) {
		CLEANUP(free_ptr) char *top = realpath(p->allowed[i], NULL);
		if (top && is_beneath(real, top))
			return true;
	}
	return false;
}

int policy_admit(const struct block_policy *p, const char *image_path, const char *named_path, char **out,
		 struct err *e)
{
	CLEANUP(free_ptr) char *real = NULL;
	CLEANUP(free_ptr) char *image = NULL;
	char *slash;

	if (p->allow_all) {
		*out = alloc_strdup(named_path);
		return *out ? 0 : err_nomem(e);
	}
	if (image_path && uri_scheme(image_path))
		return err_set(e, ERR_POLICY, "an image that lies on a network names %s, a file of this host", named_path);
	real = realpath(named_path, NULL);
	if (!real)
		return err_sys(e, errno, "%s", named_path);
	if (!p->allow_none && image_path) {
		image = realpath(image_path, NULL);
		if (!image)
			return err_sys(e, errno, "%s", image_path);
		slash = strrchr(image, '/');
		/* The root folder holds everything, so being there allows nothing. */
		if (slash && slash != image) {
			*slash = '\0';
			if (is_beneath(real, image)) {
				*out = take(real);
				return 0;
			}
		}
	}
	if (!allowed_by_name(p, real))
		return err_set(e, ERR_POLICY, "the image names %s, which is outside of its folder; allow it by name if it is "
			       "trusted", real);
	*out = take(real);
	return 0;
}

/* The folder of an address, with the "/" at its end; free() it.  NULL: it has none, or memory is out. */
static char *folder_of_address(const char *address)
{
	size_t scheme = uri_scheme(address), len = strcspn(address, "?#");

	while (len > scheme + 3 && address[len - 1] != '/')
		len--;
	return len > scheme + 3 ? alloc_strndup(address, len) : NULL;
}

int policy_admit_address(const struct block_policy *p, const char *image, const char *address, struct err *e)
{
	CLEANUP(free_ptr) char *own = image && uri_scheme(image) ? folder_of_address(image) : NULL;

	if (p->allow_all || (own && !p->allow_none && uri_is_beneath(address, own)))
		return 0;
	for (size_t i = 0; i < p->nallowed; i++)
		if (uri_is_beneath(address, p->allowed[i]))
			return 0;
	return err_set(e, ERR_POLICY, "the image names %s, and no image reaches the network by itself; allow it by name if it is "
		       "trusted", address);
}
