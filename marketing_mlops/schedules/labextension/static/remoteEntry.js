// Right-click on a notebook, "Schedule…": opens the panel that our server extension draws. Written by hand and loaded as it is:
// the container JupyterLab expects (init, get), one command, one line of the file browser's menu. It keeps no time and no data.
(() => {
  "use strict";
  const NAME = "marketing_mlops", OPEN = "mmops:schedule";
  let scope;

  // A library JupyterLab has loaded already; of several versions the one in use.
  const library = async name => {
    const versions = Object.values(scope[name] ?? {});
    const found = versions.find(each => each.loaded) ?? versions[0];
    if (!found) throw new Error(`JupyterLab shares no ${name}`);
    return (await found.get())();
  };

  const CLOCK = '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><g class="jp-icon3" style="fill:none" stroke="#616161" stroke-width="2"><circle cx="12" cy="12" r="9"/><path d="M12 7v5l3.5 2"/></g></svg>';

  const plugin = ({ IFrame, MainAreaWidget }, { PageConfig, URLExt }, { IFileBrowserFactory }, { LabIcon }) => ({
    id: `${NAME}:schedule`,
    description: "Schedules notebooks: writes entries of schedule.yaml.",
    autoStart: true,
    requires: [IFileBrowserFactory],
    activate(app, browsers) {
      const icon = new LabIcon({ name: OPEN, svgstr: CLOCK });
      const chosen = () => [...(browsers.tracker.currentWidget?.selectedItems() ?? [])];
      const address = path => URLExt.join(PageConfig.getBaseUrl(), "mmops/schedule") + URLExt.objectToQueryString({ notebook: path });

      const panel = path => {
        const content = new IFrame({ sandbox: ["allow-scripts", "allow-same-origin", "allow-forms", "allow-popups", "allow-modals"], loading: "eager" });
        content.url = address(path);
        const widget = new MainAreaWidget({ content });
        widget.id = `mmops-schedule-${path}`;
        widget.title.label = `Schedule: ${path.split("/").pop()}`;
        widget.title.caption = path;
        widget.title.icon = icon;
        widget.title.closable = true;
        widget.toolbar.hide();
        content.node.querySelector("iframe").title = widget.title.label;
        return widget;
      };

      const open = new Map();
      app.commands.addCommand(OPEN, {
        label: "Schedule…",
        icon,
        caption: "When it runs, with which values, who is told; run it now; see how it went",
        isVisible: () => { const items = chosen(); return items.length === 1 && items[0].type === "notebook" },
        execute: args => {
          const path = args.path ?? app.serviceManager.contents.localPath(chosen()[0].path);
          let widget = open.get(path);
          if (!widget || widget.isDisposed) open.set(path, widget = panel(path));
          if (!widget.isAttached) app.shell.add(widget, "main");
          app.shell.activateById(widget.id);
        }
      });
      app.contextMenu.addItem({ command: OPEN, selector: '.jp-DirListing-item[data-file-type="notebook"]', rank: 3 });

      // The panel asks to open an executed notebook or a page beside it.
      window.addEventListener("message", event => {
        const path = event.origin === window.location.origin && event.data?.mmops === "open" && event.data.path;
        if (typeof path === "string") app.commands.execute("docmanager:open", { path });
      });
    }
  });

  const extension = async () => {
    const libraries = await Promise.all(["@jupyterlab/apputils", "@jupyterlab/coreutils", "@jupyterlab/filebrowser", "@jupyterlab/ui-components"].map(library));
    return { __esModule: true, default: plugin(...libraries) };
  };

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB[NAME] = {
    init: shared => { scope = shared },
    get: async () => { const made = await extension(); return () => made }
  };
})();
