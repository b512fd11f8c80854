"""Folders that are whole or not there: what users get, what is kept for later, where tools work."""
