import { CornerDownLeft, Search } from "lucide-react";
import { Dialog } from "radix-ui";
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";

import { useMeshOnly } from "@/features/auth/queries";
import { classes } from "@/ui/classes";
import { useReturnFocus } from "@/ui/use-return-focus";

import { usePaletteItems, type PaletteItem } from "./palette-items";
import { search } from "./palette-search";

const MAX_SHOWN = 40;
const groups: PaletteItem["group"][] = ["Projects", "Workspaces", "Pages", "Actions"];

/** Without a query the groups keep their order; with one the best fit comes first. */
function arrange(items: PaletteItem[], query: string): PaletteItem[] {
  const found = search(items, query).slice(0, MAX_SHOWN);
  const best = found[0]?.group;
  const order = query.trim() && best ? [best, ...groups.filter((group) => group !== best)] : groups;
  return order.flatMap((group) => found.filter((item) => item.group === group));
}

function Palette({ items, onClose }: { items: PaletteItem[]; onClose: () => void }) {
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const label = useMeshOnly() ? "Search pages and actions" : "Search projects, workspaces, pages and actions";
  const id = useId();
  const shown = arrange(items, query);
  const current = Math.min(active, shown.length - 1);

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [current, query]);

  function choose(item: PaletteItem | undefined) {
    if (!item) return;
    onClose();
    item.run();
  }

  function onKeyDown(event: KeyboardEvent) {
    const moves: Record<string, number> = {
      ArrowDown: (current + 1) % shown.length,
      ArrowUp: (current - 1 + shown.length) % shown.length,
      Home: 0,
      End: shown.length - 1,
    };
    const next = moves[event.key];
    if (next !== undefined && shown.length > 0) {
      event.preventDefault();
      setActive(next);
    } else if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      choose(shown[current]);
    }
  }

  return (
    <>
      <div className="flex items-center gap-2.5 border-b border-line px-4">
        <Search aria-hidden className="size-4 text-faint" />
        <input
          role="combobox"
          aria-expanded
          aria-controls={id}
          aria-activedescendant={shown[current] ? `${id}-${shown[current].id}` : undefined}
          aria-label={label}
          placeholder={label}
          autoFocus
          value={query}
          onChange={(event) => {
            setQuery(event.target.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
          className="h-12 min-w-0 flex-1 bg-transparent text-[15px] outline-none"
        />
        <kbd className="hidden rounded border border-line px-1.5 font-sans text-xs text-faint sm:block">Esc</kbd>
      </div>
      <div ref={list} id={id} role="listbox" aria-label="Results" className="max-h-[min(24rem,55vh)] overflow-y-auto p-1.5">
        {shown.length === 0 && <p className="px-3 py-8 text-center text-faint">Nothing found for “{query}”.</p>}
        {shown.map((item, index) => {
          const Icon = item.icon;
          const heading = item.group !== shown[index - 1]?.group;
          return (
            <div key={item.id} role="presentation">
              {heading && (
                <div role="presentation" className="px-2.5 pt-2 pb-1 text-xs font-medium text-faint">
                  {item.group}
                </div>
              )}
              <div
                id={`${id}-${item.id}`}
                role="option"
                aria-selected={index === current}
                onPointerMove={() => setActive(index)}
                onClick={() => choose(item)}
                className={classes("flex cursor-default items-center gap-3 rounded-lg px-2.5 py-2", index === current && "bg-accent-wash text-accent-ink")}
              >
                <Icon aria-hidden className="size-4 shrink-0 opacity-70" />
                <span className="truncate">{item.label}</span>
                {item.hint && <span className="truncate text-[13px] text-faint">{item.hint}</span>}
                {index === current && <CornerDownLeft aria-hidden className="ml-auto size-3.5 shrink-0 opacity-70" />}
              </div>
            </div>
          );
        })}
      </div>
    </>
  );
}

export function CommandPalette({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  // Lives outside the dialog: an action goes on after it has closed.
  const items = usePaletteItems();
  const returnFocus = useReturnFocus(open);

  useEffect(() => {
    function onKeyDown(event: globalThis.KeyboardEvent) {
      if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey) || event.shiftKey || event.altKey) return;
      event.preventDefault();
      onOpenChange(!open);
    }
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [open, onOpenChange]);

  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="dims fixed inset-0 z-40 bg-black/45 data-[state=open]:animate-fade" />
        <Dialog.Content
          data-testid="palette"
          onCloseAutoFocus={returnFocus}
          aria-describedby={undefined}
          className="fixed inset-x-3 top-[10vh] z-50 mx-auto max-w-xl overflow-hidden rounded-2xl border border-line bg-raised shadow-pop outline-none data-[state=open]:animate-rise"
        >
          <Dialog.Title className="sr-only">Search</Dialog.Title>
          <Palette items={items} onClose={() => onOpenChange(false)} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
