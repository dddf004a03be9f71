"""The report of a privacy evaluation: one JSON for programs, one CSV for spreadsheets, one page for people."""
