import { LoaderCircle, WifiOff } from "lucide-react";

import { Button } from "@/ui/Button";
import { Prose } from "@/ui/Prose";

import type { LinkState } from "./link";
import { StatusBar } from "./StatusBar";

interface LinkStatusProps {
  link: LinkState;
  /** Nothing was drawn yet. */
  blank: boolean;
  /** Why it is not connected, where that is known. */
  problem?: string;
  connecting: string;
  lost: string;
  onRetry: () => void;
}

/** What is to be known of a terminal's connection. Laid over it: in a row of its own it would change its size. */
export function LinkStatus({ link, blank, problem, connecting, lost, onRetry }: LinkStatusProps) {
  return (
    <>
      {blank && link === "connecting" && (
        <p role="status" className="absolute inset-0 grid place-items-center text-faint">
          <span className="flex items-center gap-2">
            <LoaderCircle aria-hidden className="size-4 animate-spin" /> {connecting}
          </span>
        </p>
      )}
      <div className="absolute inset-x-0 top-0 shadow-pop">
        {link === "lost" && (
          <StatusBar
            icon={WifiOff}
            tone="warn"
            actions={
              <Button size="sm" variant="ghost" onClick={onRetry}>
                Try now
              </Button>
            }
          >
            {problem ? <Prose>{problem}</Prose> : lost}
          </StatusBar>
        )}
      </div>
    </>
  );
}
