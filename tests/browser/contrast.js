// Every text, border, slider and curve in the elements of a selector, each with its contrast to what is around it, as WCAG
// computes it. `paper` is the colour behind a page that has none: a frame is transparent.
({ selector, paper }) => {
  const TEXT = 4.5, LARGE_TEXT = 3, SHAPE = 3;
  const RESTING_TEXT = 3; // WCAG asks nothing of a disabled control; here, it has to be readable
  const NOTHING = [0, 0, 0, 0];

  const read = (text) => {
    const form = /^rgba?\(([\d., ]+)\)$/.exec(text);
    if (form) {
      const [red, green, blue, alpha = 1] = form[1].split(',').map(Number);
      return [red, green, blue, alpha];
    }
    const context = document.createElement('canvas').getContext('2d');
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (upper, lower) => {
    const alpha = upper[3] + lower[3] * (1 - upper[3]);
    const mix = (part) => (upper[part] * upper[3] + lower[part] * lower[3] * (1 - upper[3])) / (alpha || 1);
    return [mix(0), mix(1), mix(2), alpha];
  };
  const luminance = (color) => {
    const [red, green, blue] = color.slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  const canvas = () => {
    if (paper) {
      return read(paper);
    }
    const probe = document.body.appendChild(document.createElement('div'));
    probe.style.background = 'Canvas';
    const color = read(getComputedStyle(probe).backgroundColor);
    probe.remove();
    return color;
  };
  const sheet = canvas();
  // bqplot's plot area is a rectangle beside the curves, not around them.
  const plotArea = (element) => {
    const area = element.closest('.bqplot')?.querySelector('.plotarea_background');
    if (!area || !element.closest('.svg-figure')) {
      return NOTHING;
    }
    return read(getComputedStyle(area).fill);
  };
  /** The colour on the screen where `ink` is drawn in an element. */
  const seen = (element, ink) => {
    let pixel = over(ink, plotArea(element));
    for (let parent = element; parent; parent = parent.parentElement) {
      const style = getComputedStyle(parent);
      pixel = over(pixel, read(style.backgroundColor));
      pixel = [...pixel.slice(0, 3), pixel[3] * Number(style.opacity)];
    }
    return over(pixel, sheet);
  };

  const found = [];
  const add = (what, element, ratio, needed) => {
    const name = element.dataset?.ref ?? element.getAttribute('class') ?? element.tagName;
    found.push({ what: `${what} of ${name}`, ratio, needed });
  };
  const isSeen = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  const isAtRest = (element) => element.closest(':disabled, [aria-disabled="true"], [readonly]') !== null;
  const addText = (what, element, color, style) => {
    const size = Number.parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const needed = isAtRest(element) ? RESTING_TEXT : isLarge ? LARGE_TEXT : TEXT;
    add(what, element, contrast(seen(element, read(color)), seen(element, NOTHING)), needed);
  };
  /** A shape that is drawn in an element, such as a border, beside the colour around the element. */
  const addShape = (what, element, colors, needed = SHAPE) => {
    const around = seen(element.parentElement, NOTHING);
    add(what, element, Math.max(...colors.map((color) => contrast(seen(element, read(color)), around))), needed);
  };

  for (const root of document.querySelectorAll(selector)) {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      if (texts.currentNode.data.trim() !== '' && isSeen(element)) {
        const style = getComputedStyle(element);
        const isDrawn = element instanceof SVGElement;
        addText(`text "${texts.currentNode.data.trim().slice(0, 30)}"`, element, isDrawn ? style.fill : style.color, style);
      }
    }
    for (const input of root.querySelectorAll('input[type=text]')) {
      if (isSeen(input)) {
        const style = getComputedStyle(input, input.value === '' ? '::placeholder' : null);
        addText(input.value === '' ? 'placeholder' : 'value', input, style.color, style);
      }
    }
    for (const list of root.querySelectorAll('select')) {
      if (isSeen(list)) {
        const style = getComputedStyle(list);
        addText('choice', list, style.color, style);
      }
    }
    for (const control of root.querySelectorAll('button, select, input[type=text]')) {
      if (isSeen(control) && !isAtRest(control)) {
        const { borderBottomColor, borderBottomWidth } = getComputedStyle(control); // the name of a run has no other
        addShape('border', control, [borderBottomWidth === '0px' ? 'transparent' : borderBottomColor, 'transparent']);
      }
    }
    for (const bar of root.querySelectorAll('progress, input[type=range]')) {
      addShape('bar or thumb', bar, [getComputedStyle(bar).color]);
    }
    for (const track of root.querySelectorAll('.lrw-range')) {
      addShape('track', track, [getComputedStyle(track, '::before').backgroundColor]);
    }
    for (const between of root.querySelectorAll('.lrw-range-between')) {
      addShape('fill', between, ['transparent']);
    }
    for (const path of root.querySelectorAll('.bqplot path.line, .bqplot path.dot')) {
      const style = getComputedStyle(path);
      const isDrawn = path.getAttribute('d') && isSeen(path);
      const ink = path.matches('.line') ? style.stroke : style.fill;
      if (isDrawn && ink !== 'none' && style.strokeWidth !== '0px') {
        add('mark', path, contrast(seen(path, read(ink)), seen(path, NOTHING)), SHAPE);
      }
    }
    for (const path of root.querySelectorAll('.lrw-legend path, .lrw-swatch path')) {
      const { stroke, fill } = getComputedStyle(path);
      const isOnChart = path.closest('.lrw-run')?.querySelector('input').checked !== false;
      if (isSeen(path) && isOnChart) {
        addShape('sample', path, [stroke, fill].map((ink) => (ink === 'none' ? 'transparent' : ink)));
      }
    }
    const focused = root.querySelector(':focus-visible');
    if (focused) {
      const { outlineStyle, outlineColor } = getComputedStyle(focused);
      addShape('focus ring', focused, [outlineStyle === 'none' ? 'transparent' : outlineColor]);
    }
  }
  return found;
}
