// The outputs of cells in this document, widgets by VS Code's own manager of ipywidgets 7 or 8.

const VIEW = "application/vnd.jupyter.widget-view+json";

export class Outputs {
  #manager;
  #openMessage = null;
  #fetched = new Map();

  constructor(kernel, managerVersion, loader) {
    this.#manager = this.#load(kernel, managerVersion, loader);
  }

  async #load(kernel, version, loader) {
    // These are base, controls and output as AMD modules, too, under the names that widgets ask for.
    const { activate } = await import(`./node_modules/@vscode/jupyter-ipywidgets${version}/dist/ipywidgets.js`);
    activate();
    window[`vscIPyWidgets${version}`].load();
    return new window.vscIPyWidgets.WidgetManager(kernel, document.body, loader, () => undefined);
  }

  /** Make each model when somebody asks for it, out of the comm message that would have opened it. */
  fetchModelsWith(openMessage) {
    this.#openMessage = openMessage;
    this.#manager = this.#manager.then((manager) => {
      manager.get_model = (id) => this.#fetch(manager, id);
      return manager;
    });
  }

  #fetch(manager, id) {
    if (!this.#fetched.has(id)) {
      const make = async () => {
        const comm = await manager._create_comm(manager.comm_target_name, id);
        return manager.handle_comm_open(comm, this.#openMessage(id));
      };
      this.#fetched.set(id, make());
    }
    return this.#fetched.get(id);
  }

  /** The outputs of one cell, in an element of this document. */
  into(element) {
    return new Area(element, (id, node) => this.#show(id, node));
  }

  async #show(id, node) {
    const manager = await this.#manager;
    const model = await manager.get_model(id);
    const view = await manager.create_view(model, { el: node });
    await manager.display_view(undefined, view, { node });
  }
}

class Area {
  #displayed = new Map();

  constructor(element, showWidget) {
    this.element = element;
    this.showWidget = showWidget;
  }

  clear() {
    this.element.replaceChildren();
    this.#displayed.clear();
  }

  add(type, content) {
    if (type === "stream") {
      const last = this.element.lastElementChild;
      const node = last?.dataset.stream === content.name ? last : this.#append();
      node.dataset.stream = content.name;
      node.style.whiteSpace = "pre";
      node.textContent += content.text;
    } else if (type === "error") {
      this.#append().textContent = content.traceback.join("\n");
    } else if (type === "display_data" || type === "execute_result") {
      const node = this.#append();
      if (content.transient?.display_id) {
        this.#displayed.set(content.transient.display_id, node);
      }
      this.#fill(node, content.data);
    }
  }

  /** Show new data where an output with this display id is. */
  update(content) {
    const node = this.#displayed.get(content.transient.display_id);
    if (node !== undefined) {
      this.#fill(node, content.data);
    }
  }

  #append() {
    const node = document.createElement("div");
    node.className = "output";
    this.element.append(node);
    return node;
  }

  #fill(node, data) {
    node.replaceChildren();
    if (VIEW in data) {
      this.showWidget(data[VIEW].model_id, node);
    } else if ("text/html" in data) {
      node.innerHTML = data["text/html"];
    } else {
      node.textContent = data["text/plain"];
    }
  }
}
