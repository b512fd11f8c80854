"""The single-file HTML report: figures, pictures and tables of numbers that others computed."""
