// SPDX-License-Identifier: GPL-2.0-or-later
/* From a result file to a report file (see report.h). */
#include "lab/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/report_data.h"
#include "lab/report_page.h"
#include "lab/util.h"

/* Another name first, so that an older report stays whole until the new one is. */
static int replace_file(const char *path, const char *text)
{
	char fresh[LAB_PATH_MAX];
	struct stat st;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return file_write(path, text);
	lab_format(fresh, sizeof(fresh), "%s.%ld.new", path, (long)getpid());
	if (file_write(fresh, text)) {
		unlink(fresh);
		return -1;
	}
	if (!rename(fresh, path))
		return 0;
	lab_error("cannot write %s: %s", path, strerror(errno));
	unlink(fresh);
	return -1;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int report_write(const char *result, const char *html_path)
{
	struct report r;
	struct strbuf page = { 0 };
	int rc;

	if (same_file(result, html_path))
		return lab_error("the report would overwrite the result %s", result);
	if (report_read(&r, result))
		return -1;
	report_page(&page, &r);
	rc = replace_file(html_path, page.s);
	strbuf_free(&page);
	report_free(&r);
	return rc;
}

void report_beside(char out[static LAB_PATH_MAX], const char *result)
{
	size_t len = strlen(result);

	if (len > 5 && !strcmp(result + len - 5, ".json"))
		len -= 5;
	lab_format(out, LAB_PATH_MAX, "%.*s.html", (int)len, result);
}
