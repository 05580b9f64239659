"""A real JupyterLab on loopback, driven by headless Chromium: for the browser test and the latency benchmark."""
import json, os, secrets, shutil, socket, subprocess, sys, time, urllib.request
from contextlib import contextmanager
from pathlib import Path
from playwright.sync_api import TimeoutError, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
CONFIG = """
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = 'jupyterlab.handlers.announcements.NeverCheckForUpdate'
"""

def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

def write_notebook(path: Path, *cells: str) -> Path:
    "A notebook with these code cells."
    cell = lambda source: dict(cell_type="code", id=secrets.token_hex(4), metadata={}, execution_count=None, outputs=[], source=source)
    kernel = dict(display_name="python3", language="python", name="python3")
    path.write_text(json.dumps(dict(cells=[cell(c) for c in cells], metadata=dict(kernelspec=kernel), nbformat=4, nbformat_minor=5)))
    return path

def _environment(home: Path, dark: bool) -> dict:
    "Settings of its own, so that nothing of the user's is read or written."
    themes = home/"settings"/"@jupyterlab"/"apputils-extension"
    themes.mkdir(parents=True, exist_ok=True)
    (themes/"themes.jupyterlab-settings").write_text(json.dumps(dict(theme="JupyterLab Dark" if dark else "JupyterLab Light")))
    (themes/"notification.jupyterlab-settings").write_text(json.dumps(dict(fetchNews="false", checkForUpdates=False)))
    (home/"config").mkdir(exist_ok=True)
    (home/"config"/"jupyter_server_config.py").write_text(CONFIG)
    places = dict(JUPYTER_CONFIG_DIR="config", JUPYTER_DATA_DIR="data", JUPYTER_RUNTIME_DIR="runtime", JUPYTERLAB_SETTINGS_DIR="settings",
                  JUPYTERLAB_WORKSPACES_DIR="workspaces", IPYTHONDIR="ipython")
    return {**os.environ, **{name: str(home/folder) for name, folder in places.items()}}

class Lab:
    "A running server: its address and what it takes to talk to it."
    def __init__(self, folder: Path, home: Path, dark: bool = False):
        self.port, self.token = free_port(), secrets.token_hex(16)
        self.address = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1",
                   f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={self.token}"]
        self.log = open(home/"server.log", "wb")
        self.process = subprocess.Popen(command, cwd=folder, env=_environment(home, dark), stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)

    def call(self, path: str, method: str = "GET"):
        request = urllib.request.Request(f"{self.address}{path}", method=method, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=600) as answer: return json.loads(answer.read() or "null")

    def wait(self, seconds: float = 300):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None: raise RuntimeError(f"JupyterLab ended at once: {Path(self.log.name).read_text()[-2000:]}")
            try: return self.call("/api/status")
            except OSError: time.sleep(.1)
        raise RuntimeError("JupyterLab did not answer")

    def stop(self):
        try:
            for kernel in self.call("/api/kernels"): self.call(f"/api/kernels/{kernel['id']}", "DELETE")
        except OSError: pass
        self.process.terminate()
        try: self.process.wait(15)
        except subprocess.TimeoutExpired: self.process.kill(); self.process.wait()
        self.log.close()

@contextmanager
def lab(folder: Path, home: Path, dark: bool = False):
    "JupyterLab over `folder`, ended with its kernels."
    home.mkdir(parents=True, exist_ok=True)
    server = Lab(folder, home, dark)
    try:
        server.wait()
        yield server
    finally: server.stop()

class Watched:
    "A browser page that remembers what was asked of the network and what the console said."
    def __init__(self, page, address):
        self.page, self.outgoing, self.errors = page, [], []
        page.on("request", lambda r: None if r.url.startswith((address, address.replace("http", "ws"), "data:", "blob:")) else self.outgoing.append(r.url))
        page.on("console", lambda m: self.errors.append(f"{m.text} {m.location['url']}") if m.type == "error" and not self.is_servers_own(m) else None)
        page.on("pageerror", lambda e: self.errors.append(str(e)))

    @staticmethod
    def is_servers_own(message) -> bool:
        "jupyter_server answers 500 when its list of kernels is asked for while one of them is starting; JupyterLab asks again."
        return "status of 500" in message.text and message.location["url"].split("?")[0].endswith("/api/kernels")

@contextmanager
def browser(address: str, *, width: int = 1280, height: int = 900, dark: bool = False):
    "Headless Chromium on one page."
    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = chromium.new_page(viewport=dict(width=width, height=height), color_scheme="dark" if dark else "light")
            page.set_default_timeout(120_000)
            yield Watched(page, address)
        finally: chromium.close()

def open_notebook(server: Lab, page, name: str):
    "Open a notebook alone in the main area and wait until its kernel is idle."
    page.goto(f"{server.address}/lab/tree/{name}?token={server.token}&reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=120_000)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle'], .jp-Toolbar-kernelStatus", timeout=120_000, state="attached")
    page.wait_for_function("""async () => {
        const k = await (await fetch('/api/kernels')).json();
        return k.length > 0 && k.every(one => one.execution_state === 'idle') }""", timeout=120_000)

def run_all(page):
    "Run every cell, as the menu does."
    page.click(".jp-NotebookPanel .jp-CodeCell .cm-content")
    page.click("text=Run >> nth=0")
    page.click(".lm-Menu-itemLabel:has-text('Run All Cells') >> nth=0")

def run_until(page, selector: str, attempts: int = 3):
    "Run all cells until `selector` shows; a click that comes before Lab listens is lost, so it is repeated."
    for _ in range(attempts):
        run_all(page)
        try: return page.wait_for_selector(selector, timeout=45_000)
        except TimeoutError:
            if "Error" in (words := page.inner_text(".jp-Notebook")): break
    raise RuntimeError(f"the notebook shows no {selector}: {words[-1500:]}")

def end_kernels(page):
    "End every kernel behind the server's page, as a crash would."
    page.evaluate("""async () => { for (const k of await (await fetch('/api/kernels')).json())
        await fetch(`/api/kernels/${k.id}`, {method: 'DELETE', headers: {'X-XSRFToken': document.cookie.match(/_xsrf=([^;]+)/)?.[1] ?? ''}}) }""")
    page.wait_for_timeout(1_000)
    for button in page.locator(".jp-Dialog-button").all()[:1]: button.click()

def narrow(page, width: int = 390, height: int = 844):
    "A telephone's width, the side bar folded away."
    page.click(".jp-SideBar.jp-mod-left .lm-TabBar-tab.lm-mod-current")
    page.set_viewport_size(dict(width=width, height=height))
    page.wait_for_timeout(500)

def has_chromium() -> bool: return Path(CHROMIUM).exists() and shutil.which(CHROMIUM) is not None
