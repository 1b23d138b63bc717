// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The words of a command line, taken from the front. */
#include <string.h>

#include "cmd.h"

const char *next_word(struct words *w)
{
	if (!w->nr)
		return NULL;
	w->nr--;
	return *w->word++;
}

bool take_word(struct words *w, const char *word)
{
	if (!w->nr || strcmp(*w->word, word))
		return false;
	next_word(w);
	return true;
}

int no_more_words(const struct words *w)
{
	return report_usage("unexpected word '%s'", *w->word);
}
