// One cell's outputs in Colab: a document that shares no object with the page around it.

import { Outputs } from "./outputs.js";
import { kernelOfFrame } from "./shared_models.js";

window.begin = (kernel, shared, managerVersion, loader) => {
  const outputs = new Outputs(kernelOfFrame(kernel, shared), managerVersion, loader);
  outputs.fetchModelsWith((id) => shared.openMessage(id, structuredClone));
  return outputs;
};
