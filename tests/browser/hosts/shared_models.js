// Colab's page: it alone talks to the kernel, keeps the state of each model, and hands it to the frames that ask.

export class SharedModels {
  #models = new Map();

  constructor(kernel) {
    kernel.registerCommTarget("jupyter.widget", (comm, message) => {
      const { state, buffer_paths: paths } = message.content.data;
      const model = { comm, state: withBuffers(state, paths, message.buffers), metadata: message.metadata, frames: [] };
      this.#models.set(comm.commId, model);
      comm.onMsg = (update) => {
        const { method, state, buffer_paths: paths } = update.content.data;
        if (method === "update") {
          Object.assign(model.state, withBuffers(state, paths, update.buffers));
        }
        for (const frame of model.frames) {
          frame.onMsg?.(frame.clone(update));
        }
      };
      comm.onClose = (close) => {
        this.#models.delete(comm.commId);
        for (const frame of model.frames) {
          frame.onClose?.(frame.clone(close));
        }
      };
    });
  }

  /** The message that opens a model as it is now, as an object of the frame's document. */
  openMessage(id, clone) {
    const { state, metadata } = this.#models.get(id);
    return clone({ metadata, content: { data: { state, buffer_paths: [] } }, buffers: [] });
  }

  /** A frame's end of a comm. */
  join(id, clone) {
    const { comm, frames } = this.#models.get(id);
    const end = {
      commId: id,
      targetName: comm.targetName,
      clone: (message) => clone(message),
      open: () => undefined,
      close: () => undefined,
      send: (...message) => comm.send(...message),
    };
    frames.push(end);
    return end;
  }
}

/** The page's connection as a frame's widget manager gets it: no interrupt, and no comms but those of the page. */
export function kernelOfFrame(kernel, shared) {
  const ofFrame = Object.create(kernel);
  return Object.assign(ofFrame, {
    registerCommTarget: () => undefined,
    createComm: (_, id) => shared.join(id, structuredClone),
    interrupt: undefined,
  });
}

function withBuffers(state, paths, buffers) {
  for (const [index, path] of (paths ?? []).entries()) {
    const parent = path.slice(0, -1).reduce((value, key) => value[key], state);
    parent[path.at(-1)] = buffers[index];
  }
  return state;
}
