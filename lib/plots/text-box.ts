import type { Element, Node } from 'happy-dom';

/**
 * How much room text takes, for a DOM that has no fonts.
 *
 * The widths are DejaVu Sans' (the fallback of every Linux), in em, rounded up to the next 0.05. Arial and Helvetica are
 * up to 15 % narrower, so a picture that is laid out by this table has no overlapping text in either.
 */
const charactersOfWidth: readonly (readonly [em: number, characters: string])[] = [
  [0.3, "'IJijl′"],
  [0.35, ' ,./:;\\f|·ι‘’'],
  [0.4, '!()-[]t²³'],
  [0.45, 'r"'],
  [0.5, '*_`°–'],
  [0.55, '?Lcszεζξ“”'],
  [0.6, 'FPkvxyΓγκλπςτυχ'],
  [0.65, '$0123456789EKSTYabdeghnopqu{}µΣαβδηθμνορσφψ'],
  [0.7, 'ABCRVXZΔΛ'],
  [0.75, 'HNUΠ'],
  [0.8, '&DGOQΘΦΨΩ'],
  [0.85, '#+<=>^w~±×÷ω−≤≥→←∞'],
  [0.9, 'M'],
];
const widestCharacter = 1;
const boldness = 1.1;
const ascent = 0.93;
const descent = 0.24;

const widths = new Map(
  charactersOfWidth.flatMap(([em, characters]) =>
    [...characters].map((character) => [character, em] as const),
  ),
);

/** The width of one line of text, in pixels, for a font size in pixels. */
export function textWidth(text: string, fontSize: number): number {
  let em = 0;
  for (const character of text) em += widths.get(character) ?? widestCharacter;
  return em * fontSize;
}

/** A box in pixels; y grows downwards. */
export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** The box of an SVG element in the coordinates of its parent's content, its own `transform` left out. */
export function boxInside(element: Element): Box | undefined {
  const tag = element.tagName.toLowerCase();
  if (tag === 'text') return textBox(element);
  if (tag === 'rect') {
    const [left, top] = [attribute(element, 'x'), attribute(element, 'y')];
    return {
      left,
      top,
      right: left + attribute(element, 'width'),
      bottom: top + attribute(element, 'height'),
    };
  }
  return union([...element.children].map((child) => transformed(boxInside(child), child)));
}

/** The box of an SVG element in the coordinates of the outermost `<svg>`. */
export function boxOnPage(element: Element): Box | undefined {
  let box = boxInside(element);
  for (let at: Element | null = element; at && at.tagName.toLowerCase() !== 'svg'; at = at.parentElement) {
    box = transformed(box, at);
  }
  return box;
}

/** `[text]` holds one line, or one `<tspan class="line" dy="1.3em">` a line. */
function textBox(text: Element): Box | undefined {
  if (!text.textContent) return undefined;
  const size = fontSize(text);
  const lines = [...text.children].filter((child) => child.classList.contains('line'));
  const width = Math.max(...(lines.length > 0 ? lines : [text]).map((line) => runWidth(line)));
  const anchor = text.getAttribute('text-anchor');
  const left = attribute(text, 'x') - (anchor === 'middle' ? width / 2 : anchor === 'end' ? width : 0);
  const baseline = attribute(text, 'y');
  const first = lines[0] ? attribute(lines[0], 'dy') * size : 0;
  const last = lines.length > 1 ? attribute(lines[lines.length - 1] as Element, 'dy') * size : first;
  return {
    left,
    right: left + width,
    top: baseline + first - ascent * size,
    bottom: baseline + last + descent * size,
  };
}

/** The width of a run of text whose `<tspan>`s may have their own size or weight (subscripts, bold words). */
function runWidth(node: Node): number {
  if (node.nodeType === node.TEXT_NODE) {
    const parent = node.parentElement as unknown as Element;
    return textWidth(node.textContent ?? '', fontSize(parent)) * (isBold(parent) ? boldness : 1);
  }
  return [...node.childNodes].reduce((width, child) => width + runWidth(child), 0);
}

function fontSize(element: Element | null): number {
  if (!element) return 12;
  const size = style(element, 'font-size');
  if (!size) return fontSize(element.parentElement);
  return size.endsWith('%')
    ? (Number.parseFloat(size) / 100) * fontSize(element.parentElement)
    : Number.parseFloat(size);
}

function isBold(element: Element | null): boolean {
  if (!element) return false;
  const weight = style(element, 'font-weight');
  return weight ? weight === 'bold' || Number(weight) >= 600 : isBold(element.parentElement);
}

function style(element: Element, property: string): string | undefined {
  const found = new RegExp(`(?:^|;)\\s*${property}:\\s*([^;]+)`).exec(element.getAttribute('style') ?? '');
  return found?.[1]?.trim();
}

function attribute(element: Element, name: string): number {
  return Number.parseFloat(element.getAttribute(name) ?? '') || 0;
}

/** Carries a box through the element's `transform`, a list of translate, rotate and scale. */
function transformed(box: Box | undefined, element: Element): Box | undefined {
  const transform = element.getAttribute('transform');
  if (!box || !transform) return box;
  let corners = [
    [box.left, box.top],
    [box.right, box.top],
    [box.left, box.bottom],
    [box.right, box.bottom],
  ] as [number, number][];
  const steps = [...transform.matchAll(/(translate|rotate|scale)\(([^)]*)\)/g)].reverse();
  for (const [, kind, list] of steps) {
    const [a = 0, b, c] = (list as string).split(/[\s,]+/).map(Number);
    corners = corners.map(([x, y]) => {
      if (kind === 'translate') return [x + a, y + (b ?? 0)];
      if (kind === 'scale') return [x * a, y * (b ?? a)];
      const [sin, cos] = [Math.sin((a * Math.PI) / 180), Math.cos((a * Math.PI) / 180)];
      const [centreX, centreY] = [b ?? 0, c ?? 0];
      const [dx, dy] = [x - centreX, y - centreY];
      return [centreX + dx * cos - dy * sin, centreY + dx * sin + dy * cos];
    });
  }
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
}

function union(boxes: readonly (Box | undefined)[]): Box | undefined {
  const seen = boxes.filter((box) => box !== undefined);
  if (seen.length === 0) return undefined;
  return {
    left: Math.min(...seen.map((box) => box.left)),
    right: Math.max(...seen.map((box) => box.right)),
    top: Math.min(...seen.map((box) => box.top)),
    bottom: Math.max(...seen.map((box) => box.bottom)),
  };
}
