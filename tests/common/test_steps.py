"""Steps of a long command: plain lines now and then off a terminal, without control characters."""

from harness.common.steps import shown_steps


def test_off_a_terminal_a_line_is_written_now_and_then(capsys):
    now = [0.0]
    with shown_steps("packing", lambda: now[0]) as say:
        for second in range(25):
            now[0] = float(second)
            say(f"step {second}\x1b[2J")
    assert capsys.readouterr().err.splitlines() == ["step 10\\x1b[2J", "step 20\\x1b[2J"]
