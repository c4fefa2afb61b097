import type { ExtensionContext } from "@mariozechner/pi-coding-agent";
import { truncateToWidth } from "@mariozechner/pi-tui";
import { framed } from "./frame.ts";

/** Shows text until a key is pressed. Returns true when it was shown. */
export async function linesPanel(ctx: ExtensionContext, title: string, lines: string[]): Promise<boolean> {
  const shown = await ctx.ui.custom<true>((_tui, theme, _keybindings, done) => ({
    render: (width) =>
      framed(
        theme,
        width,
        title,
        lines.map((line) => truncateToWidth(`  ${line}`, width)),
        "any key closes",
      ),
    handleInput: () => done(true),
    invalidate: () => {},
  }));
  return shown === true;
}
