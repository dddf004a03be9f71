"""The report of an evaluation: one JSON for programs, one CSV for spreadsheets, one page for people."""
