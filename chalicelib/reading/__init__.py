"""Reads sheets: a file or a recognised picture in, rows for somebody to look at out.

Only the function that reads sheets needs it. Whoever else refers to it imports it inside of a function.
"""

from chalicelib.reading.files import read_file
from chalicelib.reading.rows import corrected, read_rows
from chalicelib.reading.textract import read_answer

__all__ = ["corrected", "read_answer", "read_file", "read_rows"]
