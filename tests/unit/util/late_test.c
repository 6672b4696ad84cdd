/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "late.h"

#include "testing.h"

#include <dlfcn.h>

#define LIBM "libm.so.6"

START_TEST(a_library_is_loaded_with_all_that_is_asked_for)
{
	double (*root)(double) = NULL, (*power)(double, double) = NULL;
	const struct late_symbol symbols[] = { { "sqrt", &root }, { "pow", &power } };
	const char *missing = "";
	void *library = late_load(LIBM, RTLD_LOCAL, symbols, 2, &missing);

	ck_assert_ptr_nonnull(library);
	ck_assert_ptr_null(missing);
	ck_assert(root(81) == 9 && power(2, 10) == 1024);
	dlclose(library);
}
END_TEST

START_TEST(what_it_lacks_is_named)
{
	void *root = NULL, *none = NULL;
	const struct late_symbol symbols[] = { { "sqrt", &root }, { "a_function_of_nobody", &none } };
	const char *missing = NULL;

	ck_assert_ptr_null(late_load(LIBM, RTLD_LOCAL, symbols, 2, &missing));
	ck_assert_str_eq(missing, "a_function_of_nobody");
	ck_assert_ptr_null(none);
	ck_assert_str_eq(late_find(RTLD_DEFAULT, symbols + 1, 1), "a_function_of_nobody");
}
END_TEST

START_TEST(a_library_that_is_not_there_lacks_nothing)
{
	const char *missing = "";

	ck_assert_ptr_null(late_load("libof.nobody.so.0", RTLD_LOCAL, NULL, 0, &missing));
	ck_assert_ptr_null(missing);
}
END_TEST

TEST_MAIN("late", a_library_is_loaded_with_all_that_is_asked_for, what_it_lacks_is_named, a_library_that_is_not_there_lacks_nothing)
