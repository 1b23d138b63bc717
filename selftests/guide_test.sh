#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# doc_test.sh for the guide of policy authors.
here=$(cd "$(dirname "$0")" && pwd -P)
exec "$here/doc_test.sh" \
	"$here/../kernel/src/Documentation/userspace-api/memgate-policy.rst"
