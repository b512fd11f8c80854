"""Training, joint optimization (docs/method.md, section 2), checkpoints and trained-model files."""
