import json
from dataclasses import replace
from pathlib import Path

from doubles import limits_with

from harness.sandbox.enforced import Enforced
from harness.sandbox.limits import cage
from harness.sandbox.system_calls import seccomp_profile

ENGINE = Enforced(
    "docker", "28", "linux/amd64", rootless=False, memory=True, swap=True, processes=True, cpus=True,
    system_calls=True, disk=False,
)  # fmt: skip


def test_no_call_is_named_twice_and_those_that_show_the_page_cache_are_absent() -> None:
    rules = json.loads(seccomp_profile())["syscalls"]
    allowed = [
        name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" and not rule["args"] for name in rule["names"]
    ]
    absent = {name for rule in rules if rule["action"] == "SCMP_ACT_ERRNO" for name in rule["names"]}
    assert len(allowed) == len(set(allowed))
    assert {"mincore", "cachestat", "io_uring_setup", "clone3"} <= absent
    assert not absent & set(allowed)
    assert not {"clone", "socket", "preadv2", "personality", "unshare", "mount", "bpf", "keyctl"} & set(allowed)


def test_an_engine_that_filters_nothing_gets_no_profile() -> None:
    assert cage(limits_with(), replace(ENGINE, system_calls=False))["security_opt"] == ["no-new-privileges"]
    [_, profile] = cage(limits_with(), ENGINE)["security_opt"]
    assert json.loads(profile.removeprefix("seccomp="))["defaultAction"] == "SCMP_ACT_ERRNO"


def test_podman_reads_the_same_profile_from_a_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    for _ in range(2):
        [_, option] = cage(limits_with(), replace(ENGINE, kind="podman"))["security_opt"]
        assert Path(option.removeprefix("seccomp=")).read_text() == seccomp_profile()
    assert len(list(tmp_path.iterdir())) == 1


def test_what_an_engine_does_not_limit_is_not_asked_of_it() -> None:
    """Podman without root and without the second version's control groups would refuse the container."""
    engine = replace(ENGINE, memory=False, swap=False, processes=False, cpus=False)
    assert not {"mem_limit", "memswap_limit", "pids_limit", "nano_cpus", "storage_opt"} & set(
        cage(limits_with(), engine)
    )
    assert {"mem_limit", "memswap_limit", "pids_limit", "nano_cpus"} <= set(cage(limits_with(), ENGINE))
