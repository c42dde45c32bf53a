# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root rights by a sudo that asks for a password, with a program in its place."""

from __future__ import annotations

import contextlib
import io
import os
import typing as t
from pathlib import Path

import pytest
from ansible.plugins.loader import become_loader
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused
from ansible_collections.bakehouse.images.plugins.plugin_utils import _sudo_transport
from ansible_collections.bakehouse.images.plugins.plugin_utils._become_dialogue import Dialogue
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host import BuildHost
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import LocalTransport, Transport

from tests.waiting import eventually

PASSWORD = "sesame 'open'"

# As sudo -S: it reads one line, byte by byte, and leaves the rest to the command.
ASKS = f"""#!/bin/sh
{{ tr '\\0' ' ' < /proc/$$/cmdline; env; }} >> "$0.seen"
while :; do
  case $1 in -p) prompt=$2; shift 2 ;; -u) shift 2 ;; -*) shift ;; *) break ;; esac
done
echo "We trust you have received the usual lecture." >&2
printf %s "$prompt" >&2
IFS= read -r answer
if [ "$answer" != "{PASSWORD}" ]; then
  echo "Sorry, try again." >&2
  printf %s "$prompt" >&2
  IFS= read -r answer || echo "sudo: no password was provided" >&2
  exit 1
fi
exec "$@"
"""
ASKS_NOTHING = ASKS.replace('printf %s "$prompt" >&2\nIFS= read -r answer\n', f'answer="{PASSWORD}"\n', 1)
REFUSES = "#!/bin/sh\necho 'builder is not in the sudoers file.' >&2\nexit 1\n"
HANGS = "#!/bin/sh\nexec sleep 47162\n"


@pytest.fixture
def sudo(tmp_path: Path) -> Path:
    path = tmp_path / "sudo"
    path.write_text(ASKS)
    path.chmod(0o755)
    return path


def reached_by(sudo: Path, password: str = PASSWORD, wrapper: t.Sequence[str] = ()) -> Transport:
    variables = {"ansible_become_password": password}
    return BuildHost(become=True, become_exe=str(sudo), variables=variables).to_transport(wrapper)


def is_running(number: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if number.encode() in path.read_bytes().split(b"\0"):
                return True
    return False


class TestCommands:
    def test_what_they_read_and_write_is_theirs_alone(self, sudo: Path) -> None:
        data = os.urandom(3 << 20)
        done = reached_by(sudo).run(["/bin/sh", "-c", "cat; echo complaint >&2; exit 7"], stdin=data)
        assert done == (7, data, b"complaint\n")

    def test_they_may_read_nothing(self, sudo: Path) -> None:
        transport = reached_by(sudo)
        assert transport.run(["cat"]) == (0, b"", b"")
        assert transport.run(["true"], stdin=bytes(3 << 20)).rc == 0

    def test_files_are_streamed(self, sudo: Path, tmp_path: Path) -> None:
        (tmp_path / "there").write_bytes(b"x" * 1000)
        with open(tmp_path / "there", "rb") as source, open(tmp_path / "back", "wb") as target:
            assert reached_by(sudo).run(["cat"], stdin=source, stdout=target) == (0, b"", b"")
        assert (tmp_path / "back").read_bytes() == b"x" * 1000

    def test_a_signal_is_told(self, sudo: Path) -> None:
        assert reached_by(sudo).run(["/bin/sh", "-c", "kill -9 $$"]).rc == 137

    def test_words_arrive_as_they_are(self, sudo: Path) -> None:
        words = ["a 'b' \"c\" $d `e`\n", "", "x" * 100_000]
        script = 'echo $A; printf "%s|" "$@"'
        done = reached_by(sudo, wrapper=["env", "A=b"]).run(["/bin/sh", "-c", script, "sh", *words])
        assert done.out.decode() == "b\n" + "".join(f"{word}|" for word in words)

    def test_who_is_not_asked_says_nothing(self, sudo: Path) -> None:
        sudo.write_text(ASKS_NOTHING)
        assert reached_by(sudo).run(["cat"], stdin=b"input") == (0, b"input", b"")

    def test_the_password_is_no_argument_and_no_variable(self, sudo: Path) -> None:
        assert reached_by(sudo).run(["true"]).rc == 0
        seen = Path(f"{sudo}.seen").read_text()
        assert "-S" in seen
        assert PASSWORD not in seen

    def test_one_that_is_given_up_ends(self, sudo: Path) -> None:
        class Interrupted(io.BytesIO):
            def write(self, _data: t.Any) -> int:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            reached_by(sudo).run(["/bin/sh", "-c", "echo x; exec sleep 47161"], stdout=Interrupted())
        eventually(lambda: not is_running("47161"))

    def test_one_may_ask_for_a_password_itself(self, sudo: Path) -> None:
        inner = become_loader.get("ansible.builtin.su")
        inner.set_options(direct={"become_pass": "inner"})
        inner.success = "BECOME-SUCCESS-inner"
        script = 'printf "Password: " >&2; read -r answer; echo BECOME-SUCCESS-inner; echo "$answer"; cat'
        dialogue = Dialogue(inner, "inner", b"input", 30)
        assert reached_by(sudo).run_dialogue(["/bin/sh", "-c", script], dialogue) == 0
        assert dialogue.outputs(stripped=True) == (b"inner\ninput", b"")


class TestRefusals:
    def test_a_wrong_password(self, sudo: Path) -> None:
        with pytest.raises(Refused, match="no root rights on this machine: Incorrect sudo password") as caught:
            reached_by(sudo, "wrong one").run(["true"])
        assert "wrong one" not in str(caught.value)

    def test_what_sudo_says_is_repeated(self, sudo: Path) -> None:
        sudo.write_text(REFUSES)
        with pytest.raises(Refused, match="builder is not in the sudoers file"):
            reached_by(sudo).run(["true"])

    def test_a_sudo_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="nothing.*not found"):
            reached_by(tmp_path / "nothing").run(["true"])

    def test_a_sudo_that_says_nothing(self, sudo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_sudo_transport, "PATIENCE_SECONDS", 0.2)
        sudo.write_text(HANGS)
        with pytest.raises(Refused, match="neither a question"):
            reached_by(sudo).run(["true"])
        eventually(lambda: not is_running("47162"))


class TestChoice:
    def test_without_a_password_sudo_is_not_to_ask(self, sudo: Path) -> None:
        transport = BuildHost(become=True, become_exe=str(sudo)).to_transport()
        assert type(transport) is LocalTransport
        assert transport.argv(["true"]) == [str(sudo), "-n", "--", "true"]

    def test_the_one_that_was_asked_for_is_used_when_the_variables_have_none(self, sudo: Path) -> None:
        build_host = BuildHost(become=True, become_exe=str(sudo))
        assert build_host.to_transport(sudo_password=PASSWORD).run(["true"]).rc == 0
        with pytest.raises(Refused, match="Incorrect"):
            build_host.to_transport(sudo_password="another").run(["true"])
        given = BuildHost(become=True, become_exe=str(sudo), variables={"ansible_become_pass": PASSWORD})
        assert given.to_transport(sudo_password="another").run(["true"]).rc == 0

    def test_root_needs_none(self) -> None:
        assert type(BuildHost(become=False).to_transport(sudo_password=PASSWORD)) is LocalTransport
