import { type ExtensionContext, getSettingsListTheme, type Theme } from "@mariozechner/pi-coding-agent";
import { type Component, type SettingItem, SettingsList, type TUI } from "@mariozechner/pi-tui";
import { messageOf } from "../person.ts";
import { framed, wrapped } from "./frame.ts";

/** One setting as the panel shows it: each value with its name. */
export interface Setting<V> {
  id: keyof V & string;
  label: string;
  description: string;
  /** The values of the protocol, and their names here. */
  choices: [unknown, string][];
  /** The name of a value that is none of the choices. */
  other?: (value: unknown) => string;
}

export interface SettingsPanel<V> {
  title: string;
  settings: Setting<V>[];
  read(): Promise<V>;
  /** Saves it, and returns all settings. */
  save(change: Partial<V>): Promise<V>;
  /** A summary of the settings, shown above them. */
  preview(theme: Theme): Promise<string[]>;
}

export function wordsFor<V>({ choices, other }: Setting<V>, value: unknown): string {
  return choices.find(([known]) => known === value)?.[1] ?? other?.(value) ?? String(value);
}

/** Returns true when it was shown; false without panels. */
export async function settingsPanel<V extends object>(
  ctx: ExtensionContext,
  panel: SettingsPanel<V>,
): Promise<boolean> {
  const values = await panel.read();
  const preview = await panel.preview(ctx.ui.theme);
  const shown = await ctx.ui.custom<true>(
    (tui, theme, _keybindings, done) => new Panel(tui, theme, panel, values, preview, () => done(true)),
  );
  return shown === true;
}

class Panel<V extends object> implements Component {
  readonly #tui: TUI;
  readonly #theme: Theme;
  readonly #panel: SettingsPanel<V>;
  readonly #list: SettingsList;
  #preview: string[];
  #failed: string | undefined;
  /** Saves one change after the other, so that the last one pressed is the last one saved. */
  #saving: Promise<void> = Promise.resolve();

  constructor(
    tui: TUI,
    theme: Theme,
    panel: SettingsPanel<V>,
    values: V,
    preview: string[],
    close: () => void,
  ) {
    this.#tui = tui;
    this.#theme = theme;
    this.#panel = panel;
    this.#preview = preview;
    const items: SettingItem[] = panel.settings.map((setting) => ({
      id: setting.id,
      label: setting.label,
      description: setting.description,
      currentValue: wordsFor(setting, values[setting.id]),
      values: setting.choices.map(([, words]) => words),
    }));
    const changed = (id: string, words: string) => {
      this.#saving = this.#saving.then(() => this.#save(id, words));
    };
    this.#list = new SettingsList(items, items.length + 2, getSettingsListTheme(), changed, close);
  }

  render(width: number): string[] {
    const lines = this.#preview.flatMap((line) => wrapped(line, width));
    if (this.#failed) lines.push(...wrapped(this.#theme.fg("error", this.#failed), width));
    return framed(
      this.#theme,
      width,
      this.#panel.title,
      [...lines, "", ...this.#list.render(width)],
      "saved at once",
    );
  }

  invalidate(): void {
    this.#list.invalidate();
  }

  handleInput(data: string): void {
    this.#list.handleInput(data);
    this.#tui.requestRender();
  }

  async #save(id: string, words: string): Promise<void> {
    const setting = this.#panel.settings.find((each) => each.id === id);
    const choice = setting?.choices.find(([, known]) => known === words);
    if (!setting || !choice) return;
    try {
      this.#failed = undefined;
      const values = await this.#panel.save({ [id]: choice[0] } as Partial<V>);
      this.#list.updateValue(id, wordsFor(setting, values[setting.id]));
      this.#preview = await this.#panel.preview(this.#theme);
    } catch (error) {
      this.#failed = messageOf(error);
    }
    this.#tui.requestRender();
  }
}
