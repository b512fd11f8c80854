"""Grouping policies: one file each, found by name.

A policy is a function from a grouping problem and a request to a group number per column. To
add one, put a file into this folder with a function under `@register("name")`.
"""
