/** A terminal's screen, as `tmux capture-pane -e` has it, as a picture. */

const CELL = { width: 8.4, height: 18 };
const PAD = 12;
const INK = "#d4d4d4";
const PAPER = "#1e1e1e";
const BASIC = ["#000000", "#cd3131", "#0dbc79", "#e5e510", "#2472c8", "#bc3fbc", "#11a8cd", "#e5e5e5"];

interface Pen {
  ink: string;
  bold: boolean;
}

export function svgOf(screen: string): string {
  const lines = screen.trimEnd().split("\n");
  const plain: Pen = { ink: INK, bold: false };
  let pen = plain;
  let widest = 0;
  const rows = lines.map((line, row) => {
    let column = 0;
    let text = "";
    for (const [index, part] of line.split("\u001b").entries()) {
      const codes = index > 0 ? /^\[([\d;]*)m/.exec(part) : null;
      if (codes) pen = after(codes[1] ?? "", pen, plain);
      const run = index === 0 ? part : part.slice(codes ? codes[0].length : otherSequence(part));
      if (run.trim() !== "") {
        const x = PAD + column * CELL.width;
        const weight = pen.bold ? ' font-weight="bold"' : "";
        const length = (run.length * CELL.width).toFixed(1);
        text += `<tspan x="${x.toFixed(1)}" textLength="${length}" fill="${pen.ink}"${weight}>${escaped(run)}</tspan>`;
      }
      column += run.length;
    }
    widest = Math.max(widest, column);
    return text === "" ? "" : `<text y="${PAD + row * CELL.height + 13}">${text}</text>\n`;
  });
  const width = Math.ceil(2 * PAD + widest * CELL.width);
  const height = 2 * PAD + lines.length * CELL.height;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">\n` +
    "<title>pi with the accounts panel of multicodex</title>\n" +
    `<rect width="100%" height="100%" rx="6" fill="${PAPER}"/>\n` +
    `<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">\n` +
    `${rows.join("")}</g>\n</svg>\n`
  );
}

/** The length of what is no colour: a link, or its end. */
function otherSequence(part: string): number {
  return part.startsWith("]") ? part.length : 1;
}

function after(codes: string, pen: Pen, plain: Pen): Pen {
  const all = codes.split(";").map(Number);
  let next = pen;
  for (let at = 0; at < all.length; at++) {
    const code = all[at] ?? 0;
    if (code === 0) next = plain;
    else if (code === 1) next = { ...next, bold: true };
    else if (code === 22) next = { ...next, bold: false };
    else if (code >= 30 && code <= 37) next = { ...next, ink: BASIC[code - 30] ?? INK };
    else if (code === 39) next = { ...next, ink: INK };
    else if (code === 38 || code === 48) {
      const colour = all[at + 1] === 2 ? rgb(all.slice(at + 2, at + 5)) : indexed(all[at + 2] ?? 7);
      if (code === 38) next = { ...next, ink: colour };
      at += all[at + 1] === 2 ? 4 : 2;
    }
  }
  return next;
}

/** One of a terminal's 256 colours. */
function indexed(index: number): string {
  if (index < 16) return BASIC[index % 8] ?? INK;
  if (index >= 232) return rgb([0, 1, 2].map(() => 8 + (index - 232) * 10));
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return rgb([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(level));
}

function rgb(parts: number[]): string {
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
