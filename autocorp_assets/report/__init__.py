"""The report for a manager: what was read (model), what it means (verdict), how it is shown (page)."""
