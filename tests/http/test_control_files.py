"""The control plane answers however many files its process has open."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from tests.http.control_parts import Control

FD_SETSIZE = 1024
"""Descriptors beyond it cannot be asked of select(2)."""


def test_beyond_what_select_can_name(tmp_path: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < FD_SETSIZE + 200:
        pytest.skip("this process may not open so many files (ulimit -n)")
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(FD_SETSIZE)]
    try:
        control = Control(tmp_path)
        assert control.call("GET", "/admin/api/v1/status")[0] == 200
        control.finish()
    finally:
        for fd in held:
            os.close(fd)
