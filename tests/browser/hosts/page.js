// A notebook without an editor: a real kernel, cells that are run from outside, and their outputs as one of the hosts
// shows them. The address says how: ?{"host", "kernel", "managerVersion", "isDark", "server", "token", "cells", "before"}.

import services from "./dist/services.js";
import { Outputs } from "./outputs.js";
import { SharedModels } from "./shared_models.js";

const options = JSON.parse(decodeURIComponent(location.search.slice(1)));

/** VS Code: all outputs in one page; the kernel is behind a proxy that cannot interrupt. */
async function vscode(kernel) {
  document.body.className = options.isDark ? "vscode-dark" : "vscode-light";
  document.body.dataset.vscodeThemeKind = document.body.className;
  kernel.interrupt = () => Promise.reject(new Error("Not implemented."));
  const outputs = new Outputs(kernel, options.managerVersion, loaderOf(window));
  return async (index) => outputs.into(document.body.appendChild(cellElement(index)));
}

/** Colab: a document and a widget manager for each cell, which ask this page for the models. */
async function colab(kernel) {
  document.documentElement.setAttribute("theme", options.isDark ? "dark" : "light");
  const shared = new SharedModels(kernel);
  return async (index) => {
    const frame = document.createElement("iframe");
    frame.name = `cell-${index}`;
    frame.src = "frame.html";
    document.body.append(frame);
    const begin = await new Promise((resolve) => {
      frame.addEventListener("load", () => resolve(frame.contentWindow.begin));
    });
    const root = frame.contentDocument.documentElement;
    root.setAttribute("theme", options.isDark ? "dark" : "light");
    const outputs = begin(kernel, shared, options.managerVersion, loaderOf(frame.contentWindow));
    new frame.contentWindow.ResizeObserver(() => {
      frame.style.height = `${root.offsetHeight}px`;
    }).observe(root);
    return outputs.into(frame.contentDocument.body.appendChild(cellElement(index)));
  };
}

function cellElement(index) {
  const element = document.createElement("div");
  element.id = `cell-${index}`;
  return element;
}

/** The front ends of widgets come from the kernel's environment; the hosts' own downloads are out of reach. */
function loaderOf(realm) {
  return {
    widgetsRegisteredInRequireJs: new Set(),
    errorHandler: (name, module, version, error) => console.error(`${module} ${version} ${name}: ${error}`),
    successHandler: () => undefined,
    loadWidgetScript: async (module) =>
      realm.requirejs.config({ paths: { [module]: `/nbextensions/${module}/index` } }),
  };
}

class Notebook {
  #areas = new Map();
  #last = Promise.resolve();

  constructor(kernel, makeArea) {
    this.kernel = kernel;
    this.makeArea = makeArea;
    kernel.iopubMessage.connect((_, message) => {
      if (message.header.msg_type === "update_display_data") {
        for (const area of this.#areas.values()) {
          area.update(message.content);
        }
      }
    });
  }

  /** Run a cell after those that were run before it. */
  runCell(index) {
    this.#last = this.#last.then(() => this.#run(index));
  }

  async #run(index) {
    const area = this.#areas.get(index) ?? (await this.makeArea(index));
    this.#areas.set(index, area);
    area.clear();
    const future = this.kernel.requestExecute({ code: options.cells[index] });
    future.onIOPub = (message) => area.add(message.header.msg_type, message.content);
    await future.done;
  }

  async ask(expression) {
    const reply = await this.kernel.requestExecute({
      code: "",
      silent: true,
      user_expressions: { answer: `str(${expression})` },
    }).done;
    const { answer } = reply.content.user_expressions;
    return answer.data ? answer.data["text/plain"] : answer.evalue;
  }
}

const serverSettings = services.ServerConnection.makeSettings({
  baseUrl: options.server,
  wsUrl: options.server.replace("http", "ws"),
  token: options.token,
});
const kernel = await new services.KernelManager({ serverSettings }).startNew({ name: options.kernel });
await kernel.info;
const reply = await kernel.requestExecute({ code: options.before, silent: true }).done;
if (reply.content.status !== "ok") {
  throw new Error(reply.content.traceback.join("\n"));
}
window.notebook = new Notebook(kernel, await { vscode, colab }[options.host](kernel));
