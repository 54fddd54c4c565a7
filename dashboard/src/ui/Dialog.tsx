import { X } from "lucide-react";
import { AlertDialog, Dialog as RadixDialog } from "radix-ui";
import type { ReactNode } from "react";

import { Button, IconButton } from "./Button";
import { classes } from "./classes";
import { Notice } from "./states";
import { useReturnFocus } from "./use-return-focus";

const overlayClass = "dims fixed inset-0 z-40 bg-black/45 data-[state=open]:animate-fade";
const contentClass =
  "fixed inset-x-3 top-[12vh] z-50 mx-auto flex max-h-[80vh] flex-col overflow-y-auto rounded-2xl border border-line bg-raised p-5 shadow-pop outline-none data-[state=open]:animate-rise";

interface DialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  children: ReactNode;
  /** Puts the focus somewhere else than where it was. */
  onClosed?: () => void;
  /** For text that should not be broken into short lines. */
  wide?: boolean;
}

export function Dialog({ open, onOpenChange, title, description, children, onClosed, wide }: DialogProps) {
  const returnFocus = useReturnFocus(open, onClosed);
  return (
    <RadixDialog.Root open={open} onOpenChange={onOpenChange}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className={overlayClass} />
        <RadixDialog.Content className={classes(contentClass, wide ? "max-w-4xl" : "max-w-lg")} onCloseAutoFocus={returnFocus} {...(description ? {} : { "aria-describedby": undefined })}>
          <div className="flex items-start justify-between gap-4">
            <RadixDialog.Title className="text-base font-semibold">{title}</RadixDialog.Title>
            <RadixDialog.Close asChild>
              <IconButton label="Close" icon={X} className="-mt-1 -mr-1" />
            </RadixDialog.Close>
          </div>
          {description && <RadixDialog.Description className="mt-1 text-soft">{description}</RadixDialog.Description>}
          <div className="mt-4">{children}</div>
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

interface ConfirmProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description: ReactNode;
  confirm: string;
  onConfirm: () => void;
  busy?: boolean;
  danger?: boolean;
  /** What keeps the confirming button locked until it holds. */
  allowed?: boolean;
  error?: string;
  children?: ReactNode;
  testId?: string;
  /** As a dialog's. */
  onClosed?: () => void;
}

export function Confirm({ open, onOpenChange, title, description, confirm, onConfirm, busy, danger, allowed = true, error, children, testId, onClosed }: ConfirmProps) {
  const returnFocus = useReturnFocus(open, onClosed);
  return (
    <AlertDialog.Root open={open} onOpenChange={onOpenChange}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={overlayClass} />
        <AlertDialog.Content className={classes(contentClass, "max-w-lg")} onCloseAutoFocus={returnFocus}>
          <AlertDialog.Title className="text-base font-semibold">{title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className="mt-1.5 text-soft">{description}</div>
          </AlertDialog.Description>
          <form
            className="mt-4 flex flex-col gap-4"
            onSubmit={(event) => {
              event.preventDefault();
              if (allowed && !busy) onConfirm();
            }}
          >
            {children}
            {error && <Notice tone="bad">{error}</Notice>}
            <div className="flex flex-wrap justify-end gap-2">
              <AlertDialog.Cancel asChild>
                <Button>Keep it as it is</Button>
              </AlertDialog.Cancel>
              <Button type="submit" variant={danger ? "danger" : "primary"} busy={busy} disabled={!allowed} data-testid={testId}>
                {confirm}
              </Button>
            </div>
          </form>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
