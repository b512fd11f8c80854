"""The tiled accelerator on a feature memory with row words: places, schedules, plan and cycles."""
