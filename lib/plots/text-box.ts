import type { Element, Node, SVGElement, SVGGraphicsElement } from 'happy-dom';

/**
 * Measures text, for a DOM that has no fonts.
 *
 * The widths are those of DejaVu Sans (the fallback of every Linux), in em, rounded up to the next 0.05. Arial and Helvetica
 * are up to 15 % narrower, so text that is laid out by this table does not overlap in any of them.
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

/** Returns the width of one line of text, in pixels, for a font size in pixels. */
export function textWidth(text: string, fontSize: number, isBold = false): number {
  let em = 0;
  for (const character of text) em += widths.get(character) ?? widestCharacter;
  return em * fontSize * (isBold ? boldness : 1);
}

type Point = readonly [x: number, y: number];

/** Returns the box of the texts in an SVG element, without its own `transform`, for `DOMRect`: pixels, y downwards. */
export function textBox(element: Element): [left: number, top: number, width: number, height: number] {
  const corners = cornersIn(element);
  if (corners.length === 0) return [0, 0, 0, 0];
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return [left, top, Math.max(...xs) - left, Math.max(...ys) - top];
}

/** Applies an element's `transform` to points. */
function moved(points: readonly Point[], element: Element): readonly Point[] {
  const steps = [...((element as Partial<SVGGraphicsElement>).transform?.baseVal ?? [])].reverse();
  return steps.reduce(
    (at, { matrix: { a, b, c, d, e, f } }) =>
      at.map(([x, y]) => [a * x + c * y + e, b * x + d * y + f] as const),
    points,
  );
}

/** Returns the corners of every text in an element: of all that Plotly measures, only text takes up space. */
function cornersIn(element: Element): readonly Point[] {
  if (element.tagName.toLowerCase() === 'text') return textCorners(element);
  return [...element.children].flatMap((child) => moved(cornersIn(child), child));
}

/** Returns the corners of a `<text>`: one line, or a `<tspan class="line" dy="1.3em">` for each line. */
function textCorners(text: Element): readonly Point[] {
  if (!text.textContent) return [];
  const size = fontSize(text);
  const lines = [...text.children].filter((child) => child.classList.contains('line'));
  const width = Math.max(...(lines.length > 0 ? lines : [text]).map(runWidth));
  const anchor = text.getAttribute('text-anchor');
  const left = attribute(text, 'x') - (anchor === 'middle' ? width / 2 : anchor === 'end' ? width : 0);
  const baseline = attribute(text, 'y');
  const [first = 0, last = first] = [lines[0], lines.at(-1)].map(
    (line) => line && attribute(line, 'dy') * size,
  );
  const [top, bottom] = [baseline + first - ascent * size, baseline + last + descent * size];
  return [left, left + width].flatMap((x) => [top, bottom].map((y): Point => [x, y]));
}

/** Returns the width of a run of text whose `<tspan>`s may have their own size or weight (subscripts, bold words). */
function runWidth(node: Node): number {
  const { parentElement: parent } = node;
  if (node.nodeType === node.TEXT_NODE && parent) {
    const weight = styleOf(parent, 'font-weight')?.value;
    const isBold = weight === 'bold' || Number(weight) >= 600;
    return textWidth(node.textContent ?? '', fontSize(parent), isBold);
  }
  return [...node.childNodes].reduce((width, child) => width + runWidth(child), 0);
}

function fontSize(element: Element | null): number {
  const style = element && styleOf(element, 'font-size');
  if (!style) return 12;
  const size = Number.parseFloat(style.value);
  return style.value.endsWith('%') ? (size / 100) * fontSize(style.owner.parentElement) : size;
}

/** Finds the nearest element that sets a style property, itself or an ancestor, and the value. */
function styleOf(element: Element, property: 'font-size' | 'font-weight') {
  const owner = element.closest(`[style*="${property}"]`) as SVGElement | null;
  return owner && { owner, value: owner.style.getPropertyValue(property) };
}

function attribute(element: Element, name: string): number {
  return Number.parseFloat(element.getAttribute(name) ?? '') || 0;
}

/** Breaks text between words into lines of at most so many letters. */
export function wrapped(text: string, letters: number): readonly string[] {
  return text.match(new RegExp(`.{1,${letters}}(?:\\s|$)`, 'g'))?.map((line) => line.trimEnd()) ?? [text];
}
