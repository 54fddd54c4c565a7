import { ArrowDown, ArrowLeft, ArrowRight, ArrowUp, ClipboardPaste, Copy } from "lucide-react";
import type { ReactNode, SyntheticEvent } from "react";

import { classes } from "@/ui/classes";

import { sequenceOf, type Modifiers, type PhoneKey } from "./keys";

interface KeyRowProps {
  modifiers: Modifiers;
  onModifiers: (modifiers: Modifiers) => void;
  applicationCursor: () => boolean;
  onType: (text: string) => void;
  onCopy: () => void;
  onPaste: () => void;
}

/** The keyboard must stay open, and the terminal's. */
function keepFocus(event: SyntheticEvent) {
  event.preventDefault();
}

function Key({ label, pressed, onPress, children }: { label: string; pressed?: boolean; onPress: () => void; children?: ReactNode }) {
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      onPointerDown={keepFocus}
      onMouseDown={keepFocus}
      onClick={onPress}
      className={classes(
        "grid h-9 min-w-10 shrink-0 place-items-center rounded-lg border px-2 text-[13px] font-medium [&_svg]:size-4",
        pressed ? "border-transparent bg-accent text-on-accent" : "border-line bg-surface text-soft active:bg-hover",
      )}
    >
      {children ?? label}
    </button>
  );
}

const signs = ["|", "~", "/", "-", "_"];

/** What a phone's keyboard lacks. */
export function KeyRow({ modifiers, onModifiers, applicationCursor, onType, onCopy, onPaste }: KeyRowProps) {
  const press = (key: PhoneKey) => () => {
    onModifiers({ control: false, alt: false });
    onType(sequenceOf(key, modifiers, applicationCursor()));
  };
  return (
    <div role="toolbar" aria-label="Keys" data-testid="key-row" className="hidden shrink-0 [scrollbar-width:none] gap-1 overflow-x-auto border-t border-line bg-sunken px-2 py-1.5 max-md:flex pointer-coarse:flex">
      <Key label="Esc" onPress={press("esc")} />
      <Key label="Tab" onPress={press("tab")} />
      <Key label="Ctrl" pressed={modifiers.control} onPress={() => onModifiers({ ...modifiers, control: !modifiers.control })} />
      <Key label="Alt" pressed={modifiers.alt} onPress={() => onModifiers({ ...modifiers, alt: !modifiers.alt })} />
      <Key label="Left" onPress={press("left")}>
        <ArrowLeft aria-hidden />
      </Key>
      <Key label="Up" onPress={press("up")}>
        <ArrowUp aria-hidden />
      </Key>
      <Key label="Down" onPress={press("down")}>
        <ArrowDown aria-hidden />
      </Key>
      <Key label="Right" onPress={press("right")}>
        <ArrowRight aria-hidden />
      </Key>
      {signs.map((sign) => (
        <Key key={sign} label={sign} onPress={() => onType(sign)} />
      ))}
      <Key label="Copy" onPress={onCopy}>
        <Copy aria-hidden />
      </Key>
      <Key label="Paste" onPress={onPaste}>
        <ClipboardPaste aria-hidden />
      </Key>
      <Key label="Home" onPress={press("home")} />
      <Key label="End" onPress={press("end")} />
      <Key label="PgUp" onPress={press("page_up")} />
      <Key label="PgDn" onPress={press("page_down")} />
    </div>
  );
}
