"""The platform under load, killed again and again, and compared with its sources at the end."""
