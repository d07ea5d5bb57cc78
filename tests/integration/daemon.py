"""A Docker daemon of a test's own, beside the machine's, and an image of a few megabytes for it."""

import io
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

from docker import DockerClient
from docker.errors import DockerException
from requests.exceptions import RequestException

PROGRAMS = ("bash", "git", "sleep", "cat", "sed", "tr", "readlink", "grep", "rm", "head", "tar", "base64", "stat")


class Daemon:
    """``dockerd`` with its own root, socket, containerd and network namespace; no bridge, no firewall rules.

    Told to have no bridge, dockerd deletes docker0: in the machine's namespace that is the other daemon's.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._process: subprocess.Popen | None = None
        self.client: DockerClient | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        socket = self._folder / "docker.sock"
        command = ["unshare", "--net", "dockerd", f"--data-root={self._root}", f"--exec-root={self._folder / 'exec'}"]
        command += [f"--pidfile={self._folder / 'pid'}", "-H", f"unix://{socket}", "--bridge=none", "--iptables=false"]
        with (self._folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.client = self.client or DockerClient(f"unix://{socket}", timeout=60)
                self.client.ping()
                return
            except (DockerException, RequestException):
                assert time.monotonic() < deadline, (self._folder / "dockerd.log").read_text()[-2000:]
                time.sleep(0.2)

    def kill(self) -> None:
        """End it at once, as a crash would; its containerd dies with it, its containers go on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        # where nobody buries the dead containerd, its number looks alive to the next dockerd
        for path in (self._folder / "pid", self._folder / "exec/containerd/containerd.pid"):
            path.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it politely; containers, containerd and what a crash left mounted go with it."""
        assert self._process is not None
        if self.client:
            self.client.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for place in sorted((m for m in mounts if Path(m).is_relative_to(self._folder)), reverse=True):
            if Path(place) != self._root.parent:
                subprocess.run(["umount", "--lazy", place], check=True)


def import_little_image(client: DockerClient, folder: Path, name: str, files: dict[str, str]) -> None:
    """An image with a shell, git and a repository of ``files`` in /testbed."""
    testbed = folder / "image" / "testbed"
    for path, text in files.items():
        (testbed / path).parent.mkdir(parents=True, exist_ok=True)
        (testbed / path).write_text(text)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "base"]):
        subprocess.run(["git", *command], cwd=testbed, check=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(_needed()):
            archive.addfile(*_regular(path, path.lstrip("/")))
        for program in PROGRAMS:
            archive.addfile(*_regular(str(shutil.which(program)), f"bin/{program}"))
        archive.add(testbed, "testbed", filter=_by_root)
        config = b"[safe]\n\tdirectory = *\n"
        member = tarfile.TarInfo("etc/gitconfig")
        member.size = len(config)
        archive.addfile(member, io.BytesIO(config))
    client.api.import_image_from_data(buffer.getvalue(), repository=name, changes=["ENV PATH=/bin"])


def _needed() -> set[str]:
    """Shared libraries of the programs."""
    found = set()
    for program in PROGRAMS:
        lines = subprocess.run(["ldd", str(shutil.which(program))], capture_output=True, text=True, check=True).stdout
        found |= {word for line in lines.splitlines() for word in line.split() if word.startswith("/")}
    return found


def _regular(path: str, name: str) -> tuple[tarfile.TarInfo, io.BytesIO]:
    content = Path(path).read_bytes()
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o755
    return member, io.BytesIO(content)


def _by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    return member
