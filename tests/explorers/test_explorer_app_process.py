"""Who may see the app, and what is left of it: real processes, a real Voilà, headless Chromium."""
import os, signal, time
import pytest
from app_workspace import children, come, empty_workspace, filled_workspace, guarded, running_app
from lookups import without_lookups
from lab_session import browser, has_chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

@pytest.fixture(scope="module")
def started(tmp_path_factory):
    root = filled_workspace(tmp_path_factory.mktemp("app")/"shop").root
    with running_app(root, without_lookups(root/"lookups.txt")) as (address, process): yield address, process

def test_without_the_token_there_is_no_page_and_the_login_asks_nobody_outside(started):
    home = started[0].split("/?")[0]
    with browser(home) as watched:
        guarded(watched, home)
        watched.page.goto(home)
        assert "/login" in watched.page.url and watched.page.locator(".mmd").count() == 0
        assert watched.outgoing == []

def alive(pids): return [pid for pid in pids if os.path.exists(f"/proc/{pid}") and "Z" not in open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[:1]]

def test_an_empty_workspace_says_what_to_type_and_ctrl_c_leaves_no_process(tmp_path):
    empty_workspace(tmp_path/"new")
    with running_app(tmp_path/"new", without_lookups(tmp_path/"lookups.txt")) as (address, process), browser(address.split("/?")[0]) as watched:
        come(watched.page, address)
        assert "nothing to explore yet" in watched.page.inner_text(".mmd-about")
        assert all("`mmops " in words for words in watched.page.locator(".mmd-missing").all_text_contents())
        assert watched.page.locator(".mmd-open").count() == 0
        kernels = [pid for pid, words in children(process) if "ipykernel" in words]
        assert kernels
        process.send_signal(signal.SIGINT)
        out, complaint = process.communicate(timeout=600)
        assert process.returncode in (0, 130) and "Traceback" not in complaint + out
        for _ in range(300):
            if not alive(kernels): break
            time.sleep(.1)
        assert alive(kernels) == []

def test_a_closed_page_gives_its_kernel_back(started):
    address, process = started
    def kernels(): return {pid for pid, words in children(process) if "ipykernel" in words}
    with browser(address.split("/?")[0]) as watched:
        come(watched.page, address)
        with_page = kernels()
        watched.page.goto("about:blank")
        for _ in range(300):
            if gone := with_page - set(alive(with_page)): break
            time.sleep(.1)
        assert len(gone) == 1
