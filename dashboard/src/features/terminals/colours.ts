import type { ITheme } from "@xterm/xterm";

/** Backgrounds are `--term` of app.css, which xterm cannot read as it is written there. */
export const themes: Record<"light" | "dark", ITheme> = {
  light: {
    background: "#fafafb",
    foreground: "#1c2030",
    cursor: "#4353d9",
    cursorAccent: "#fafafb",
    selectionBackground: "#4353d940",
    selectionInactiveBackground: "#4353d966",
    black: "#1c2030",
    red: "#b3261e",
    green: "#1a7240",
    yellow: "#8a5a00",
    blue: "#3346c4",
    magenta: "#8e2fa0",
    cyan: "#086d84",
    white: "#6b7080",
    brightBlack: "#5a6072",
    brightRed: "#c8372d",
    brightGreen: "#1e7d48",
    brightYellow: "#8f6200",
    brightBlue: "#4353d9",
    brightMagenta: "#a03bb3",
    brightCyan: "#0b7790",
    brightWhite: "#3b4152",
  },
  dark: {
    background: "#0c0d11",
    foreground: "#e6e8ee",
    cursor: "#8d9cff",
    cursorAccent: "#0c0d11",
    selectionBackground: "#6a7bff59",
    selectionInactiveBackground: "#6a7bff8c",
    black: "#2a2d38",
    red: "#ff7b72",
    green: "#56d28b",
    yellow: "#e8b84a",
    blue: "#7c93ff",
    magenta: "#d58cf0",
    cyan: "#4fc6dc",
    white: "#c8ccd8",
    brightBlack: "#7d8496",
    brightRed: "#ff9a92",
    brightGreen: "#7fe3aa",
    brightYellow: "#f4cf78",
    brightBlue: "#a3b2ff",
    brightMagenta: "#e5aef8",
    brightCyan: "#80dcec",
    brightWhite: "#f6f7fa",
  },
};

/** Behind what a search found. */
export const matchColours: Record<"light" | "dark", { one: string; active: string }> = {
  light: { one: "#f2d88a", active: "#f0a35e" },
  dark: { one: "#5f4a0e", active: "#9a4a14" },
};
