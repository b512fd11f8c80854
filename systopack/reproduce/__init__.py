"""The paper's tables and figures made anew, beside ours: `systopack reproduce`."""
