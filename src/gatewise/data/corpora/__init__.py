"""Corpora of handwriting in the folders in which their owners give them out."""

from gatewise.data.corpora.iam import read_iam
from gatewise.data.corpora.iam_ondb import read_iam_ondb
from gatewise.data.corpora.lines import WrittenLine, write_line_manifest

__all__ = ["WrittenLine", "read_iam", "read_iam_ondb", "write_line_manifest"]
