import { CloudOff } from "lucide-react";

export function ConnectionBanner({ connected }: { connected: boolean }) {
  return (
    <div role="status" className="sticky top-13 z-20 md:top-0">
      {!connected && (
        <p className="flex items-center justify-center gap-2 bg-warn-wash px-4 py-1.5 text-center text-[13px] text-warn">
          <CloudOff aria-hidden className="size-4 shrink-0" />
          The connection to the server is lost. What you see may be old; trying again…
        </p>
      )}
    </div>
  );
}
