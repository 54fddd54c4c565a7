import { CircleX } from "lucide-react";

import { asSentence } from "@/api/error";
import type { Deployment } from "@/api/types";
import { plainText } from "@/features/logs/ansi";
import { Chip } from "@/ui/Badge";
import { Prose } from "@/ui/Prose";

interface FailureBoxProps {
  reason?: string | null;
  code?: string | null;
  lines?: readonly string[];
  /** What the failure did not touch. */
  comfort?: string;
}

/** Why something ended, and the lines that usually say so first. */
export function FailureBox({ reason, code, lines = [], comfort }: FailureBoxProps) {
  return (
    <section aria-label="Why it failed" className="overflow-hidden rounded-xl border border-bad/35 bg-surface shadow-card">
      <div className="flex items-start gap-3 bg-bad-wash px-4 py-3">
        <CircleX aria-hidden className="mt-0.5 size-5 shrink-0 text-bad" />
        <div className="min-w-0 flex-1">
          <p className="font-medium wrap-anywhere">
            <Prose>{reason ? asSentence(reason) : "It failed without a reason. Its log says more."}</Prose>
          </p>
          <p className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-[13px] text-soft">
            {comfort}
            {code && <Chip>{code}</Chip>}
          </p>
        </div>
      </div>
      {lines.length > 0 && (
        <pre aria-label="Last lines of the log" tabIndex={0} className="max-h-56 overflow-auto border-t border-bad/20 bg-term px-4 py-3 font-mono text-[12.5px] leading-5 wrap-anywhere whitespace-pre-wrap">
          {lines.map(plainText).join("\n")}
        </pre>
      )}
    </section>
  );
}

export function Failure({ deployment, othersLive }: { deployment: Deployment; othersLive: boolean }) {
  const { reason, failure_code: code, last_lines: lines } = deployment;
  return <FailureBox reason={reason} code={code} lines={lines} comfort={othersLive ? "What was live before still answers visitors." : undefined} />;
}
