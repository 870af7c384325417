// What every browser has and jsdom lacks.

class NoResizes implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

globalThis.ResizeObserver ??= NoResizes;
globalThis.matchMedia ??= () => new EventTarget() as MediaQueryList;
HTMLCanvasElement.prototype.getContext = () => null; // jsdom's own writes an error to the console
