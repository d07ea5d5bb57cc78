import json
from types import SimpleNamespace

from doubles import limits_with

from harness.sandbox.limits import cage, filters_calls
from harness.sandbox.system_calls import seccomp_profile


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
    def engine(options):
        return SimpleNamespace(info=lambda: {"SecurityOptions": options})

    assert filters_calls(engine(["name=apparmor", "name=seccomp,profile=builtin"]))
    assert not filters_calls(engine(["name=apparmor"]))
    assert not filters_calls(engine(None))
    assert cage(limits_with(), quota=False, filtered=False)["security_opt"] == ["no-new-privileges"]
    [_, profile] = cage(limits_with(), quota=False, filtered=True)["security_opt"]
    assert json.loads(profile.removeprefix("seccomp="))["defaultAction"] == "SCMP_ACT_ERRNO"
