import { CircleAlert, CircleCheck, X } from "lucide-react";
import { Toast } from "radix-ui";

import { Prose } from "./Prose";
import { toast, useToasts } from "./toast-store";

export function Toasts() {
  const toasts = useToasts();
  return (
    <Toast.Provider duration={5000} swipeDirection="right">
      {toasts.map(({ id, tone, text }) => (
        <Toast.Root
          key={id}
          type={tone === "bad" ? "foreground" : "background"}
          duration={tone === "bad" ? 9000 : 4500}
          onOpenChange={(open) => {
            if (!open) toast.dismiss(id);
          }}
          className="flex items-start gap-2.5 rounded-xl border border-line bg-raised py-2.5 pr-2 pl-3 shadow-pop data-[state=open]:animate-rise"
        >
          {tone === "good" ? (
            <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-good" />
          ) : (
            <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
          )}
          <Toast.Description className="min-w-0 flex-1 wrap-anywhere">
            <Prose>{text}</Prose>
          </Toast.Description>
          <Toast.Close aria-label="Dismiss" className="rounded-md p-1 text-faint hover:bg-hover hover:text-ink">
            <X aria-hidden className="size-3.5" />
          </Toast.Close>
        </Toast.Root>
      ))}
      <Toast.Viewport className="fixed right-0 bottom-18 z-50 flex w-full flex-col gap-2 px-4 outline-none sm:bottom-4 sm:w-96" />
    </Toast.Provider>
  );
}
