"""Invented data of a car parts and service business: seed rows, CSV exports with dirt, live traffic."""
