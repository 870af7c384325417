"""A page's memory: its nodes, its listeners, and all that one module leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

# Counts the listeners and observers that a widget's own module has on things that outlive its views. anywidget loads a
# module from an address of the form blob:…, and the call stack names it.
WATCH = """
(() => {
    const left = (window.leftByWidgets = new Map());
    const isOurs = () => new Error().stack.split('\\n').slice(2, 6).some(line => line.includes('blob:'));
    const count = (key, by) => left.set(key, (left.get(key) ?? 0) + by);
    const outlives = target => target === window || target === document || target === document.documentElement
        || target === document.body || target instanceof MediaQueryList;
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    const known = new WeakMap();
    const keyOf = (target, type, options) => `${target.constructor.name} ${type} ${options === true || options?.capture === true}`;
    EventTarget.prototype.addEventListener = function (type, listener, options) {
        const target = this ?? window;
        if (listener && outlives(target) && isOurs()) {
            const key = keyOf(target, type, options);
            const keys = known.get(listener) ?? new Set();
            if (!keys.has(key)) {
                keys.add(key);
                known.set(listener, keys);
                count(key, 1);
                options?.signal?.addEventListener('abort', () => keys.delete(key) && count(key, -1));
            }
        }
        return addEventListener.call(target, type, listener, options);
    };
    EventTarget.prototype.removeEventListener = function (type, listener, options) {
        const target = this ?? window;
        const key = outlives(target) && keyOf(target, type, options);
        if (key && listener && known.get(listener)?.delete(key)) {
            count(key, -1);
        }
        return removeEventListener.call(target, type, listener, options);
    };
    for (const name of ['MutationObserver', 'ResizeObserver', 'IntersectionObserver']) {
        const active = new Set();
        const { observe, disconnect } = window[name].prototype;
        window[name].prototype.observe = function (...given) {
            if (!active.has(this) && isOurs()) {
                active.add(this);
                count(name, 1);
            }
            return observe.apply(this, given);
        };
        window[name].prototype.disconnect = function () {
            if (active.delete(this)) {
                count(name, -1);
            }
            return disconnect.call(this);
        };
    }
    const running = new Set();
    for (const [start, stop] of [['setTimeout', 'clearTimeout'], ['setInterval', 'clearInterval']]) {
        const [begin, end] = [window[start], window[stop]];
        window[start] = (callback, ...given) => {
            const isCounted = typeof callback === 'function' && isOurs();
            const done = () => running.delete(id) && count(start, -1);
            const id = begin((...values) => {
                if (isCounted && start === 'setTimeout') {
                    done();
                }
                callback(...values);
            }, ...given);
            if (isCounted) {
                running.add(id);
                count(start, 1);
            }
            return id;
        };
        window[stop] = id => {
            if (running.delete(id)) {
                count(start, -1);
            }
            end(id);
        };
    }
})();
"""


class Memory(NamedTuple):
    """What a page holds after garbage collection."""

    nodes: int
    listeners: int
    heap_bytes: int

    def per(self, count: int, before: Memory) -> tuple[float, float, float]:
        """Return what came to it since `before`, for each of `count` times."""
        nodes, listeners, heap_bytes = ((now - then) / count for now, then in zip(self, before, strict=True))
        return nodes, listeners, heap_bytes


class Heap:
    """The memory of a page.

    Args:
        page: whose `WATCH` was an init script.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")
        self._session.send("HeapProfiler.enable")

    def memory(self) -> Memory:
        """Collect the garbage and measure."""
        for _ in range(3):
            self._session.send("HeapProfiler.collectGarbage")
        metrics = {each["name"]: each["value"] for each in self._session.send("Performance.getMetrics")["metrics"]}
        return Memory(*(int(metrics[name]) for name in ("Nodes", "JSEventListeners", "JSHeapUsedSize")))

    def left_by_widgets(self) -> dict[str, int]:
        """Count the listeners, observers and timers that widgets' modules have on what outlives them."""
        found: dict[str, int] = self._page.evaluate(
            "() => Object.fromEntries([...window.leftByWidgets].filter(([, count]) => count !== 0))"
        )
        return found
