// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The words of a command line, taken from the front.
 *
 * Keywords are those that stand in lower case in the command's usage; they may
 * be shortened as long as they are unambiguous there.
 */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "cmd.h"

const char *next_word(struct words *w)
{
	if (!w->nr)
		return NULL;
	w->nr--;
	return *w->word++;
}

/* How many letters two words differ in, for "did you mean". */
static int distance(const char *a, const char *b)
{
	int row[32], diag, up, i, j;
	int la = strlen(a), lb = strlen(b);

	if (la > 31 || lb > 31)
		return 99;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		diag = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			up = row[j];
			row[j] = diag + (a[i - 1] != b[j - 1]);
			if (up + 1 < row[j])
				row[j] = up + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diag = up;
		}
	}
	return row[lb];
}

void guess_begin(struct guess *g, const char *word)
{
	size_t len = strlen(word);

	memset(g, 0, sizeof(*g));
	g->word = word;
	/* One letter of two is no likeness; fewer than this differ. */
	g->distance = len < 3 ? 1 : len < 5 ? 2 : 3;
}

/* A word that can stand here; the same one may come twice. */
void guess_word(struct guess *g, const char *s, size_t len)
{
	size_t used = strlen(g->starts), wanted = strlen(g->word);
	char word[32];
	int d;

	if (len >= sizeof(word) || g->exact)
		return;
	memcpy(word, s, len);
	word[len] = '\0';
	if (wanted && !strncmp(word, g->word, wanted)) {
		g->exact = len == wanted;
		if (g->exact || !g->found || g->len != len ||
		    strncmp(g->found, s, len)) {
			snprintf(g->starts + used, sizeof(g->starts) - used,
				 "%s%s", used ? ", " : "", word);
			g->nr_starts++;
		}
		g->found = s;
		g->len = len;
	}
	d = distance(word, g->word);
	if (d < g->distance) {
		g->distance = d;
		strcpy(g->near, word);
	}
}

/* The word that is meant; NULL if there is none or more than one. */
const char *guess_found(const struct guess *g)
{
	return g->exact || g->nr_starts == 1 ? g->found : NULL;
}

/* Keywords begin with a small letter and stand alone: not K=V, not 2M. */
static void guess_keyword(struct guess *g, const struct words *w)
{
	static const char between[] = " []{}|.";
	const char *p = w->grammar;
	size_t len;

	guess_begin(g, *w->word);
	for (; *p; p += len) {
		p += strspn(p, between);
		len = strcspn(p, between);
		if (len && islower((unsigned char)*p))
			guess_word(g, p, len);
	}
}

/* Whether the next word is one that the command knows. */
bool at_keyword(const struct words *w)
{
	struct guess g;

	if (!w->nr)
		return false;
	guess_keyword(&g, w);
	return guess_found(&g);
}

bool take_word(struct words *w, const char *word)
{
	const char *found;
	struct guess g;

	if (!w->nr)
		return false;
	if (strcmp(*w->word, word)) {
		guess_keyword(&g, w);
		found = guess_found(&g);
		if (!found || g.len != strlen(word) ||
		    strncmp(found, word, g.len))
			return false;
	}
	next_word(w);
	return true;
}

/* The next word is not one that can stand here. */
int no_more_words(const struct words *w)
{
	struct guess g;

	guess_keyword(&g, w);
	if (g.nr_starts > 1 && !g.exact)
		return report_usage("'%s' is ambiguous: %s", *w->word,
				    g.starts);
	if (*g.near && !g.exact)
		return report_usage("unexpected word '%s', did you mean '%s'?",
				    *w->word, g.near);
	return report_usage("unexpected word '%s'", *w->word);
}

/* A word is wanted: say so, or what is wrong with the one that is there. */
int wrong_word(const struct words *w, const char *fmt, ...)
{
	char text[256];
	struct guess g;
	va_list args;

	if (w->nr) {
		guess_keyword(&g, w);
		if (!g.exact && (*g.near || g.nr_starts > 1))
			return no_more_words(w);
	}
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (w->nr)
		return report_usage("%s; '%s' is unexpected", text, *w->word);
	return report_usage("%s", text);
}
