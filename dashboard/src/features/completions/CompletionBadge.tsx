import type { CompletionState } from "@/api/types";
import { Badge } from "@/ui/Badge";

import { lookOf } from "./words";

export function CompletionBadge({ state }: { state: CompletionState }) {
  const { word, tone, icon, spin, meaning } = lookOf(state);
  return (
    <span title={meaning}>
      <Badge tone={tone} icon={icon} spin={spin} data-testid="completion-state" data-state={state}>
        {word}
      </Badge>
    </span>
  );
}
