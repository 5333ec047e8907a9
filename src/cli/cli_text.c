#include "cli/cli_text.h"

#include "base/jscan.h"
#include "base/mem.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { USUAL_WIDTH = 80, NARROWEST = 20 };

/* The character at p and its length; text is valid UTF-8. */
static unsigned decode(const char *p, size_t *ret_length)
{
	static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned char first = (unsigned char)*p;
	size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	unsigned code = first & masks[length];

	for (size_t i = 1; i < length; i++)
		code = code << 6 | ((unsigned char)p[i] & 0x3f);
	*ret_length = length;
	return code;
}

static bool drives_terminal(unsigned code)
{
	return code < ' ' || (code >= 0x7f && code < 0xa0) ||
	       (code >= 0x2028 && code <= 0x202e) || /* line ends, directions */
	       (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f ||
	       code == 0x061c;
}

char *cli_text_clean(const char *text)
{
	const char *end = text + strlen(text);
	char *clean = mem_zalloc(strlen(text) + 1);
	size_t n = 0;

	while (text < end) {
		size_t length = (unsigned char)*text < 0x80 ? 1 : jscan_utf8(text, end);
		size_t ignored;

		if (length == 0 || drives_terminal(decode(text, &ignored))) {
			clean[n++] = '?';
		} else {
			memcpy(clean + n, text, length);
			n += length;
		}
		text += length ? length : 1;
	}
	return clean;
}

/* The C library's table, whatever the locale of the terminal is. */
static size_t columns_of(unsigned code)
{
	static locale_t unicode;
	static bool asked;
	locale_t before;
	int width;

	if (code < 0x80)
		return 1;
	if (!asked) {
		unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
		asked = true;
	}
	if (!unicode)
		return 1;
	before = uselocale(unicode);
	width = wcwidth((wchar_t)code);
	uselocale(before);
	return width < 0 ? 1 : (size_t)width;
}

size_t cli_text_width(const char *clean)
{
	size_t width = 0, length;

	for (; *clean; clean += length)
		width += columns_of(decode(clean, &length));
	return width;
}

void cli_text_cut_plain(char *clean, size_t columns)
{
	size_t seen = 0, length;

	for (; *clean; clean += length) {
		seen += columns_of(decode(clean, &length));
		if (seen > columns) {
			*clean = '\0';
			return;
		}
	}
}

void cli_text_cut(char *clean, size_t columns)
{
	bool utf8 = cli_text_is_utf8();
	size_t seen = 0, length;
	char *cut = clean; /* where a mark fits in */

	if (cli_text_width(clean) <= columns)
		return;
	while (*clean) {
		seen += columns_of(decode(clean, &length));
		if (seen > columns)
			break;
		if (seen + 1 <= columns)
			cut = clean + length;
		clean += length;
	}
	/* The mark must fit into the bytes that were there, too. */
	if (columns > 1 && utf8 && strlen(cut) >= strlen("…"))
		memcpy(cut, "…", sizeof("…"));
	else if (columns > 1 && !utf8 && *cut)
		memcpy(cut, "~", sizeof("~"));
	else
		*clean = '\0';
}

size_t cli_text_screen_width(void)
{
	const char *told = getenv("COLUMNS");
	struct winsize size;
	unsigned long columns;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col < NARROWEST ? NARROWEST : size.ws_col;
	columns = told ? strtoul(told, NULL, 10) : 0;
	return columns >= NARROWEST && columns < 10000 ? columns : USUAL_WIDTH;
}

bool cli_text_is_utf8(void)
{
	static bool asked;

	if (!asked)
		setlocale(LC_CTYPE, "");
	asked = true;
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}
