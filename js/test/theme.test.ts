import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { followTheme } from "../src/theme";

const html = document.documentElement;
let root: HTMLElement;
let unfollow = (): void => undefined;

beforeEach(() => {
  document.body.innerHTML = "<section><div></div></section>";
  root = document.querySelector("div") as HTMLElement;
});
afterEach(() => {
  unfollow();
  for (const element of [html, document.body]) {
    for (const { name } of [...element.attributes]) {
      element.removeAttribute(name);
    }
  }
  document.head.replaceChildren();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const aFrame = () => new Promise((resolve) => setTimeout(resolve, 50));
const section = () => root.parentElement as HTMLElement;
const follow = (): string | undefined => {
  unfollow();
  unfollow = followTheme(root);
  return root.dataset.theme;
};

test.each([
  ["rgb(255, 255, 255)", "light"],
  ["rgb(30, 30, 30)", "dark"],
  ["rgb(56, 56, 56)", "dark"],
  ["rgb(253, 246, 227)", "light"],
  ["rgba(0, 0, 0, 1)", "dark"],
])("on a background of %s, the theme is %s", (background, theme) => {
  section().style.background = background;
  expect(follow()).toBe(theme);
});

test.each([
  ["color(srgb 0.1 0.1 0.1)", "dark"],
  ["color(srgb 0.1 0.1 0.1 / 0.2)", "light"],
  ["color(srgb 0.9 0.9 0.9)", "light"],
])("a computed %s is read: %s", (background, theme) => {
  // jsdom does not know this way of writing a colour, so it cannot compute it.
  vi.spyOn(window, "getComputedStyle").mockImplementation(
    (element) =>
      ({
        backgroundColor: element === section() ? background : "rgb(255, 255, 255)",
      }) as CSSStyleDeclaration,
  );
  expect(follow()).toBe(theme);
});

test("the nearest opaque background decides, not the page's", () => {
  document.body.className = "vscode-dark";
  document.body.style.background = "rgb(30, 30, 30)";
  section().style.background = "rgb(255, 255, 255)";
  expect(follow()).toBe("light");
});

test("translucent colours count as much as they cover", () => {
  document.body.style.background = "rgb(255, 255, 255)";
  section().style.background = "rgba(0, 0, 0, 0.1)";
  expect(follow()).toBe("light");
  section().style.background = "rgba(0, 0, 0, 0.9)";
  expect(follow()).toBe("dark");
});

test("the root's own background is not behind it", () => {
  section().style.background = "rgb(255, 255, 255)";
  root.style.background = "rgb(0, 0, 0)";
  expect(follow()).toBe("light");
});

test.each([
  ["vscode-dark", "dark"],
  ["vscode-light", "light"],
  ["vscode-high-contrast", "dark"],
  ["vscode-high-contrast-light vscode-high-contrast", "light"],
])("on a transparent page of VS Code, the class %s decides: %s", (name, theme) => {
  document.body.style.color = theme === "dark" ? "rgb(0, 0, 0)" : "rgb(255, 255, 255)";
  document.body.className = name;
  expect(follow()).toBe(theme);
});

test("on a transparent page of Colab or Jupyter, its mark decides", () => {
  html.setAttribute("theme", "dark");
  expect(follow()).toBe("dark");
  html.removeAttribute("theme");
  document.body.dataset.jpThemeLight = "false";
  expect(follow()).toBe("dark");
  document.body.dataset.jpThemeLight = "true";
  document.body.style.color = "rgb(255, 255, 255)";
  expect(follow()).toBe("light");
});

test("on a transparent page without marks, light text tells a dark page", () => {
  section().style.color = "rgb(230, 230, 230)";
  expect(follow()).toBe("dark");
  section().style.color = "rgb(40, 40, 40)";
  expect(follow()).toBe("light");
});

test("the system's setting by itself changes nothing", () => {
  vi.stubGlobal("matchMedia", () => Object.assign(new EventTarget(), { matches: true }));
  section().style.color = "rgb(40, 40, 40)";
  expect(follow()).toBe("light");
});

test.each([
  ["an attribute of html", () => html.setAttribute("theme", "dark")],
  ["a class of body", () => document.body.classList.add("vscode-dark")],
  ["a data attribute of body", () => Object.assign(document.body.dataset, { jpThemeLight: "false" })],
  ["a style of something between", () => Object.assign(section().style, { background: "rgb(0, 0, 0)" })],
  ["a new style sheet", () => document.head.append(darkSheet())],
  ["a new style sheet in body", () => document.body.append(darkSheet())],
])("%s is followed", async (_, change) => {
  expect(follow()).toBe("light");
  change();
  await aFrame();
  expect(root.dataset.theme).toBe("dark");
});

test("a changed text of a style sheet is followed", async () => {
  const sheet = document.createElement("style");
  sheet.textContent = "body { background: rgb(255, 255, 255); }";
  document.head.append(sheet);
  expect(follow()).toBe("light");
  (sheet.firstChild as Text).data = "body { background: rgb(0, 0, 0); }";
  await aFrame();
  expect(root.dataset.theme).toBe("dark");
});

function darkSheet(): HTMLElement {
  const sheet = document.createElement("style");
  sheet.textContent = "body { background: rgb(0, 0, 0); }";
  return sheet;
}

/** Stand-ins for what reports the system's setting and the size of the root. */
function stubReports() {
  const media = new EventTarget();
  const resize = { report: (): void => undefined, observe: vi.fn(), disconnect: vi.fn() };
  vi.stubGlobal("matchMedia", () => media);
  vi.stubGlobal(
    "ResizeObserver",
    vi.fn((report: () => void) => Object.assign(resize, { report })),
  );
  return { media, resize };
}

test("a style sheet that has been loaded, the end of a transition and the system's setting make it look again", async () => {
  const { media } = stubReports();
  document.head.append(document.createElement("link"));
  follow();
  for (const report of [
    () => document.querySelector("link")?.dispatchEvent(new Event("load")),
    () => section().dispatchEvent(new Event("transitionend", { bubbles: true })),
    () => media.dispatchEvent(new Event("change")),
  ]) {
    root.dataset.theme = "stale";
    report();
    await aFrame();
    expect(root.dataset.theme).toBe("light");
  }
});

test("a root that is attached later takes the theme of its place, and follows what is around it then", async () => {
  const { resize } = stubReports();
  root.remove();
  expect(follow()).toBe("light");
  const place = document.createElement("div");
  place.style.background = "rgb(0, 0, 0)";
  document.body.append(place);
  place.append(root);
  resize.report();
  await aFrame();
  expect(root.dataset.theme).toBe("dark");
  place.style.background = "rgb(255, 255, 255)";
  await aFrame();
  expect(root.dataset.theme).toBe("light");
});

test("a root that stays in its place is not observed anew", async () => {
  const observe = vi.spyOn(MutationObserver.prototype, "observe");
  follow();
  const count = observe.mock.calls.length;
  section().style.background = "rgb(0, 0, 0)";
  await aFrame();
  expect([root.dataset.theme, observe.mock.calls.length]).toEqual(["dark", count]);
});

test("a root in a shadow tree sees the page behind its host", () => {
  section().style.background = "rgb(0, 0, 0)";
  const host = root;
  root = document.createElement("div");
  host.attachShadow({ mode: "open" }).append(root);
  expect(follow()).toBe("dark");
});

test("many changes are looked at once", async () => {
  follow();
  const looks = vi.spyOn(window, "getComputedStyle");
  for (let count = 0; count < 50; count++) {
    document.body.setAttribute("data-count", String(count));
    await Promise.resolve();
  }
  document.body.style.background = "rgb(0, 0, 0)";
  await aFrame();
  expect(root.dataset.theme).toBe("dark");
  expect(looks.mock.calls.length).toBeLessThan(10);
});

/** Frames as browsers have them, with the microtasks of one callback before the next; jsdom's have not. */
function stubFrames(): () => Promise<void> {
  let waiting = new Map<number, () => void>();
  let count = 0;
  vi.stubGlobal("requestAnimationFrame", (act: () => void) => {
    waiting.set(++count, act);
    return count;
  });
  vi.stubGlobal("cancelAnimationFrame", (id: number) => {
    now.delete(id);
    waiting.delete(id);
  });
  let now = new Map<number, () => void>();
  return async () => {
    [now, waiting] = [waiting, new Map()];
    for (const [id, act] of now) {
      now.delete(id);
      act();
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
}

test("a page that changes in every frame, before the look, is looked at all the same", async () => {
  const frame = stubFrames();
  const change = (): void => {
    document.body.setAttribute("data-count", String(Math.random()));
    requestAnimationFrame(change);
  };
  requestAnimationFrame(change);
  follow();
  document.body.style.background = "rgb(0, 0, 0)";
  for (let count = 0; count < 5; count++) {
    await frame();
  }
  expect(root.dataset.theme).toBe("dark");
});

test("nothing is looked at without a change", async () => {
  follow();
  const looks = vi.spyOn(window, "getComputedStyle");
  await aFrame();
  await aFrame();
  expect(looks).not.toHaveBeenCalled();
});

test("a root that is no longer followed stays as it is, whatever reports", async () => {
  const { media, resize } = stubReports();
  document.head.append(document.createElement("link"));
  follow();
  document.body.style.background = "rgb(0, 0, 0)"; // and before the next frame
  await Promise.resolve();
  unfollow();
  const looks = vi.spyOn(window, "getComputedStyle");
  html.setAttribute("theme", "dark");
  document.body.append(darkSheet());
  document.querySelector("link")?.dispatchEvent(new Event("load"));
  section().dispatchEvent(new Event("transitionend", { bubbles: true }));
  media.dispatchEvent(new Event("change"));
  await aFrame();
  expect(root.dataset.theme).toBe("light");
  expect(looks).not.toHaveBeenCalled();
  expect(resize.disconnect).toHaveBeenCalledOnce();
});
