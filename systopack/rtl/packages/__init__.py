"""What an accelerator brings along for the tools of others."""
