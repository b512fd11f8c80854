"""Systolic arrays as checked values, and exact models of what they do in how many cycles."""
