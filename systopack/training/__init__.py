"""Training, joint optimization (METHOD section 2), checkpoints and trained-model files."""
