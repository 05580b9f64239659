// The panel: sends what is filled in, shows what comes back. It decides nothing and keeps no time.
(() => {
  "use strict";
  const here = document.body.dataset, form = document.getElementById("panel");

  // JupyterLab's theme where the panel stands in JupyterLab, the system's otherwise.
  const lab = (() => { try { return window.parent !== window ? window.parent.document.body : null } catch { return null } })();
  const follow = () => { if (lab?.dataset.jpThemeLight) document.documentElement.dataset.theme = lab.dataset.jpThemeLight === "false" ? "dark" : "light" };
  if (lab) { follow(); new MutationObserver(follow).observe(lab, { attributes: true, attributeFilter: ["data-jp-theme-light"] }) }
  if (!form) return;

  const told = document.getElementById("told"), history = document.getElementById("history"), preset = document.getElementById("preset");
  const tell = (words, kind = "") => { told.textContent = words; told.className = kind };

  const filled = () => {
    const found = {};
    for (const control of form.querySelectorAll("[name]")) {
      if (control.type !== "checkbox") found[control.name] = control.value;
      else { found[control.name] ??= []; if (control.checked) found[control.name].push(control.value) }
    }
    return found;
  };

  const ask = async (what, body) => {
    const headers = { "Content-Type": "application/json", "X-XSRFToken": here.token };
    const answer = await fetch(here.base + what, { method: "POST", headers, credentials: "same-origin", body: JSON.stringify({ notebook: here.notebook, entry: here.entry, ...body }) });
    const type = answer.headers.get("Content-Type") ?? "";
    if (type.includes("json")) return answer.json();
    throw new Error(answer.status === 403 ? "You are not logged in any more. Reload the page." : `The server answered ${answer.status}.`);
  };
  const failed = error => tell(error instanceof TypeError ? "The server does not answer. Is JupyterLab still running?" : error.message, "bad");

  // A field nobody has been to yet is not wrong, it is empty; after the first attempt to save everything is said.
  const touched = new Set(), isSaidNow = key => attempted || !key || touched.has(key);
  let attempted = !!here.entry;
  const judge = judged => {
    for (const place of document.querySelectorAll("[data-field]")) {
      const key = place.dataset.field, wrong = isSaidNow(key) ? judged.wrong[key] ?? "" : "", remark = judged.remarks[key] ?? "";
      const said = place.matches(".said") ? place : place.querySelector(".said");
      said.textContent = wrong || remark;
      said.classList.toggle("remark", !wrong && !!remark);
      place.classList.toggle("is-wrong", !!wrong);
      for (const control of place.querySelectorAll("input, select")) control.setAttribute("aria-invalid", !!wrong);
      if (wrong && place.closest("details")) place.closest("details").open = true;
    }
    document.getElementById("words").textContent = [judged.words, ...judged.upcoming.map((at, n) => `${n ? "then" : "next"} ${at}`)].filter(Boolean).join("\n");
  };

  // The newest answer counts, whatever order they come in.
  let asked = 0, waiting;
  const check = async () => {
    const mine = ++asked;
    try { const judged = await ask("check", { filled: filled() }); if (mine === asked) judge(judged) } catch (error) { failed(error) }
  };
  const sameAsPreset = () => { preset.value = [...preset.options].some(each => each.value === form.elements.cron.value) ? form.elements.cron.value : "" };
  form.addEventListener("input", event => {
    touched.add(event.target === preset ? "cron" : event.target.name);
    if (event.target === preset) { if (preset.value) form.elements.cron.value = preset.value } else sameAsPreset();
    clearTimeout(waiting);
    waiting = setTimeout(check, 150);
  });

  const draw = async () => {
    const answer = await ask("history", {});
    if (history.innerHTML !== answer.html) history.innerHTML = answer.html;
    return answer;
  };
  const look = async () => {
    try {
      const answer = await draw();
      if (answer.running) return setTimeout(look, 700);
      if (answer.told) tell(answer.told, answer.is_well ? "good" : "bad");
    } catch (error) { failed(error) }
  };

  const during = async (button, words, work) => {
    button.disabled = true; tell(words);
    try { await work() } catch (error) { failed(error) } finally { button.disabled = false }
  };
  const goTo = entry => window.location.assign(`${here.base.slice(0, -1)}?${new URLSearchParams({ notebook: here.notebook, ...(entry ? { entry } : { new: "1" }) })}`);

  form.addEventListener("submit", event => {
    event.preventDefault();
    during(document.getElementById("save"), "Saving …", async () => {
      const answer = await ask("save", { filled: filled() });
      attempted = true;
      judge(answer);
      tell(answer.told, answer.is_well ? "good" : "bad");
      if (!answer.is_well) form.querySelector("[aria-invalid=true]")?.focus();
      else if (here.entry !== answer.entry) goTo(answer.entry);
    });
  });
  document.getElementById("run").addEventListener("click", event => during(event.target, "Starting …", async () => {
    const answer = await ask("run", { filled: filled() });
    for (const key of Object.keys(answer.wrong)) if (key.startsWith("parameters.")) touched.add(key);
    judge(answer);
    tell(answer.told, answer.is_well ? "" : "bad");
    if (answer.is_well) await look();
  }));
  document.getElementById("remove")?.addEventListener("click", event => {
    if (!window.confirm(`Remove the entry ${here.entry} from schedule.yaml?`)) return;
    during(event.target, "Removing …", async () => {
      const answer = await ask("remove", {});
      tell(answer.told, answer.is_well ? "good" : "bad");
      if (answer.is_well) goTo("");
    });
  });
  document.getElementById("entry")?.addEventListener("change", event => goTo(event.target.value));

  // In JupyterLab a notebook opens beside the panel; elsewhere the link is a link.
  history.addEventListener("click", event => {
    const link = event.target.closest("a[data-path]");
    if (!link || !lab) return;
    event.preventDefault();
    window.parent.postMessage({ mmops: "open", path: link.dataset.path }, window.location.origin);
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look() });

  sameAsPreset();
  check();
  look();
})();
