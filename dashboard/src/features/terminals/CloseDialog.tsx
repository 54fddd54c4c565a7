import { messageOf } from "@/api/error";
import type { Terminal } from "@/api/types";
import { Confirm } from "@/ui/Dialog";

import { useCloseTerminal } from "./queries";

/** Asks, as what runs in it ends. */
export function CloseDialog({ workspaceId, terminal, onDone, onClosed }: { workspaceId: string; terminal: Terminal; onDone: () => void; onClosed: () => void }) {
  const close = useCloseTerminal(workspaceId);
  return (
    <Confirm
      open
      onOpenChange={(open) => !open && onDone()}
      onClosed={onClosed}
      title={`Close ${terminal.name}?`}
      description="What runs in it is ended, and its output is not kept. To leave it running, show another terminal or close this page."
      confirm="Close the terminal"
      testId="close-confirm"
      danger
      busy={close.isPending}
      error={close.error ? messageOf(close.error) : undefined}
      onConfirm={() => close.mutate(terminal.id, { onSuccess: onDone })}
    />
  );
}
