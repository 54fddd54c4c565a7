import { Check, type LucideIcon } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";

import { classes } from "./classes";

const itemClass = "flex cursor-default items-center gap-2.5 rounded-lg px-2 py-1.5 outline-none select-none data-disabled:opacity-50 data-highlighted:bg-hover";

interface MenuProps {
  trigger: ReactNode;
  children: ReactNode;
  /** Where the focus goes when it closes; its trigger, when absent. */
  onClosed?: () => void;
}

export function Menu({ trigger, children, onClosed }: MenuProps) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          onCloseAutoFocus={(event) => {
            if (!onClosed) return;
            event.preventDefault();
            onClosed();
          }}
          className="z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-56 overflow-y-auto rounded-xl border border-line bg-raised p-1 shadow-pop data-[state=open]:animate-rise"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

interface ItemProps {
  icon?: LucideIcon;
  /** Its keys. */
  hint?: string;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
  children: ReactNode;
  testId?: string;
}

export function MenuItem({ icon: Icon, hint, danger, disabled, onSelect, children, testId }: ItemProps) {
  return (
    <DropdownMenu.Item className={classes(itemClass, danger && "text-bad")} disabled={disabled} onSelect={onSelect} data-testid={testId}>
      {Icon && <Icon aria-hidden className={classes("size-4", !danger && "text-faint")} />}
      <span className="flex-1">{children}</span>
      {hint && <kbd className="ml-4 font-sans text-xs text-faint">{hint}</kbd>}
    </DropdownMenu.Item>
  );
}

export function MenuCheck({ checked, onChange, children }: { checked: boolean; onChange: (checked: boolean) => void; children: ReactNode }) {
  return (
    <DropdownMenu.CheckboxItem checked={checked} onCheckedChange={onChange} className={itemClass}>
      <span className="grid size-4 place-items-center text-accent-ink">
        <DropdownMenu.ItemIndicator>
          <Check aria-hidden className="size-4" />
        </DropdownMenu.ItemIndicator>
      </span>
      {children}
    </DropdownMenu.CheckboxItem>
  );
}

interface ChoiceProps {
  icon: LucideIcon;
  /** What it means, in a few words. */
  note: string;
  checked: boolean;
  onSelect: () => void;
  children: ReactNode;
  testId?: string;
}

/** One of several of which one holds. Choosing that one again may mean something too. */
export function MenuChoice({ icon: Icon, note, checked, onSelect, children, testId }: ChoiceProps) {
  return (
    <DropdownMenu.CheckboxItem checked={checked} onSelect={onSelect} className={itemClass} data-testid={testId}>
      <Icon aria-hidden className="size-4 shrink-0 text-faint" />
      <span className="min-w-0 flex-1">
        {children}
        <span className="block text-xs text-faint">{note}</span>
      </span>
      <span className="grid size-4 shrink-0 place-items-center text-accent-ink">
        <DropdownMenu.ItemIndicator>
          <Check aria-hidden className="size-4" />
        </DropdownMenu.ItemIndicator>
      </span>
    </DropdownMenu.CheckboxItem>
  );
}

export function MenuLine() {
  return <DropdownMenu.Separator className="my-1 h-px bg-line" />;
}
