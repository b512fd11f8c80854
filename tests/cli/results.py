"""What a refused command looks like."""


def refused(result, *words):
    """One sentence on stderr, exit code 2, no traceback."""
    code, out, err = result
    assert code == 2, (out, err)
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1, err
    for word in words:
        assert word in err
    return True
