import type { Theme } from "@mariozechner/pi-coding-agent";
import { truncateToWidth, wrapTextWithAnsi } from "@mariozechner/pi-tui";

/** Title, content and keys between two lines, cut to the width of the terminal. */
export function framed(theme: Theme, width: number, title: string, lines: string[], keys: string): string[] {
  const border = theme.fg("border", "─".repeat(width));
  return [
    border,
    ` ${theme.fg("accent", theme.bold(title))}`,
    "",
    ...lines,
    "",
    ...wrapTextWithAnsi(theme.fg("dim", keys), width - 1).map((line) => ` ${line}`),
    border,
  ].map((line) => truncateToWidth(line, width));
}

/** Long text, indented like the rest. */
export function wrapped(text: string, width: number): string[] {
  return wrapTextWithAnsi(text, Math.max(10, width - 4)).map((line) => `  ${line}`);
}
