#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# doc_test.sh for the manual pages of the library and the command.
here=$(cd "$(dirname "$0")" && pwd -P)
exec "$here/doc_test.sh" "$here"/../loader/man/*.rst
